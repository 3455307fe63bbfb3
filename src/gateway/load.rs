//! How many requests are in flight: of one caller, and of everybody.
//!
//! A session counts its own; this counts across sessions. Callers who cannot be told apart are only part of everybody.

use crate::auth::caller::Caller;
use crate::gateway::reply::Failure;
use crate::telemetry::event;
use crate::telemetry::metric::Metrics;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::Weak;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

/// The counts of one gateway.
#[derive(Debug)]
pub struct Loads {
    total: Arc<Gauge>,
    metrics: Arc<Metrics>,
    everybody: Arc<Load>,
    per_caller: usize,
    /// By principal: whichever agent it names, a caller has one count.
    callers: Mutex<Callers>,
}

type Callers = HashMap<Box<str>, (Caller, Weak<Load>)>;

/// How many requests at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// So many.
    pub most: usize,
    /// What of the file says so.
    pub by: BoundKey,
}

/// Keys of the file that bound requests at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoundKey {
    /// Of everybody.
    Total,
    /// Of each caller.
    Caller,
    /// Of each caller, among the rates.
    CallerRate,
    /// Of one caller, among the rates.
    NamedRate,
}

impl BoundKey {
    const NAMES: [&str; 4] = [
        "gateway.limits.inFlightTotal",
        "gateway.limits.inFlightPerCaller",
        "gateway.rates.perCaller.inFlight",
        "gateway.rates.callers",
    ];
}

/// What the requests of one caller count towards.
#[derive(Debug)]
pub struct Load {
    total: Arc<Gauge>,
    metrics: Arc<Metrics>,
    own: Option<Gauge>,
}

#[derive(Debug)]
struct Gauge {
    now: AtomicUsize,
    limit: AtomicUsize,
    by: AtomicUsize,
}

impl Gauge {
    fn new(bound: Bound) -> Self {
        let [now, limit, by] = [0, bound.most, bound.by as usize].map(AtomicUsize::new);
        Self { now, limit, by }
    }

    fn set(&self, bound: Bound) {
        self.limit.store(bound.most, Ordering::Relaxed);
        self.by.store(bound.by as usize, Ordering::Relaxed);
    }

    fn refuse(&self, whose: &str) -> Failure {
        let by = self.by.load(Ordering::Relaxed);
        Failure::too_busy(self.limit(), whose, BoundKey::NAMES.get(by).copied().unwrap_or_default())
    }

    fn enter(&self) -> bool {
        let free = self.now.fetch_add(1, Ordering::Relaxed) < self.limit();
        if !free {
            self.leave();
        }
        free
    }

    fn leave(&self) {
        self.now.fetch_sub(1, Ordering::Relaxed);
    }

    fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }
}

impl Loads {
    /// At most `total` requests at once, and `per_caller` of each caller who is known.
    #[must_use]
    pub fn new(total: usize, per_caller: usize, metrics: Arc<Metrics>) -> Self {
        let total = Arc::new(Gauge::new(Bound { most: total, by: BoundKey::Total }));
        let everybody =
            Arc::new(Load { total: Arc::clone(&total), metrics: Arc::clone(&metrics), own: None });
        Self { total, metrics, everybody, per_caller, callers: Mutex::default() }
    }

    /// What requests of `caller` count towards; `own` is its limit when that is not the one of each.
    pub fn of(&self, caller: &Caller, own: Option<Bound>) -> Arc<Load> {
        if !caller.is_known() {
            return Arc::clone(&self.everybody);
        }
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(load) = callers.get(caller.principal()).and_then(|(_, load)| load.upgrade()) {
            return load;
        }
        callers.retain(|_, (_, load)| load.strong_count() > 0);
        let (total, metrics) = (Arc::clone(&self.total), Arc::clone(&self.metrics));
        let load = Arc::new(Load { total, metrics, own: Some(Gauge::new(self.or_each(own))) });
        callers.insert(caller.principal().into(), (caller.clone(), Arc::downgrade(&load)));
        load
    }

