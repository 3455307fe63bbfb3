//! Any bytes of a server: nothing panics, the call that they are an answer to gets exactly one answer, what the client
//! sees are messages, and the next call is answered too.
//!
//! Fuzzing calls [`check`] too. `$id` in the bytes stands for the id of the call, `$end` for the end of the server.

use crate::frames::BOUNDS;
use crate::frames::Bed;
use crate::oracle::Answers;
use crate::oracle::Expected;
use crate::peer::Peers;
use std::cell::RefCell;
use std::sync::Arc;

/// No breaker: it would keep most calls from their servers.
pub const CONFIG: &str = r#"{
    "gateway": { "drainTimeout": "500ms", "limits": { "listItems": 100 }, "breaker": { "failures": 0 } },
    "mcpServers": {
        "a": { "command": "a", "callTimeoutMs": 50, "startTimeoutMs": 1000 },
        "b": { "command": "b", "callTimeoutMs": 50, "startTimeoutMs": 1000, "era": "modern" }
    }
}"#;

/// A client that can be asked everything, and two calls.
const CALLS: &str = concat!(
    r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","#,
    r#""capabilities":{"roots":{},"sampling":{},"elicitation":{}},"clientInfo":{"name":"c","version":"1"}}}"#,
    "\n",
    r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
    "\n",
    r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"a__script","_meta":{"progressToken":1}}}"#,
    "\n",
    r#"{"jsonrpc":"2.0","id":"b","method":"tools/call","params":{"name":"b__script","_meta":{"progressToken":2}}}"#,
    "\n",
);

const NEXT: &str = concat!(
    r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"a__echo"}}"#,
    "\n",
    r#"{"jsonrpc":"2.0","id":"b","method":"tools/call","params":{"name":"b__echo"}}"#,
);

struct Scripted {
    bed: Bed,
    peers: Arc<Peers>,
}

thread_local! {
    static SCRIPTED: RefCell<Scripted> = RefCell::new(Scripted::new());
}

impl Scripted {
    fn new() -> Self {
        let peers = Arc::new(Peers::default());
        Self { bed: Bed::of(CONFIG, peers.clone()), peers }
    }

    fn answers(&self, stream: &str) -> String {
        let written = self.bed.run(stream.as_bytes());
        Expected::of(stream.as_bytes(), BOUNDS).compare(&Answers::of(&written));
        String::from_utf8_lossy(&written).into_owned()
    }
}

/// Both servers say `bytes` when they are called.
pub fn check(bytes: &[u8]) {
    SCRIPTED.with_borrow_mut(|scripted| {
        scripted.peers.say(bytes);
        let mut seen = scripted.answers(CALLS);
        if seen.contains("tried again on a call") {
            // It has ended too often to be started now: nothing was checked.
            *scripted = Scripted::new();
            scripted.peers.say(bytes);
            seen = scripted.answers(CALLS);
        }
        assert!(!seen.contains("tried again on a call"), "{seen}");
        scripted.answers(NEXT);
    });
}
