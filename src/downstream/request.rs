//! A request on its way to a server: what the client sent, and what changes on the way.
//!
//! Changed are the exposed name (to the server's own), the hop-by-hop keys of `_meta`, and nothing else.

use crate::protocol::legacy;
use crate::protocol::modern;
use crate::protocol::param_header::ParamHeader;
use crate::protocol::version::Era;
use crate::protocol::version::NEWEST_MODERN;
use crate::wire::members::Edit;
use crate::wire::members::Members;
use crate::wire::members::write_object;
use crate::wire::members::write_string;
use crate::wire::meta;

/// A request with borrowed parts; nothing is copied until it is written into a frame.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method, the same on both hops.
    pub method: &'a str,
    /// The params as the client sent them.
    pub params: &'a Members<'a>,
    /// Their `_meta`.
    pub meta: Option<&'a Members<'a>>,
    /// A member of the params whose value becomes this JSON text.
    pub replace: Option<(&'a str, &'a str)>,
    /// The server's own name of the tool or prompt, or the URI: what `Mcp-Name` says on modern HTTP.
    pub target: Option<&'a str>,
    /// The arguments that modern HTTP repeats in headers.
    pub param_headers: &'a [ParamHeader],
    /// True when the client gave a progress token.
    pub wants_progress: bool,
    /// What a modern server is told of the client: capabilities as JSON text.
    pub capabilities: &'a str,
    /// The level of log messages the client wants with this request.
    pub log_level: Option<&'a str>,
}

impl<'a> Request<'a> {
    /// A request of the gateway's own, without a client behind it.
    #[must_use]
    pub fn own(method: &'a str, params: &'a Members<'a>, capabilities: &'a str) -> Self {
        Self {
            method,
            params,
            meta: None,
            replace: None,
            target: None,
            param_headers: &[],
            wants_progress: false,
            capabilities,
            log_level: None,
        }
    }

    /// Writes the whole JSON-RPC request with our id `id`, without a line break at the end.
    pub fn write(&self, out: &mut Vec<u8>, era: Era, id: u64) {
        out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
        write_number(out, id);
        out.extend_from_slice(br#","method":"#);
        write_string(out, self.method);
        out.extend_from_slice(br#","params":"#);
        self.write_params(out, era, id);
        out.push(b'}');
    }

    /// Writes the params alone. The progress token is our id, unique among the calls in flight of a connection.
    pub fn write_params(&self, out: &mut Vec<u8>, era: Era, id: u64) {
        let mut edited = Vec::new();
        let has_meta = match (era, self.wants_progress, self.meta) {
            (Era::Legacy, false, None) => false,
            _ => self.write_meta(&mut edited, era, id),
        };
        let edit = |key: &str| match self.replace {
            Some((member, text)) if member == key => Edit::Replace(text.as_bytes()),
            _ if key == meta::META => Edit::Drop,
            _ => Edit::Keep,
        };
        let with_meta = [(meta::META, edited.as_slice())];
        write_object(out, self.params, edit, if has_meta { &with_meta } else { &[] });
    }

    fn write_meta(&self, out: &mut Vec<u8>, era: Era, id: u64) -> bool {
        let token = id.to_string();
        let level = self.log_level.map(|level| serde_json::to_string(level).unwrap_or_default());
        let version = format!("\"{NEWEST_MODERN}\"");
        let mut added: Vec<(&str, &[u8])> = Vec::with_capacity(5);
        if self.wants_progress {
            added.push((meta::PROGRESS_TOKEN, token.as_bytes()));
        }
        if era == Era::Modern {
            added.push((modern::PROTOCOL_VERSION, version.as_bytes()));
            added.push((modern::CLIENT_INFO, legacy::implementation().as_bytes()));
            added.push((modern::CLIENT_CAPABILITIES, self.capabilities.as_bytes()));
            if let Some(level) = &level {
                added.push((modern::LOG_LEVEL, level.as_bytes()));
            }
        }
        meta::write(out, self.meta, &added)
    }
}

/// Writes a decimal number.
pub fn write_number(out: &mut Vec<u8>, number: u64) {
    use std::io::Write;
    write!(out, "{number}").expect("writing to memory cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(params: &str, era: Era, wants_progress: bool) -> String {
        let params = Members::parse(params).unwrap();
        let meta = meta::of(&params).unwrap();
        let request = Request {
            meta: meta.as_ref(),
            replace: Some(("name", "\"read\"")),
            wants_progress,
            ..Request::own("tools/call", &params, "{}")
        };
        let mut out = Vec::new();
        request.write(&mut out, era, 7);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_the_name_and_the_keys_of_this_hop_change() {
        assert_eq!(
            written(r#"{"name":"fs__read","arguments":{"n":1e2},"odd":null}"#, Era::Legacy, false),
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read","arguments":{"n":1e2},"odd":null}}"#
        );
        assert_eq!(
            written(r#"{"name":"x","_meta":{"progressToken":"t","v/k":1}}"#, Era::Legacy, true),
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read","_meta":{"v/k":1,"progressToken":7}}}"#
        );
    }

    #[test]
    fn a_modern_server_is_told_our_revision_and_the_clients_capabilities() {
        let text = written(r#"{"name":"x"}"#, Era::Modern, false);
        assert!(text.contains(r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#), "{text}");
        assert!(text.contains(r#""io.modelcontextprotocol/clientCapabilities":{}"#), "{text}");
    }
}