    fn or_each(&self, own: Option<Bound>) -> Bound {
        own.unwrap_or(Bound { most: self.per_caller, by: BoundKey::Caller })
    }

    /// From now on `own` says the limits of the callers that are there.
    pub fn limit(&self, own: impl Fn(&Caller) -> Option<Bound>) {
        let callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        for (caller, load) in callers.values() {
            if let Some(gauge) = load.upgrade().as_ref().and_then(|load| load.own.as_ref()) {
                gauge.set(self.or_each(own(caller)));
            }
        }
    }

    /// Requests in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.total.now.load(Ordering::Relaxed)
    }
}

impl Load {
    /// Counts one request more.
    ///
    /// # Errors
    /// The failure to send when there are too many.
    pub fn enter(&self) -> Result<(), Failure> {
        if !self.total.enter() {
            return Err(self.total.refuse("all clients together have"));
        }
        match &self.own {
            Some(own) if !own.enter() => {
                self.total.leave();
                Err(own.refuse("this caller has"))
            }
            _ => Ok(()),
        }
    }

    /// Counts a notification that was not sent to a client that is slow to read.
    pub fn skipped_notice(&self) {
        self.metrics.notices_dropped.up();
    }

    /// A client over `front` does not read and is cut off with so many bytes waiting for it.
    pub fn cut_off(&self, front: &str, waiting_bytes: usize) {
        event::client_cut_off(&self.metrics, front, waiting_bytes);
    }

    /// Counts one request less.
    pub fn leave(&self) {
        self.total.leave();
        if let Some(own) = &self.own {
            own.leave();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::caller::Identity;

    #[test]
    fn a_known_caller_is_counted_over_all_sessions_and_everybody_in_all() {
        let loads = Loads::new(3, 2, Arc::default());
        let (one, again) = (loads.of(&Caller::token(0), None), loads.of(&Caller::token(0), None));
        assert!(one.enter().is_ok() && again.enter().is_ok());
        assert!(one.enter().is_err_and(|failure| failure.message.contains("this caller")));
        assert_eq!(loads.in_flight(), 2, "what was refused is not counted");
        assert!(loads.of(&Caller::Anonymous, None).enter().is_ok());
        let refused = loads.of(&Caller::token(1), None).enter();
        assert!(refused.is_err_and(|failure| failure.message.contains("`gateway.limits.inFlightTotal`")));
        again.leave();
        assert!(loads.of(&Caller::token(1), None).enter().is_ok());
        assert_eq!(loads.in_flight(), 3);
    }

    #[test]
    fn a_caller_may_have_a_limit_of_its_own_and_another_one_later() {
        let loads = Loads::new(9, 1, Arc::default());
        let bound = |most| Bound { most, by: BoundKey::NamedRate };
        let own = loads.of(&Caller::token(0), Some(bound(2)));
        assert!(own.enter().is_ok() && own.enter().is_ok() && own.enter().is_err());
        loads.limit(|caller| (*caller == Caller::token(0)).then_some(bound(3)));
        assert!(own.enter().is_ok());
        assert!(own.enter().is_err_and(|failure| failure.message.contains("`gateway.rates.callers`")));
        loads.limit(|_| None);
        own.leave();
        assert!(
            own.enter().is_err_and(|failure| failure.message.contains("inFlightPerCaller")),
            "as for each"
        );
    }

    #[test]
    fn a_caller_is_one_whichever_agent_it_names() {
        let loads = Loads::new(9, 1, Arc::default());
        let free = Identity { may_name_agent: true, ..Identity::new("key:1", "ann") };
        let [one, other] =
            ["a", "b"].map(|agent| Caller::from(free.clone()).acting_as(agent).expect("it may"));
        assert!(loads.of(&one, None).enter().is_ok());
        let held = loads.of(&one, None);
        assert!(held.enter().is_ok() && loads.of(&other, None).enter().is_err());
    }
}
