//! What became of a request that was to be sent on: nothing more to do, or given back with the failure to answer.
//!
//! It answers nothing; `gateway.rs` does, after it has waited for lists that may name what was asked for.

use crate::gateway::exchange::Exchange;
use crate::gateway::reply::Failure;

/// What became of a request: sent on, or given back with the failure to answer.
pub(super) type Relayed = Result<(), Box<NotRelayed>>;

/// A request that was not sent on.
pub(super) struct NotRelayed {
    pub(super) failure: Failure,
    pub(super) exchange: Exchange,
    /// True when lists that are still missing could name what was asked for.
    pub(super) may_come: bool,
}

impl NotRelayed {
    /// A request that is wrong in itself.
    pub(super) fn refused(failure: Failure, exchange: Exchange) -> Box<Self> {
        Box::new(Self { failure, exchange, may_come: false })
    }

    /// A request whose target is not known.
    pub(super) fn unknown(failure: Failure, exchange: Exchange) -> Box<Self> {
        Box::new(Self { failure, exchange, may_come: true })
    }
}

/// Gives a request back that is wrong in itself.
pub(super) fn refuse(failure: Failure, exchange: Exchange) -> Relayed {
    Err(NotRelayed::refused(failure, exchange))
}

/// Gives a request back whose target is not known.
pub(super) fn unknown(failure: Failure, exchange: Exchange) -> Relayed {
    Err(NotRelayed::unknown(failure, exchange))
}
