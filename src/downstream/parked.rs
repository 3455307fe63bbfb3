//! A call that waits for its server to start.
//!
//! It owns copies of what it needs, because the client's buffer is reused long before the server is ready.

use crate::config::model::Server;
use crate::downstream::connect::LinkLimits;
use crate::downstream::request::Request;
use crate::protocol::param_header::ParamHeader;
use crate::wire::members::Members;
use crate::wire::meta;
use crate::wire::pending::Patience;
use crate::wire::pending::Waiter;

/// A request with everything it needs to be sent later.
pub struct ParkedCall {
    method: String,
    params: String,
    replace: Option<(String, String)>,
    target: Option<String>,
    param_headers: Vec<ParamHeader>,
    wants_progress: bool,
    capabilities: String,
    log_level: Option<String>,
    /// Who waits for the answer.
    pub waiter: Box<dyn Waiter>,
    /// How long it may take once it is sent.
    pub patience: Patience,
}

impl ParkedCall {
    /// Copies `request`.
    #[must_use]
    pub fn new(request: &Request<'_>, waiter: Box<dyn Waiter>, patience: Patience) -> Self {
        Self {
            method: request.method.to_owned(),
            params: request.params.raw().to_owned(),
            replace: request.replace.map(|(member, text)| (member.to_owned(), text.to_owned())),
            target: request.target.map(str::to_owned),
            param_headers: request.param_headers.to_vec(),
            wants_progress: request.wants_progress,
            capabilities: request.capabilities.to_owned(),
            log_level: request.log_level.map(str::to_owned),
            waiter,
            patience,
        }
    }

    /// The method that is called.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The server's own name of what is called.
    #[must_use]
    pub fn target(&self) -> Option<&str> {
        self.target.as_deref()
    }

    /// Gives the request to `send`, together with the waiter.
    pub fn release<R>(self, send: impl FnOnce(&Request<'_>, Box<dyn Waiter>, Patience) -> R) -> R {
        // It was parsed once already, so neither can fail; an empty object would be sent if they did.
        let params = Members::parse(&self.params).unwrap_or_else(|_| Members::empty());
        let found = meta::of(&params).unwrap_or_default();
        let request = Request {
            method: &self.method,
            params: &params,
            meta: found.as_ref(),
            replace: self.replace.as_ref().map(|(member, text)| (member.as_str(), text.as_str())),
            target: self.target.as_deref(),
            param_headers: &self.param_headers,
            wants_progress: self.wants_progress,
            capabilities: &self.capabilities,
            log_level: self.log_level.as_deref(),
        };
        send(&request, self.waiter, self.patience)
    }
}

/// One more call may wait for the start of `server`: they take no more room than calls to one that does not read.
#[must_use]
pub fn has_room(waiting: &[ParkedCall], server: &Server, limits: &LinkLimits) -> bool {
    let bytes: usize = waiting.iter().map(|parked| parked.params.len()).sum();
    waiting.len() < server.max_in_flight && bytes <= limits.queue_bytes
}
