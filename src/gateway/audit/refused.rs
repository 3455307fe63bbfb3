//! What is written down of a client that was not let in, or not to what it asked for: who, where, why, and how often.
//!
//! Nothing of what it showed is written, and a flood of such requests is a few lines: those of one network with one
//! outcome are counted together.

use crate::auth::caller::Caller;
use crate::auth::failures::network;
use crate::gateway::audit::verdict::Decision;
use crate::gateway::audit::verdict::Ending;
use crate::telemetry::audit::tally::Count;
use crate::telemetry::audit::tally::Say;
use crate::telemetry::audit::time::rfc3339;
use crate::telemetry::clean::seen_json;
use serde::Serialize;
use std::net::IpAddr;
use std::time::SystemTime;

/// The status of one who showed too much that was wrong.
const TOO_MANY: u16 = 429;

/// A request that the HTTP front refused.
#[derive(Debug)]
pub struct RefusedClient<'a> {
    /// From where it came.
    pub peer: IpAddr,
    /// Who sent it, as far as that is known.
    pub caller: Option<&'a Caller>,
    /// The HTTP method.
    pub method: &'static str,
    /// What was asked for.
    pub route: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What the client was told; it holds nothing of what it showed.
    pub reason: &'a str,
}

/// One line.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    event: &'static str,
    decision: Decision,
    outcome: Ending,
    front: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'static str>,
    code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<u64>,
}

/// The same, to be kept until what follows it was counted.
struct Kept {
    peer: IpAddr,
    caller: Option<Caller>,
    method: &'static str,
    route: &'static str,
    status: u16,
    reason: String,
}

impl RefusedClient<'_> {
    /// Requests of one kind are counted together.
    #[must_use]
    pub fn kind(&self) -> String {
        let who = self.caller.map(Caller::name).unwrap_or_default();
        format!("{} {} {who}", self.status, network(self.peer))
    }

    /// Makes the lines for requests of this kind.
    #[must_use]
    pub fn say(&self) -> Say {
        let kept = Kept::of(self);
        Box::new(move |count| kept.line(count))
    }
}

impl Kept {
    fn of(refused: &RefusedClient<'_>) -> Self {
        let RefusedClient { peer, caller, method, route, status, reason } = *refused;
        Self { peer, caller: caller.cloned(), method, route, status, reason: reason.to_owned() }
    }

    fn line(&self, count: Count) -> String {
        // Of others than the first nothing is known but what made them one kind.
        let is_one = count == Count::First;
        let caller = self.caller.as_ref().filter(|_| !matches!(count, Count::Others(_)));
        let line = Line {
            time: rfc3339(SystemTime::now()),
            event: "refused",
            decision: if self.status == TOO_MANY { Decision::Limited } else { Decision::Denied },
            outcome: Ending::Error,
            front: "http",
            peer: (!matches!(count, Count::Others(_))).then_some(self.peer),
            caller: caller.map(Caller::name),
            principal: caller.and_then(Caller::identity).map(|identity| &*identity.principal),
            method: is_one.then_some(self.method),
            route: is_one.then_some(self.route),
            code: self.status,
            reason: is_one.then_some(&*self.reason),
            more: match count {
                Count::First => None,
                Count::More(more) | Count::Others(more) => Some(more),
            },
        };
        // Such a line is made of texts and numbers: this cannot fail.
        seen_json(&serde_json::to_string(&line).unwrap_or_default())
    }
}
