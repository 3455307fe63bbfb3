//! The calls that make up a load.
//!
//! It does not send them; see `piped.rs` and `web.rs`.

use crate::random::Random;
use crate::support::tempconf::Fake;
use crate::support::tempconf::TempConf;
use serde_json::json;

/// The one tool of the servers under load; see `examples/fake-mcp/load.rs`.
pub const TOOL: &str = "load";

/// What a modern request carries in `_meta`.
const META: &str = concat!(
    r#","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","#,
    r#""io.modelcontextprotocol/clientCapabilities":{},"#,
    r#""io.modelcontextprotocol/clientInfo":{"name":"soak","version":"1"}}"#
);

/// A call about to be made: which server, and how long it takes there.
#[derive(Clone, Copy)]
pub struct Draw {
    /// The index of the server.
    pub target: usize,
    /// Milliseconds.
    pub ms: u64,
}

impl Draw {
    /// Any of the first `targets` servers, from `least` to `most` milliseconds.
    pub fn any(random: &mut Random, targets: usize, least: u64, most: u64) -> Self {
        Self { target: random.below(targets as u64) as usize, ms: random.between(least, most) }
    }
}

/// Which era a client speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// With a handshake.
    Legacy,
    /// Without one.
    Modern,
}

impl Era {
    /// A request, `id` as it is to stand there.
    pub fn request(self, id: &str, method: &str, params: &str) -> String {
        let meta = match self {
            Self::Legacy => "",
            Self::Modern if params.is_empty() => &META[1..],
            Self::Modern => META,
        };
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{{params}{meta}}}}}"#)
    }

    /// A call of the tool of a server.
    pub fn call(self, id: &str, server: &str, tag: &str, ms: u64) -> String {
        let params = format!(r#""name":"{server}__{TOOL}","arguments":{{"tag":"{tag}","ms":{ms}}}"#);
        self.request(id, "tools/call", &params)
    }

    /// The same with a progress token, which is the id.
    pub fn call_with_progress(self, id: &str, server: &str, tag: &str, ms: u64) -> String {
        let call = self.call(id, server, tag, ms);
        let token = format!(r#""progressToken":{id}"#);
        match self {
            Self::Legacy => call.replace("}}}", &format!(r#"}},"_meta":{{{token}}}}}}}"#)),
            Self::Modern => call.replace(r#""_meta":{"#, &format!(r#""_meta":{{{token},"#)),
        }
    }
}

/// An entry for a server under load.
pub fn server(conf: &TempConf, name: &str, more: &[&str]) -> Fake {
    let usual = ["--name", name, "--tool", TOOL, "--forgetful", "--prompts", "0", "--resources", "0"];
    let args: Vec<&str> = usual.iter().chain(more).copied().collect();
    conf.fake(name).set("args", json!(args))
}
