//! What clients see of all servers together.
//!
//! That no process is started for it is in `lazy.rs`.

use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::message::Message;
use crate::support::stdio_client::StdioClient;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;

/// Follows the cursors of a list.
fn all_pages(client: &StdioClient, method: &str, member: &str) -> (usize, Vec<Value>) {
    let (mut pages, mut items, mut params) = (0, Vec::new(), json!({}));
    loop {
        let answer = client.request(method, params);
        pages += 1;
        items.extend(answer.result()[member].as_array().expect("a list").iter().cloned());
        match answer.result().get("nextCursor") {
            Some(cursor) => params = json!({ "cursor": cursor }),
            None => return (pages, items),
        }
    }
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

#[test]
fn lists_of_all_servers_are_merged_renamed_and_sorted() {
    let conf = TempConf::with(|conf| {
        servers([
            ("b", conf.fake("b").tools(&["zeta", "alpha"])),
            ("a", conf.fake("a").tools(&["pid", "echo"])),
        ])
    });
    let client = Gateway::on(&conf).stdio().legacy();
    let tools = client.request("tools/list", json!({})).tools();
    assert_eq!(tools, ["a__echo", "a__pid", "b__alpha", "b__zeta"]);
    let prompts = client.request("prompts/list", json!({})).keys("prompts", "name");
    assert_eq!(prompts, ["a__greet", "b__greet"]);
    let resources = client.request("resources/list", json!({})).keys("resources", "uri");
    assert_eq!(resources, ["fake-a://item/0", "fake-a://item/1", "fake-b://item/0", "fake-b://item/1"]);
    let templates =
        client.request("resources/templates/list", json!({})).keys("resourceTemplates", "uriTemplate");
    assert_eq!(templates, ["fake-a://by-name/{name}", "fake-b://by-name/{name}"]);
}

#[test]
fn unknown_members_of_listed_items_pass_in_both_eras() {
    let conf = TempConf::with(|conf| {
        servers([
            ("old", conf.fake("old").tools(&["echo"])),
            ("new", conf.fake("new").modern().tools(&["echo"])),
        ])
    });
    for client in [conf.legacy(), conf.modern()] {
        let raw = client.request("tools/list", json!({})).raw;
        for name in ["old", "new"] {
            let item = concat!(
                r#""inputSchema":{"type":"object","x-schema":1e2},"annotations":{"readOnlyHint":true,"x-odd":null},"#,
                r#""x-unknown":{"big":123456789012345678901234567890,"owner":"NAME"},"_meta":{"vendor/keep":1e2}}"#
            );
            assert!(raw.contains(&item.replace("NAME", name)), "{name}: {raw}");
        }
        let prompts = client.request("prompts/list", json!({})).raw;
        assert!(
            prompts
                .contains(r#""arguments":[{"name":"who","required":true,"x-unknown":1e2}],"x-unknown":1e2"#)
        );
        let resources = client.request("resources/list", json!({})).raw;
        assert!(resources.contains(r#""size":1e2,"x-unknown":[]"#), "{resources}");
    }
}

#[test]
fn pages_of_a_server_are_walked_to_the_end() {
    let conf =
        TempConf::with(|conf| servers([("a", conf.fake("a").args(&["--tools", "25", "--pages", "4"]))]));
    let tools = Gateway::on(&conf).stdio().legacy().request("tools/list", json!({})).tools();
    let expected: Vec<String> = (0..25).map(|n| format!("a__tool_{n:04}")).collect();
    assert_eq!(tools, expected);
}

#[test]
fn a_server_with_endless_pages_does_not_hold_up_the_others() {
    let conf = TempConf::with(|conf| {
        let endless = conf.fake("endless").args(&["--endless-pages", "--pages", "1"]);
        let mut config = servers([("endless", endless), ("a", conf.fake("a").tools(&["echo"]))]);
        config["gateway"] = json!({ "limits": { "listPages": 20 } });
        config
    });
    let tools = Gateway::on(&conf).stdio().legacy().request("tools/list", json!({})).tools();
    assert!(tools.contains(&"a__echo".to_owned()), "{tools:?}");
}

#[test]
fn our_lists_are_paged_and_a_foreign_cursor_is_refused() {
    let conf = TempConf::with(|conf| {
        let a = conf.fake("a").args(&["--tools", "7", "--prompts", "5", "--resources", "4"]);
        let mut config = servers([("a", a)]);
        config["gateway"] = json!({ "limits": { "pageSize": 3 } });
        config
    });
    let client = conf.legacy();
    let (pages, tools) = all_pages(&client, "tools/list", "tools");
    assert_eq!((pages, tools.len()), (3, 7));
    let (pages, prompts) = all_pages(&client, "prompts/list", "prompts");
    assert_eq!((pages, prompts.len()), (2, 5));
    let (pages, resources) = all_pages(&client, "resources/list", "resources");
    assert_eq!((pages, resources.len()), (2, 4));
    assert_eq!(client.request("tools/list", json!({ "cursor": 7 })).error_code(), -32602);
}

#[test]
fn a_first_list_names_the_servers_that_did_not_come_in_time() {
    let conf = TempConf::with(|conf| {
        let mut config = servers([
            ("mute", conf.fake("mute").args(&["--silent"])),
            ("a", conf.fake("a").tools(&["echo"])),
        ]);
        config["gateway"] = json!({ "listTimeout": "500ms" });
        config
    });
    let answer = Gateway::on(&conf).stdio().legacy().request("tools/list", json!({}));
    assert_eq!(answer.tools(), ["a__echo"]);
    assert!(answer.result()["_meta"].to_string().contains("mute"), "{}", answer.raw);
}

#[test]
fn no_list_waits_for_the_next_start_of_a_server_that_failed_to_start() {
    let conf = TempConf::with(|conf| {
        let hung = conf.fake("hung").args(&["--silent"]).set("startTimeout", "1s");
        servers([("hung", hung), ("a", conf.fake("a").tools(&["echo"]))])
    });
    let gateway = Gateway::on(&conf).http();
    let client = gateway.legacy();
    let hung = || gateway.status()["servers"]["hung"].clone();
    eventually("the first start has failed", || hung()["state"] == "failed");
    eventually("a list is there before the next start is over", || {
        let answer = client.request("tools/list", json!({}));
        assert_eq!(answer.tools(), ["a__echo"]);
        assert!(answer.result()["_meta"].to_string().contains("hung"), "{}", answer.raw);
        hung()["state"] == "starting"
    });
}

#[test]
fn a_server_that_was_slow_shows_up_later_with_one_list_changed() {
    let conf = TempConf::with(|conf| {
        let slow = conf.fake("slow").tools(&["echo"]).args(&["--slow-start", "1200"]);
        let mut config = servers([("slow", slow), ("a", conf.fake("a").tools(&["echo"]))]);
        config["gateway"] = json!({ "listTimeout": "300ms" });
        config
    });
    let client = Gateway::on(&conf).stdio().legacy();
    assert_eq!(client.request("tools/list", json!({})).tools(), ["a__echo"]);
    client.wait("list_changed", |message| message.method() == "notifications/tools/list_changed");
    assert_eq!(client.request("tools/list", json!({})).tools(), ["a__echo", "slow__echo"]);
}

#[test]
fn a_server_that_cannot_start_leaves_the_others_in_the_list() {
    let conf = TempConf::with(|conf| {
        let broken = conf.fake("broken").args(&["--exit-at-start", "3"]);
        let missing = conf.fake("missing").set("command", "/nowhere/to-be-found");
        servers([("broken", broken), ("missing", missing), ("a", conf.fake("a").tools(&["echo"]))])
    });
    let answer = Gateway::on(&conf).stdio().legacy().request("tools/list", json!({}));
    assert_eq!(answer.tools(), ["a__echo"]);
}

#[test]
fn instructions_name_every_server_and_stay_short() {
    let conf = TempConf::with(|conf| {
        let a = conf.fake("a").set("description", "reads the letters");
        servers([("a", a), ("b", conf.fake("b").args(&["--instructions", &"long ".repeat(1000)]))])
    });
    conf.legacy();
    let client = Gateway::on(&conf).stdio();
    let text = client.initialize().result()["instructions"].as_str().expect("instructions").to_owned();
    assert!(text.contains("reads the letters") && text.contains("b"), "{text}");
    assert!(text.len() <= 2048, "{} bytes", text.len());
}

#[test]
fn modern_lists_carry_cache_hints_and_legacy_ones_do_not() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a").modern())]));
    let (legacy, modern) = (conf.legacy(), conf.modern());
    for method in ["tools/list", "prompts/list", "resources/list", "resources/templates/list"] {
        let answer = modern.request(method, json!({}));
        assert_eq!(answer.result()["resultType"], "complete", "{}", answer.short());
        assert!(
            answer.result()["ttlMs"].is_u64() && answer.result()["cacheScope"].is_string(),
            "{}",
            answer.short()
        );
        assert!(legacy.request(method, json!({})).result().get("resultType").is_none());
    }
}

#[test]
fn discover_describes_the_gateway_and_initialize_may_follow_on_the_same_pipe() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let client = Gateway::on(&conf).stdio();
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}
    });
    let answer = client.request("server/discover", json!({ "_meta": meta }));
    let versions = answer.result()["supportedVersions"].as_array().expect("versions").clone();
    assert!(versions.contains(&json!("2026-07-28")), "{}", answer.raw);
    assert_eq!(answer.result()["capabilities"]["tools"]["listChanged"], true);
    assert_eq!(answer.result()["resultType"], "complete");
    assert_eq!(client.initialize().result()["protocolVersion"], "2025-11-25");
}

