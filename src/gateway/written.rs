//! How messages to clients that are no answers are written.
//!
//! It sends nothing.

use crate::wire::members::write_string;
use crate::wire::pending::Question;

/// Writes a notification. `params` is JSON text.
pub fn write_notification(out: &mut Vec<u8>, method: &str, params: Option<&str>) {
    out.extend_from_slice(br#"{"jsonrpc":"2.0","method":"#);
    write_string(out, method);
    if let Some(params) = params {
        out.extend_from_slice(br#","params":"#);
        out.extend_from_slice(params.as_bytes());
    }
    out.push(b'}');
}

/// Writes a request of a server under our id `id` (JSON text).
pub fn write_request(out: &mut Vec<u8>, id: &str, question: &Question<'_>) {
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    out.extend_from_slice(id.as_bytes());
    out.extend_from_slice(br#","method":"#);
    write_string(out, question.method);
    out.extend_from_slice(br#","params":"#);
    out.extend_from_slice(question.params.unwrap_or("{}").as_bytes());
    out.push(b'}');
}
