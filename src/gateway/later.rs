//! A request that waits for something before it is looked at: for lists, or for a person who logs in.
//!
//! It does not know what is waited for, nor what a request leads to.

use crate::gateway::exchange::Exchange;
use crate::gateway::incoming::Incoming;
use crate::gateway::reply::Failure;
use crate::wire::tasks::Tasks;
use serde_json::value::RawValue;

/// Takes the request `method` with `params` (JSON text) up again after `wait`, in a task of its own, unless its client no
/// longer wants it.
pub(super) fn take_up(
    tasks: &Tasks,
    (method, params): (&str, String),
    exchange: Exchange,
    wait: impl Future<Output = ()> + Send + 'static,
    dispatch: impl FnOnce(&Incoming<'_>, Exchange) + Send + 'static,
) {
    // It was parsed once already, so this cannot fail; without params it would be refused.
    let (method, params) = (method.to_owned(), RawValue::from_string(params).ok());
    tasks.spawn(async move {
        wait.await;
        if exchange.session().is_closed() {
            return exchange.fail(&Failure::session_ended());
        }
        if exchange.session().has_given_up(exchange.id()) {
            return exchange.forget();
        }
        match Incoming::read(&method, params.as_deref()) {
            Ok(incoming) => dispatch(&incoming, exchange),
            Err(failure) => exchange.fail(&failure),
        }
    });
}