#[test]
fn initialize_agrees_on_a_legacy_revision() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let agreed = |asked: &str| -> Message {
        let info = json!({ "name": "rig", "version": "1" });
        let params = json!({ "protocolVersion": asked, "capabilities": {}, "clientInfo": info });
        Gateway::on(&conf).stdio().request("initialize", params)
    };
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        assert_eq!(agreed(version).result()["protocolVersion"], version);
    }
    assert_eq!(agreed("2026-07-28").result()["protocolVersion"], "2025-11-25");
    assert_eq!(agreed("1999-01-01").result()["protocolVersion"], "2025-11-25");
}

#[test]
fn include_and_exclude_choose_the_tools() {
    let conf = TempConf::with(|conf| {
        let a = conf.fake("a").tools(&["read_one", "read_two", "write_one"]);
        let a = a.set("includeTools", json!(["read_*", "write_*"])).set("excludeTools", json!(["*_two"]));
        servers([("a", a), ("none", conf.fake("none").set("includeTools", json!([])))])
    });
    let client = conf.legacy();
    assert_eq!(client.request("tools/list", json!({})).tools(), ["a__read_one", "a__write_one"]);
    let text = |name: &str| client.call(name, json!({})).error_text().replace(name, "NAME");
    assert_eq!(text("a__read_two"), text("a__read_owt"), "an excluded tool is told from an unknown one");
    assert_eq!(client.call("a__read_two", json!({})).error_code(), -32602);
    assert!(conf.ledger("call", "a").is_empty());
}

