//! Arguments that modern HTTP repeats in headers: compared in front, written behind.
//!
//! Which annotations count, and how values are encoded, is tested beside the code.

use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::http_client::HttpClient;
use crate::support::stdio_client::with_modern_meta;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;

/// A gateway over one modern HTTP server.
fn gateway() -> (crate::support::tempconf::HttpFake, HttpGateway) {
    let conf = TempConf::new();
    let web = conf.http_fake("web", &["--era", "modern"]);
    conf.write(&servers([("web", web.entry())]));
    (web, Gateway::on(&conf).http())
}

fn call(client: &HttpClient, arguments: Value, header: &str, status: u16) -> Vec<String> {
    let params = with_modern_meta(json!({ "name": "web__headers", "arguments": arguments }));
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
    let mut headers = vec![("mcp-method", "tools/call"), ("mcp-name", "web__headers")];
    headers.extend((!header.is_empty()).then_some(("mcp-param-region", header)));
    let answer = client.post(&body, &headers).expect(status).answer();
    if status == 200 {
        return answer.texts().into_iter().filter(|line| line.to_lowercase().contains("mcp-param")).collect();
    }
    assert_eq!(answer.error_code(), -32020);
    Vec::new()
}

#[test]
fn an_annotated_argument_is_compared_in_front_and_repeated_behind() {
    let (_web, gateway) = gateway();
    let client = gateway.modern();
    client.request("tools/list", json!({})).result();
    assert_eq!(call(&client, json!({ "region": "north" }), "north", 200), ["mcp-param-region: north"]);
    assert_eq!(
        call(&client, json!({ "region": "ä" }), "=?base64?w6Q=?=", 200),
        ["mcp-param-region: =?base64?w6Q=?="]
    );
    assert_eq!(call(&client, json!({}), "", 200), [""; 0]);
    call(&client, json!({ "region": "north" }), "", 400);
    call(&client, json!({ "region": "north" }), "south", 400);
    call(&client, json!({}), "north", 400);
}

#[test]
fn a_legacy_client_repeats_nothing_and_the_server_gets_it_all_the_same() {
    let (_web, gateway) = gateway();
    let client = gateway.legacy();
    client.request("tools/list", json!({})).result();
    let answer = client.call("web__headers", json!({ "region": "north" }));
    assert!(answer.texts().contains(&"mcp-param-region: north".to_owned()), "{:?}", answer.texts());
}
