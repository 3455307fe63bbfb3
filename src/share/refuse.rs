//! What a client is told when its gateway has ended: errors for what was in flight, and for what nobody could be given.
//!
//! It asks nobody: that nothing was run is what the caller knows.

use crate::share::journal::DEPTH;
use crate::share::journal::Parting;
use crate::share::journal::each_line;
use crate::wire::batch;
use crate::wire::message;
use crate::wire::message::Message;

/// The code of what went wrong between a client and its servers.
const LOST: i32 = -32000;

const ENDED: &str = "the gateway that this user's clients share has ended while the call was in flight; it may have run and \
                     is not made again";

/// What a client is told that it will not hear of any more.
#[must_use]
pub fn farewell(parting: &Parting) -> String {
    let mut text = String::new();
    for id in &parting.lost {
        text.push_str(&format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{{\"code\":{LOST},\"message\":\"{ENDED}\"}}}}\n"
        ));
    }
    for id in &parting.moot {
        text.push_str(&format!(
            "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{{\"requestId\":{id},\
             \"reason\":\"the gateway that asked has ended\"}}}}\n"
        ));
    }
    text
}

/// An answer for each request in `lines`, a line each; those of a batch together.
#[must_use]
pub fn refusals(lines: &[u8], why: &str) -> String {
    let why =
        format!("the gateway that this user's clients share cannot be had: {why}; the request was not run");
    let error = serde_json::json!({ "code": LOST, "message": why }).to_string();
    let answer = |id: String| format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{error}}}");
    let mut text = String::new();
    each_line(lines, |line| {
        if batch::is_batch(line) {
            let entries = batch::split(line).unwrap_or_default();
            let ids = entries.iter().filter_map(|entry| request(entry.get().as_bytes()));
            let answers = ids.map(answer).collect::<Vec<_>>().join(",");
            if !answers.is_empty() {
                text += &format!("[{answers}]\n");
            }
        } else if let Some(id) = request(line) {
            text += &(answer(id) + "\n");
        }
    });
    text
}

/// Its id, as JSON text.
fn request(line: &[u8]) -> Option<String> {
    match message::parse(line, DEPTH) {
        Ok(Message::Request { id, .. }) => Some(id.get().to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_has_an_answer_and_nothing_else_has() {
        let lines = [
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            r#"{"jsonrpc":"2.0","id":9,"result":{}}"#,
            r#"[{"jsonrpc":"2.0","id":"a","method":"ping"},{"jsonrpc":"2.0","id":"b","method":"ping"}]"#,
            "nothing",
        ];
        let text = refusals(lines.join("\n").as_bytes(), "it is \"away\"");
        let answers: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(answers.len(), 2);
        assert_eq!(answers[0]["id"], 1);
        assert!(
            answers[0]["error"]["message"]
                .as_str()
                .unwrap()
                .contains("it is \"away\"; the request was not run")
        );
        assert_eq!((&answers[1][0]["id"], &answers[1][1]["id"]), (&"a".into(), &"b".into()));
    }
}