#[test]
fn long_names_are_shortened_the_same_way_every_time_and_still_work() {
    let long = "a_tool_with_a_name_that_is_much_longer_than_any_client_accepts";
    let other = "a_tool_with_a_name_that_is_much_longer_than_any_client_acceptz";
    let conf = TempConf::with(|conf| {
        servers([
            ("a server with blanks", conf.fake("a").tools(&[long, other])),
            ("b", conf.fake("b").tools(&["pid"])),
        ])
    });
    let client = conf.legacy();
    let tools = client.request("tools/list", json!({})).tools();
    assert_eq!(tools.len(), 3);
    for name in &tools {
        assert!(
            name.len() <= 46 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)),
            "{name}"
        );
        client.call(name, json!({})).result();
    }
    assert_eq!(Gateway::on(&conf).stdio().legacy().request("tools/list", json!({})).tools(), tools);
}

#[test]
fn a_prefix_replaces_the_server_name_and_a_collision_leaves_the_first_owner() {
    let conf = TempConf::with(|conf| {
        let first = conf.fake("first").tools(&["pid", "one"]).set("prefix", "");
        let second = conf.fake("second").tools(&["pid", "two"]).set("prefix", "");
        servers([
            ("first", first),
            ("second", second),
            ("c", conf.fake("c").tools(&["pid"]).set("prefix", "other")),
        ])
    });
    let client = conf.legacy();
    let tools = client.request("tools/list", json!({})).tools();
    assert_eq!(tools, sorted(vec!["one".into(), "other__pid".into(), "pid".into(), "two".into()]));
    client.call("pid", json!({})).result();
    assert_eq!(conf.ledger("call", "first").len(), 1);
    eventually("the one that is left out is named", || client.stderr().contains("second"));
}

