//! Entries with a `url` and no `type`: what is spoken is found out.

use crate::support::gateway::Gateway;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::json;

#[test]
fn an_old_server_is_found_out_once() {
    let conf = TempConf::new();
    let tools = ["--tool", "cut", "--tool", "echo"];
    let fake = conf.web_fake("old", "--old-sse", &tools);
    conf.write(&servers([("old", fake.entry_for("", "http", "/sse"))]));
    let client = conf.legacy();
    client.call("old__echo", json!({})).result();
    let asked = conf.ledger("wrong", "old").len();
    assert!(asked > 0, "it was not asked for Streamable HTTP first");
    client.call("old__cut", json!({})).error_text();
    client.call("old__echo", json!({})).result();
    assert_eq!(conf.ledger("wrong", "old").len(), asked, "it was asked again");
}

#[test]
fn a_streamable_server_is_not_taken_for_an_old_one() {
    for era in ["legacy", "modern"] {
        let conf = TempConf::new();
        let fake = conf.http_fake("new", &["--era", era]);
        conf.write(&servers([("new", fake.entry_for("", "http", "/mcp"))]));
        conf.legacy().call("new__echo", json!({})).result();
    }
}

#[test]
fn both_attempts_are_told() {
    let conf = TempConf::new();
    let fake = conf.web_fake("old", "--old-sse", &[]);
    conf.write(&servers([("old", fake.entry_for("", "http", "/elsewhere"))]));
    let client = Gateway::on(&conf).stdio().legacy();
    let told = client.call("old__echo", json!({})).error_text().to_owned();
    assert!(told.contains("over Streamable HTTP it answered HTTP 405"), "{told}");
    assert!(told.contains("as an HTTP+SSE server it answered HTTP 405"), "{told}");
}

#[test]
fn credentials_that_are_missing_are_no_reason_for_another_transport() {
    let conf = TempConf::new();
    let fake = conf.web_fake("old", "--old-sse", &["--bearer", "k"]);
    conf.write(&servers([("old", fake.entry_for("", "http", "/sse"))]));
    let client = Gateway::on(&conf).stdio().legacy();
    let told = client.call("old__echo", json!({})).error_text().to_owned();
    assert!(told.contains("wants credentials"), "{told}");
    assert!(conf.ledger("refused", "old").iter().all(|line| line.ends_with("POST")));
}
