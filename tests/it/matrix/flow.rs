//! What happens while a call runs: progress, log messages, cancellation.
//!
//! Hostile orders of these are in `progress.rs` and `cancel.rs`.

use crate::matrix::cell::Cell;
use crate::support::driver::Era;
use crate::support::eventually::eventually;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeSet;

pub fn progress(cell: &Cell<'_>) {
    let token = json!(format!("token of {}", cell.peer.name));
    let mut params = cell.params("slow_progress", json!({ "n": 3, "ms": 1 }));
    params["_meta"] = json!({ "progressToken": token });
    let id = cell.client().begin("tools/call", params);
    assert_eq!(cell.client().answer(&id).text(), "done");
    let all = cell.client().messages();
    let ours = |one: &&crate::support::message::Message| one.json["params"]["progressToken"] == token;
    let steps: Vec<&Value> = all.iter().filter(ours).map(|one| &one.json["params"]["progress"]).collect();
    assert_eq!(steps, [1, 2, 3]);
    let last = all.iter().rposition(|one| ours(&one)).expect("progress came");
    assert!(all.iter().position(|one| one.answers(&id)).expect("the answer came") > last);
}

pub fn log(cell: &Cell<'_>) {
    let client = cell.client();
    let lines = || {
        let all = client.notifications("notifications/message");
        all.iter().filter(|one| one.raw.contains("\"a log line\"")).count()
    };
    let before = lines();
    let mut quiet = cell.params("log", json!({ "level": "error" }));
    if cell.modern_client() {
        client.request("tools/call", quiet.clone()).result();
        quiet["_meta"] = json!({ "io.modelcontextprotocol/logLevel": "warning" });
    } else {
        client.request("logging/setLevel", json!({ "level": "warning" })).result();
    }
    let loud = quiet;
    let mut quiet = loud.clone();
    quiet["arguments"]["level"] = json!("info");
    client.request("tools/call", quiet).result();
    client.request("tools/call", loud).result();
    eventually("the log line is there", || lines() > before);
    assert_eq!(lines(), before + 1, "only what is at least as severe as the client wants");
}

pub fn cancel(cell: &Cell<'_>) {
    let client = cell.client();
    // A legacy server over HTTP hears of it twice: it is told, and its response is given up.
    let cancelled =
        || cell.bed.conf.ledger("cancelled", cell.peer.name).into_iter().collect::<BTreeSet<_>>().len();
    let before = cancelled();
    let id = client.begin("tools/call", cell.params("hang", json!({})));
    eventually("the server has the call", || cell.ledger("call", "hang") == 1);
    let other = client.begin("tools/call", cell.params("echo", json!({})));
    if cell.peer.era == Era::Legacy || cell.peer.behind == crate::support::driver::Transport::Http {
        client.answer(&other).result();
    }
    client.cancel(&id);
    eventually("the server hears of it", || cancelled() == before + 1);
    client.answer(&other).result();
    cell.call("pid", json!({})).result();
    assert!(!client.messages().iter().any(|one| one.answers(&id)), "a cancelled request has no answer");
    assert_eq!(cancelled(), before + 1, "nothing else was cancelled");
}
