//! Which era a request belongs to.
//!
//! It decides nothing: what differs between the eras is written where it happens.

use rmcp::RoleServer;
use rmcp::service::RequestContext;

/// Whether this request came without a handshake, and so carries all it needs itself.
pub fn is_modern(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_some_and(|version| !version.has_initialize())
}
