//! Wrong credentials, counted by the address they come from.
//!
//! Who shows many waits, unless it shows what nobody guesses. Nothing is kept of addresses that showed none.

use std::collections::HashMap;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::time::Duration;
use tokio::time::Instant;

/// How long failures count.
const WINDOW: Duration = Duration::from_secs(60);
/// Most addresses that are counted.
const MOST: usize = 10_000;
/// Shortest time between two lines in the log.
const LOG: Duration = Duration::from_secs(10);

/// The counts.
#[derive(Debug, Default)]
pub struct Failures {
    of: HashMap<IpAddr, Count>,
    told: Option<Instant>,
    untold: u64,
}

#[derive(Debug)]
struct Count {
    since: Instant,
    failures: usize,
}

impl Failures {
    /// How long `peer` has to wait, once it has shown `limit` wrong credentials.
    #[must_use]
    pub fn wait(&self, peer: IpAddr, limit: usize) -> Option<Duration> {
        let count = self.of.get(&network(peer))?;
        let left = WINDOW.checked_sub(count.since.elapsed())?;
        (count.failures >= limit).then_some(left)
    }

    /// Counts one more of `peer`, which was refused for `why`.
    pub fn add(&mut self, peer: IpAddr, why: &str) {
        if self.of.len() >= MOST {
            self.of.retain(|_, count| count.since.elapsed() < WINDOW);
            if self.of.len() >= MOST {
                self.of.clear();
            }
        }
        let now = Instant::now();
        let count = self.of.entry(network(peer)).or_insert(Count { since: now, failures: 0 });
        if count.since.elapsed() >= WINDOW {
            *count = Count { since: now, failures: 0 };
        }
        count.failures += 1;
        self.tell(peer, why);
    }

    /// Has the log say that one of `peer` was refused for `why`, without counting it.
    pub fn tell(&mut self, peer: IpAddr, why: &str) {
        if self.told.is_some_and(|told| told.elapsed() < LOG) {
            self.untold += 1;
        } else {
            let more = std::mem::take(&mut self.untold);
            tracing::warn!(%peer, %why, more, "a credential was refused");
            self.told = Some(Instant::now());
        }
    }
}

/// Who has one address of IPv6 has 2⁶⁴ of them: the network stands for all.
#[must_use]
pub fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let bits = u128::from(address) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(bits))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_failures_of_one_network_make_it_wait_and_no_other() {
        let (one, near, far) = ("2001:db8::1", "2001:db8::ffff:1", "192.0.2.1");
        let ip = |text: &str| text.parse().unwrap();
        let mut failures = Failures::default();
        for _ in 0..3 {
            assert_eq!(failures.wait(ip(one), 3), None);
            failures.add(ip(one), "wrong");
        }
        assert!(failures.wait(ip(near), 3).is_some() && failures.wait(ip(far), 3).is_none());
        tokio::time::advance(WINDOW).await;
        assert_eq!(failures.wait(ip(one), 3).filter(|left| !left.is_zero()), None);
        failures.add(ip(one), "wrong");
        assert_eq!(failures.wait(ip(one), 3), None);
        for number in 0..=u32::try_from(MOST).unwrap() {
            failures.add(std::net::Ipv4Addr::from(number).into(), "wrong");
        }
        assert!(failures.of.len() <= MOST);
    }
}
