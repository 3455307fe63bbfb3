//! Who somebody is taken for: the agent that a request names, and the names of clients on stdio.

use crate::access::rig::JSON;
use crate::access::rig::MODERN;
use crate::access::rig::bearer;
use crate::access::rig::begin;
use crate::access::rig::folder;
use crate::access::rig::gateway;
use crate::access::rig::modern;
use crate::access::rig::start;
use crate::access::rig::status;
use crate::support::eventually::eventually;
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
        assert_eq!(said.matches("did you mean").count(), 1, "told once: {said}");
    }
}

#[test]
fn a_caller_has_one_count_whichever_agents_it_names() {
    let digits: String = Sha256::digest("free-key").iter().map(|byte| format!("{byte:02x}")).collect();
    let key = json!({ "id": "free", "hash": format!("sha256:{digits}"), "mayNameAgent": true });
    let conf = folder(&json!({ "auth": { "keys": [key] }, "rates": { "perCaller": { "inFlight": 1 } } }));
    let gateway = start(&conf);
    let call = |agent: &str| {
        let params = json!({ "name": "a__sleep", "arguments": { "ms": 3000 } });
        let headers = format!(
            "{JSON}{MODERN}mcp-method: tools/call\r\nmcp-name: a__sleep\r\nx-agent-id: {agent}\r\n{}",
            bearer("free-key")
        );
        begin(&gateway, "POST", "/mcp", &headers, &modern("tools/call", params))
    };
    let runs = call("first");
    eventually("it runs", || conf.ledger("call", "a").len() == 1);
    for agent in ["second", "first", "third"] {
        let refused = call(agent).head();
        let after = refused.header("retry-after").map(str::to_owned);
        let answer = refused.answer();
        let text = answer.error_text();
        assert!(text.contains("1 request in flight (`gateway.rates.perCaller.inFlight`)"), "{text}");
        assert_eq!((&answer.json["error"]["data"]["retryAfter"], after.as_deref()), (&json!(1), Some("1")));
    }
    runs.head().answer().result();
    assert_eq!(conf.ledger("call", "a").len(), 1);
}
