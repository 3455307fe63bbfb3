//! What the program tells people: log lines and counters, one function per thing worth telling.
//!
//! It holds no global state: counters are a [`metric::Metrics`] that is passed along. Nothing here installs a
//! subscriber unless [`log::start`] is called, which only the command line does.

pub mod audit;
pub mod clean;
pub mod event;
pub mod log;
pub mod metric;
pub mod throttle;
