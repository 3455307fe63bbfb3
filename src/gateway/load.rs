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
    callers: Mutex<HashMap<Caller, Weak<Load>>>,
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
}

impl Gauge {
    fn new(limit: usize) -> Self {
        Self { now: AtomicUsize::new(0), limit: AtomicUsize::new(limit) }
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
        let total = Arc::new(Gauge::new(total));
        let everybody =
            Arc::new(Load { total: Arc::clone(&total), metrics: Arc::clone(&metrics), own: None });
        Self { total, metrics, everybody, per_caller, callers: Mutex::default() }
    }

    /// What requests of `caller` count towards; `own` is its limit when that is not the one of each.
    pub fn of(&self, caller: &Caller, own: Option<usize>) -> Arc<Load> {
        if !caller.is_known() {
            return Arc::clone(&self.everybody);
        }
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(load) = callers.get(caller).and_then(Weak::upgrade) {
            return load;
        }
        callers.retain(|_, load| load.strong_count() > 0);
        let (total, metrics) = (Arc::clone(&self.total), Arc::clone(&self.metrics));
        let load = Arc::new(Load { total, metrics, own: Some(Gauge::new(own.unwrap_or(self.per_caller))) });
        callers.insert(caller.clone(), Arc::downgrade(&load));
        load
    }

    /// From now on `own` says the limits of the callers that are there.
    pub fn limit(&self, own: impl Fn(&Caller) -> Option<usize>) {
        let callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        for (caller, load) in callers.iter() {
            if let Some(gauge) = load.upgrade().as_ref().and_then(|load| load.own.as_ref()) {
                gauge.limit.store(own(caller).unwrap_or(self.per_caller), Ordering::Relaxed);
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
            return Err(Failure::too_busy(self.total.limit(), "all clients together", "inFlightTotal"));
        }
        match &self.own {
            Some(own) if !own.enter() => {
                self.total.leave();
                Err(Failure::too_busy(own.limit(), "this caller", "inFlightPerCaller"))
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
        let own = loads.of(&Caller::token(0), Some(2));
        assert!(own.enter().is_ok() && own.enter().is_ok() && own.enter().is_err());
        loads.limit(|caller| (*caller == Caller::token(0)).then_some(3));
        assert!(own.enter().is_ok() && own.enter().is_err());
        loads.limit(|_| None);
        own.leave();
        assert!(own.enter().is_err(), "as for each");
    }
}
