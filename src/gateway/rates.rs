//! How often calls are made: of each caller, each team, and to each server, by everybody together.
//!
//! It counts in memory: a restart counts anew. What may be called at all is `policy`; how many calls are in flight at once is
//! `load.rs`.

use crate::auth::called;
use crate::auth::caller::Caller;
use crate::config::model::rates::Rate;
use crate::config::model::rates::RateTable;
use crate::config::model::rates::RateTerms;
use crate::config::model::rates::Rates;
use crate::gateway::load::Bound;
use crate::gateway::load::BoundKey;
use crate::gateway::reply::Failure;
use crate::name::ServerName;
use governor::Quota;
use governor::RateLimiter;
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::InMemoryState;
use governor::state::NotKeyed;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::time::Instant;

/// Callers, teams or servers that are counted one by one; beyond, the rest share one count.
const MOST: usize = 16_384;
/// What a quota of calls is for.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The counts of one process.
#[derive(Debug)]
pub struct Meter {
    ticks: Ticks,
    callers: Counts,
    teams: Counts,
    servers: Counts,
}

/// By name; the empty name is all that have no place.
#[derive(Debug, Default)]
struct Counts(Mutex<HashMap<Box<str>, Arc<Count>>>);

/// The count of one caller, team or server.
#[derive(Debug)]
struct Count {
    terms: RateTerms,
    limiter: Option<Limiter>,
    day: Mutex<Day>,
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Nanos>>;

/// Calls since the first of a day.
#[derive(Debug, Clone, Copy, Default)]
struct Day {
    since: Option<Instant>,
    calls: u64,
}

/// Time since the start, as the runtime counts it.
#[derive(Debug, Clone, Copy)]
struct Ticks(Instant);

impl Clock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.0.elapsed())
    }
}

impl Default for Meter {
    fn default() -> Self {
        let (callers, teams, servers) = Default::default();
        Self { ticks: Ticks(Instant::now()), callers, teams, servers }
    }
}

/// Too early.
struct Wait {
    what: String,
    left: Duration,
}

impl Meter {
    /// Counts one call of `caller` to `server`. Who is refused for itself takes nothing from the others.
    ///
    /// # Errors
    /// The failure to answer when it is one too many.
    pub fn count(&self, rates: &Rates, caller: &Caller, server: &ServerName) -> Result<(), Failure> {
        let (name, principal) = (caller.name(), caller.principal());
        let terms = of_caller(&rates.callers, caller);
        self.take(&self.callers, terms, principal, || format!("caller `{name}`"))?;
        if let Some(team) = caller.identity().and_then(|identity| identity.team.as_deref()) {
            self.take(&self.teams, rates.teams.of(team), team, || format!("team `{team}`"))?;
        }
        let terms = rates.servers.of(server.as_str());
        self.take(&self.servers, terms, server.as_str(), || format!("server `{server}`"))
    }

    fn take(
        &self,
        counts: &Counts,
        terms: Option<RateTerms>,
        key: &str,
        whose: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        let Some(terms) = terms else { return Ok(()) };
        let taken = counts.of(key, terms, self.ticks).take(self.ticks);
        taken.map_err(|Wait { what, left }| Failure::too_often(&whose(), &what, left))
    }
}

/// What holds for a caller: under its unique id, its name, or as for each.
fn of_caller(table: &RateTable, caller: &Caller) -> Option<RateTerms> {
    if table.is_empty() {
        return None;
    }
    let named = |name| table.named.iter().find(|(known, _)| known == name);
    let own = called::names(caller.principal(), caller.name()).find_map(named);
    own.map(|(_, terms)| *terms).or(table.each)
}

/// How many requests of `caller` may be in flight at once, if the table says it.
#[must_use]
pub fn in_flight_of(table: &RateTable, caller: &Caller) -> Option<Bound> {
    let most = of_caller(table, caller)?.in_flight?;
    let is_named = called::names(caller.principal(), caller.name())
        .any(|name| table.named.iter().any(|(known, _)| known == name));
    Some(Bound { most, by: if is_named { BoundKey::NamedRate } else { BoundKey::CallerRate } })
}

fn calls(number: u64) -> String {
    if number == 1 { "1 call".to_owned() } else { format!("{number} calls") }
}

impl Counts {
    fn of(&self, key: &str, terms: RateTerms, ticks: Ticks) -> Arc<Count> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = key;
        if !counts.contains_key(key) && counts.len() >= MOST {
            counts.retain(|_, count| !count.is_fresh());
            if counts.len() >= MOST {
                key = "";
            }
        }
        let before = counts.get(key);
        if let Some(known) = before.filter(|count| count.terms == terms) {
            return Arc::clone(known);
        }
        // Other terms count anew, but for the calls of the day.
        let count = Arc::new(Count::new(terms, before.map(|count| count.day()).unwrap_or_default(), ticks));
        counts.insert(key.into(), Arc::clone(&count));
        count
    }
}

impl Count {
    fn new(terms: RateTerms, day: Day, ticks: Ticks) -> Self {
        let quota = |rate: Rate| {
            let each = rate.within / rate.calls.get();
            Quota::with_period(each).map(|quota| quota.allow_burst(rate.burst))
        };
        let limiter = terms.rate.and_then(quota).map(|quota| RateLimiter::direct_with_clock(quota, ticks));
        Self { terms, limiter, day: Mutex::new(day) }
    }

