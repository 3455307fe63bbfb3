//! Clients of older revisions over stdio: they get their own revision, list and call.
//!
//! What newer revisions added is not tried with them.

use crate::support::bed::Bed;
use crate::support::bed::PEERS;
use crate::support::driver::Driver;
use crate::support::driver::Era;
use crate::support::driver::Transport;
use crate::support::gateway::Gateway;
use serde_json::json;

#[test]
fn clients_of_older_revisions_list_and_call() {
    let bed = Bed::start((Era::Legacy, Transport::Stdio), json!({}), |_, _| Vec::new());
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let client = Driver::of_version(Gateway::on(&bed.conf), version);
        let tools = client.request("tools/list", json!({})).tools();
        for peer in &PEERS {
            assert!(tools.contains(&peer.name_of("echo")), "{version}: {peer:?}");
            let answer = client.call(&peer.name_of("echo"), json!({ "a": 1 }));
            assert_eq!(answer.text(), r#"{"a":1}"#, "{version}: {peer:?}");
            assert!(answer.result().get("resultType").is_none(), "{version}: {peer:?}");
        }
    }
}