#[test]
fn odd_items_are_left_out_and_the_others_stay() {
    let conf = TempConf::with(|conf| {
        servers([("a", conf.fake("a").tools(&["pid", "echo"]).args(&["--odd-items"]))])
    });
    let client = conf.legacy();
    let tools = client.request("tools/list", json!({})).tools();
    assert!(tools.contains(&"a__pid".to_owned()) && tools.contains(&"a__echo".to_owned()), "{tools:?}");
    let mut unique = tools.clone();
    unique.dedup();
    assert_eq!(unique, tools);
    client.call("a__pid", json!({})).result();
}

#[test]
fn names_that_clients_cannot_take_are_written_another_way_and_still_work() {
    let own = ["a.b", "c d", "zażółć", "日本語", "plain", "Plain"];
    let conf = TempConf::with(|conf| servers([("s", conf.fake("s").tools(&own))]));
    let client = conf.legacy();
    let tools = client.request("tools/list", json!({})).tools();
    assert_eq!(tools.len(), own.len(), "{tools:?}; {}", client.stderr());
    for name in &tools {
        assert!(
            name.len() <= 46 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)),
            "{name}"
        );
        client.call(name, json!({})).result();
    }
    let called: std::collections::BTreeSet<String> = conf.ledger("call", "s").into_iter().collect();
    assert_eq!(called.len(), own.len(), "{called:?}");
}

#[test]
fn of_two_servers_with_the_same_resources_the_first_owns_them() {
    let conf = TempConf::with(|conf| servers([("one", conf.fake("same")), ("two", conf.fake("same"))]));
    let client = conf.legacy();
    let uris = client.request("resources/list", json!({})).keys("resources", "uri");
    assert_eq!(uris, ["fake-same://item/0", "fake-same://item/1"]);
    client.request("resources/read", json!({ "uri": "fake-same://item/1" })).result();
    assert_eq!(client.request("tools/list", json!({})).tools().len() % 2, 0);
}

#[test]
fn uris_and_references_of_nobody_are_invalid() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a"))]));
    let client = conf.legacy();
    let answer = client.request("resources/read", json!({ "uri": "nobody://x" }));
    assert!(
        [-32002, -32602].contains(&answer.error_code()) && answer.raw.contains("nobody://x"),
        "{}",
        answer.raw
    );
    let argument = json!({ "name": "who", "value": "v" });
    for reference in
        [json!({ "type": "ref/prompt", "name": "a__nothing" }), json!({ "type": "ref/other" }), json!(7)]
    {
        let params = json!({ "ref": reference, "argument": argument });
        assert_eq!(client.request("completion/complete", params).error_code(), -32602);
    }
}

#[test]
fn thousands_of_tools_are_listed_and_called() {
    let conf =
        TempConf::with(|conf| servers([("a", conf.fake("a").args(&["--tools", "3000", "--pages", "100"]))]));
    let client = conf.legacy();
    let (_, tools) = all_pages(&client, "tools/list", "tools");
    assert_eq!(tools.len(), 3000);
    client.call("a__tool_2999", json!({})).result();
}

#[test]
fn a_list_that_failed_once_is_named_read_again_and_never_saved_as_empty() {
    let fault = |conf: &TempConf| conf.dir().join("fault").to_str().expect("it is text").to_owned();
    let conf = TempConf::with(|conf| {
        servers([("a", conf.fake("a").tools(&["echo"]).args(&["--list-fault", &fault(conf)]))])
    });
    std::fs::write(fault(&conf), "error").expect("the file is written");
    let client = conf.legacy();
    let first = client.request("tools/list", json!({}));
    assert_eq!(first.result()["_meta"]["io.github.mcp-manifold/missing"], json!(["a"]), "{}", first.raw);
    assert_eq!(client.request("prompts/list", json!({})).keys("prompts", "name"), ["a__greet"]);
    client.close();
    client.exit();
    // Nothing empty was saved, so the next gateway asks.
    let client = conf.legacy();
    assert_eq!(client.request("tools/list", json!({})).tools(), [""; 0]);
    std::fs::remove_file(fault(&conf)).expect("the file is removed");
    client.wait("list_changed", |message| message.method() == "notifications/tools/list_changed");
    assert_eq!(client.request("tools/list", json!({})).tools(), ["a__echo"]);
    assert_eq!(conf.spawns("a"), 2, "the second list came without a new process");
}
