//! The workshop's weather: made up, but always the same for the same city.
//!
//! It asks no service, so that the demo works without a network.

use schemars::JsonSchema;
use serde::Serialize;

/// What `weather` answers.
#[derive(Debug, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Forecast {
    /// The city that was asked for
    pub city: String,
    /// In degrees Celsius
    pub temperature: i32,
    /// In words
    pub conditions: String,
    /// Relative humidity in percent
    pub humidity: u32,
}

const CONDITIONS: [&str; 6] = ["sunny", "cloudy", "light rain", "thunderstorms", "snow", "fog"];

impl Forecast {
    /// The weather of `city`: the same at every call.
    #[must_use]
    pub fn of(city: &str) -> Self {
        // FNV-1a: a digest that no release of a library will change.
        let digest = city
            .trim()
            .to_lowercase()
            .bytes()
            .fold(0x811c_9dc5_u32, |digest, byte| (digest ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let [conditions, temperature, humidity, _] = digest.to_le_bytes();
        Self {
            city: city.trim().to_owned(),
            temperature: i32::from(temperature % 45) - 10,
            conditions: CONDITIONS[usize::from(conditions) % CONDITIONS.len()].to_owned(),
            humidity: 20 + u32::from(humidity % 80),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weather_depends_on_the_city_alone() {
        assert_eq!(Forecast::of("Berlin"), Forecast::of(" Berlin "));
        assert_eq!(Forecast::of("BERLIN").temperature, Forecast::of("berlin").temperature);
        assert_ne!(Forecast::of("Berlin"), Forecast::of("Lisbon"));
    }
}