    fn take(&self, ticks: Ticks) -> Result<(), Wait> {
        let mut day = self.day.lock().unwrap_or_else(PoisonError::into_inner);
        let age = day.since.map(|since| since.elapsed());
        if age.is_none_or(|age| age >= DAY) {
            *day = Day { since: Some(Instant::now()), calls: 0 };
        }
        if let Some(most) = self.terms.per_day.filter(|most| day.calls >= *most) {
            let left = DAY.saturating_sub(age.unwrap_or_default());
            return Err(Wait { what: format!("{} a day", calls(most)), left });
        }
        if let (Some(limiter), Some(rate)) = (&self.limiter, self.terms.rate)
            && let Err(not_until) = limiter.check()
        {
            let left = not_until.wait_time_from(ticks.now());
            let within = rate.within.as_secs_f64();
            return Err(Wait { what: format!("{} in {within} s", calls(rate.calls.get().into())), left });
        }
        day.calls += 1;
        Ok(())
    }

    fn day(&self) -> Day {
        *self.day.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True when forgetting it changes nothing.
    fn is_fresh(&self) -> bool {
        let day = self.day();
        let since = day.since.map(|since| since.elapsed());
        let rate_over = self.terms.rate.is_none_or(|rate| {
            let full = rate.within / rate.calls.get() * rate.burst.get();
            since.is_none_or(|since| since > full.max(DAY))
        });
        rate_over && since.is_none_or(|since| since >= DAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::caller::Identity;
    use std::num::NonZeroU32;

    fn rate(calls: u32, secs: u64, burst: u32) -> RateTerms {
        let number = |number| NonZeroU32::new(number).expect("more than none");
        let rate = Rate { calls: number(calls), within: Duration::from_secs(secs), burst: number(burst) };
        RateTerms { rate: Some(rate), ..RateTerms::default() }
    }

    fn each(terms: RateTerms) -> RateTable {
        RateTable { each: Some(terms), named: Vec::new() }
    }

    fn member(team: &str, name: &str) -> Caller {
        let identity = Identity::new(format!("key:{name}"), name);
        Caller::from(Identity { team: Some(team.into()), ..identity })
    }

    fn counted(meter: &Meter, rates: &Rates, caller: &Caller, server: &str) -> Result<(), u64> {
        let server = ServerName::new(server).expect("a name");
        let refused = meter.count(rates, caller, &server).map_err(|failure| failure.data);
        refused.map_err(|data| data.expect("more for programs")["retryAfter"].as_u64().expect("seconds"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_and_then_as_the_rate_says() {
        let (meter, ann) = (Meter::default(), member("blue", "ann"));
        let rates = Rates { callers: each(rate(60, 60, 2)), ..Rates::default() };
        let call = || counted(&meter, &rates, &ann, "s");
        assert_eq!([call(), call(), call()], [Ok(()), Ok(()), Err(1)]);
        tokio::time::advance(Duration::from_millis(999)).await;
        assert_eq!(call(), Err(1));
        tokio::time::advance(Duration::from_millis(2)).await;
        assert_eq!([call(), call()], [Ok(()), Err(1)]);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!([call(), call(), call()], [Ok(()), Ok(()), Err(1)], "no more than the burst is saved up");
        assert_eq!(counted(&meter, &rates, &member("blue", "bob"), "s"), Ok(()), "others are counted apart");
    }

    #[tokio::test(start_paused = true)]
    async fn a_quota_lasts_a_day_and_other_terms_keep_it() {
        let (meter, ann) = (Meter::default(), member("blue", "ann"));
        let quota = |calls| {
            let terms = RateTerms { per_day: Some(calls), ..RateTerms::default() };
            Rates { callers: each(terms), ..Rates::default() }
        };
        let call = |calls| counted(&meter, &quota(calls), &ann, "s");
        assert_eq!([call(2), call(2), call(2)], [Ok(()), Ok(()), Err(24 * 3600)]);
        assert_eq!([call(3), call(3)], [Ok(()), Err(24 * 3600)]);
        tokio::time::advance(DAY).await;
        assert_eq!(call(3), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_refused_takes_nothing_from_the_team_and_the_server() {
        let meter = Meter::default();
        let day = |calls| RateTerms { per_day: Some(calls), ..RateTerms::default() };
        let named = vec![("key:cid".to_owned(), day(9))];
        let callers = RateTable { each: Some(day(1)), named };
        let rates = Rates { callers, teams: each(day(3)), servers: each(day(4)) };
        let [ann, bob, cid] = ["ann", "bob", "cid"].map(|name| member("blue", name));
        let call = |caller: &Caller| counted(&meter, &rates, caller, "s").is_ok();
        assert_eq!([call(&ann), call(&ann), call(&ann)], [true, false, false]);
        assert_eq!([call(&bob), call(&cid), call(&cid)], [true, true, false], "three of the team");
        let eve = member("red", "eve");
        assert!(call(&eve), "three of four were used of the server");
        assert!(!call(&member("red", "fay")) && counted(&meter, &rates, &member("red", "gil"), "t").is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_names_is_bounded() {
        let counts = Counts::default();
        let ticks = Ticks(Instant::now());
        let terms = rate(1, 1, 1);
        for n in 0..MOST + 10 {
            let _ = counts.of(&n.to_string(), terms, ticks).take(ticks);
        }
        let known = counts.0.lock().expect("nobody panicked").len();
        assert!(known <= MOST + 1, "{known}");
    }
}
