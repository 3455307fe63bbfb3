//! Who somebody is taken for: the agent that a request names, and the names of clients on stdio.

use crate::access::rig::bearer;
use crate::access::rig::folder;
use crate::access::rig::gateway;
use crate::access::rig::status;
use crate::support::gateway::Gateway;
use serde_json::json;
use sha2::Digest as _;
use sha2::Sha256;

#[test]
fn only_a_credential_that_may_names_an_agent() {
    let hash = |key: &str| {
        let digits: String = Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{digits}")
    };
    let gateway = gateway(&json!({ "auth": { "keys": [
        { "id": "free", "hash": hash("free-key"), "mayNameAgent": true },
        { "id": "bound", "hash": hash("bound-key"), "agent": "reporter" },
        { "id": "plain", "hash": hash("plain-key") },
    ] } }));
    let with = |key: &str, agent: &str| status(&gateway, &format!("{}{agent}", bearer(key)));
    for (key, agent, expected) in [
        ("free-key", "", 200),
        ("free-key", "x-agent-id: anything\r\n", 200),
        ("free-key", "x-agent-id: \r\n", 400),
        ("free-key", "x-agent-id: a\r\nx-agent-id: b\r\n", 400),
        ("bound-key", "", 200),
        ("bound-key", "X-Agent-Id: reporter\r\n", 200),
        ("bound-key", "x-agent-id: other\r\n", 403),
        ("plain-key", "x-agent-id: other\r\n", 403),
        ("wrong-key", "x-agent-id: other\r\n", 401),
    ] {
        assert_eq!(with(key, agent), expected, "{key} {agent:?}");
    }
}

#[test]
fn a_client_on_stdio_is_who_it_says_if_there_is_such_a_caller() {
    let section = json!({ "callers": { "nightly": { "team": "data" } } });
    for shared in [false, true] {
        let conf = folder(&section);
        let start = |args: &[&str]| {
            let gateway = Gateway::on(&conf).args(args);
            if shared { gateway.shared().stdio() } else { gateway.stdio() }
        };
        let client = start(&["--as", "nightly"]).legacy();
        assert!(client.request("tools/list", json!({})).raw.contains("a__"));
        let nobody = start(&["--as", "nightlx"]);
        assert_eq!(nobody.exit().code(), Some(1), "{}", nobody.stderr());
        let said = nobody.stderr();
        assert!(said.contains("no `nightlx`") && said.contains("did you mean `nightly`"), "{said}");
    }
}
