//! Edits of the file are followed without dropping a call.
//!
//! What a good file may say is tested beside the parser.

use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::processes;
use crate::support::stdio_client::StdioClient;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use rustix::process::Signal;
use serde_json::Value;
use serde_json::json;
use std::os::unix::fs::symlink;
use std::path::Path;

const CHANGES: [&str; 3] = [
    "notifications/tools/list_changed",
    "notifications/prompts/list_changed",
    "notifications/resources/list_changed",
];

fn tools(client: &StdioClient) -> Vec<String> {
    client.request("tools/list", json!({})).tools()
}

/// Waits until exactly these tools are listed.
fn lists(client: &StdioClient, expected: &[&str]) {
    eventually(&format!("{expected:?} is listed; stderr: {}", client.stderr()), || tools(client) == expected);
}

fn counts(client: &StdioClient) -> [usize; 3] {
    CHANGES.map(|method| client.notifications(method).len())
}

/// A file whose one server has this prefix: each version of it shows another name.
fn version(conf: &TempConf, prefix: &str) -> Value {
    servers([("a", conf.fake("a").tools(&["pid"]).set("prefix", prefix))])
}

#[test]
fn only_what_changed_in_the_file_is_touched() {
    let conf = TempConf::with(|conf| {
        servers([("kept", conf.fake("kept")), ("gone", conf.fake("gone")), ("edited", conf.fake("edited"))])
    });
    let client = conf.legacy();
    let pid = |server: &str| client.call(&format!("{server}__pid"), json!({})).text().to_owned();
    let before = [pid("kept"), pid("edited"), pid("gone")];
    let edited = conf.fake("edited").set("env", json!({ processes::MARK: conf.mark(), "NEW": "1" }));
    conf.write(&servers([("kept", conf.fake("kept")), ("edited", edited), ("added", conf.fake("added"))]));
    eventually("the new list", || {
        let names = tools(&client);
        names.contains(&"added__pid".to_owned()) && !names.contains(&"gone__pid".to_owned())
    });
    assert_eq!(pid("kept"), before[0]);
    assert_ne!(pid("edited"), before[1]);
    pid("added");
    assert_eq!(client.call("gone__pid", json!({})).error_code(), -32602);
    let old: Vec<u32> = before[1..].iter().map(|pid| pid.parse().expect("a pid")).collect();
    eventually("the old processes are gone", || !old.iter().any(|pid| processes::is_alive(*pid)));
    assert_eq!(conf.spawns("kept"), 1);
}

#[test]
fn a_call_in_flight_on_a_removed_or_changed_server_finishes() {
    let conf = TempConf::with(|conf| {
        servers([("gone", conf.fake("gone")), ("edited", conf.fake("edited")), ("kept", conf.fake("kept"))])
    });
    let client = conf.legacy();
    let waiting =
        ["gone", "edited"].map(|name| client.begin_call(&format!("{name}__sleep"), json!({ "ms": 2500 })));
    eventually("the calls run", || {
        conf.ledger("call", "gone").len() + conf.ledger("call", "edited").len() == 2
    });
    let edited = conf.fake("edited").args(&["--resources", "3"]);
    conf.write(&servers([("edited", edited), ("kept", conf.fake("kept"))]));
    eventually("the new list", || !tools(&client).contains(&"gone__pid".to_owned()));
    assert_eq!(client.call("gone__pid", json!({})).error_code(), -32602);
    let early: usize = waiting.iter().map(|id| client.answers(id)).sum();
    assert_eq!(early, 0, "the calls were too short for this test");
    for id in &waiting {
        assert_eq!(client.answer(id).text(), "slept");
    }
    eventually("the removed server is gone", || conf.ledger("eof", "gone").len() == 1);
}

#[test]
fn each_kind_of_list_that_changed_is_announced_once() {
    let conf = TempConf::with(|conf| {
        let plain = conf.fake("plain").tools(&["pid"]).args(&["--prompts", "0", "--resources", "0"]);
        servers([("a", conf.fake("a")), ("plain", plain)])
    });
    // Once all is saved nothing is news at the start.
    let first = conf.legacy();
    first.close();
    assert!(first.exit().success(), "{}", first.stderr());
    let client = conf.legacy();
    client.request("prompts/list", json!({})).result();
    assert_eq!(counts(&client), [0, 0, 0]);
    let only = |extra: Option<&str>| {
        let plain = conf.fake("plain").tools(&["pid"]).args(&["--prompts", "0", "--resources", "0"]);
        let mut config = servers([("plain", plain)]);
        if let Some(prefix) = extra {
            config["mcpServers"]["plain"]["prefix"] = json!(prefix);
        }
        config
    };
    conf.write(&only(None));
    lists(&client, &["plain__pid"]);
    eventually("all three are announced", || counts(&client) == [1, 1, 1]);
    conf.write(&only(Some("other")));
    lists(&client, &["other__pid"]);
    eventually("only the tools are announced", || counts(&client)[0] == 2);
    assert_eq!(counts(&client), [2, 1, 1]);
}

#[test]
fn an_edit_that_changes_no_list_is_not_announced() {
    let conf = TempConf::with(|conf| version(conf, "one"));
    let client = conf.legacy();
    let mut config = version(&conf, "one");
    config["mcpServers"]["a"]["callTimeoutMs"] = json!(5000);
    conf.write_text(&format!("// only a comment and a time limit\n{config}"));
    eventually("the edit is applied", || {
        client.stderr().contains("reload") || client.stderr().contains("changed")
    });
    conf.write(&version(&conf, "two"));
    lists(&client, &["two__pid"]);
    eventually("the second edit is announced", || counts(&client)[0] > 0);
    assert_eq!(counts(&client)[0], 1);
}

#[test]
fn a_legacy_http_client_hears_of_changes_on_its_stream() {
    let conf = TempConf::with(|conf| version(conf, "one"));
    let gateway = Gateway::on(&conf).http();
    let (client, other) = (gateway.legacy(), gateway.legacy());
    let mut streams =
        [&client, &other].map(|client| client.send("GET", &[("accept", "text/event-stream")]).expect(200));
    assert!(streams.iter().all(super::support::http_client::Reply::is_stream));
    client.request("tools/list", json!({})).result();
    conf.write(&version(&conf, "two"));
    // The first word may be of the lists as they were first read.
    for stream in &mut streams {
        stream.wait("word of the new list", |message| {
            message.method() == CHANGES[0] && client.request("tools/list", json!({})).tools() == ["two__pid"]
        });
    }
}

#[test]
fn every_way_of_saving_is_followed() {
    let conf = TempConf::with(|conf| version(conf, "v0"));
    let client = conf.legacy();
    let text = |prefix: &str| version(&conf, prefix).to_string();
    let file = conf.file();
    let aside = conf.dir().join(".mcp.json.swp");

    std::fs::write(&file, text("truncate")).expect("written");
    lists(&client, &["truncate__pid"]);

    let mut slow = std::fs::File::create(&file).expect("truncated");
    for piece in text("pieces").as_bytes().chunks(40) {
        std::io::Write::write_all(&mut slow, piece).expect("written");
        std::io::Write::flush(&mut slow).expect("written");
        client.fence();
    }
    drop(slow);
    lists(&client, &["pieces__pid"]);

    std::fs::write(&aside, text("renamed")).expect("written");
    std::fs::rename(&aside, &file).expect("renamed");
    lists(&client, &["renamed__pid"]);

    std::fs::rename(&file, conf.dir().join("mcp.json~")).expect("moved");
    std::fs::write(&file, text("backup")).expect("written");
    lists(&client, &["backup__pid"]);

    std::fs::remove_file(&file).expect("removed");
    eventually("the gateway has seen it", || {
        client.fence();
        client.stderr().contains("mcp.json")
    });
    std::fs::write(&file, text("recreated")).expect("written");
    lists(&client, &["recreated__pid"]);

    let real = conf.dir().join("elsewhere");
    std::fs::create_dir(&real).expect("a folder");
    std::fs::write(real.join("one.json"), text("linked")).expect("written");
    std::fs::remove_file(&file).expect("removed");
    symlink(real.join("one.json"), &file).expect("a link");
    lists(&client, &["linked__pid"]);

    std::fs::write(real.join("one.json"), text("behind_link")).expect("written");
    lists(&client, &["behind_link__pid"]);

    std::fs::write(real.join("two.json"), text("retargeted")).expect("written");
    let link = conf.dir().join("new-link");
    symlink(real.join("two.json"), &link).expect("a link");
    std::fs::rename(&link, &file).expect("renamed");
    lists(&client, &["retargeted__pid"]);
}

/// Swaps the folder behind `..data`, as kubelet does for a ConfigMap.
fn swap(dir: &Path, name: &str, text: &str) {
    std::fs::create_dir(dir.join(name)).expect("a folder");
    std::fs::write(dir.join(name).join("mcp.json"), text).expect("written");
    symlink(name, dir.join("..data_tmp")).expect("a link");
    std::fs::rename(dir.join("..data_tmp"), dir.join("..data")).expect("renamed");
}

#[test]
fn a_configmap_swap_is_followed() {
    let conf = TempConf::new();
    let text = |prefix: &str| version(&conf, prefix).to_string();
    swap(conf.dir(), "..2026_01", &text("first"));
    symlink("..data/mcp.json", conf.file()).expect("a link");
    let client = conf.legacy();
    assert_eq!(tools(&client), ["first__pid"]);
    for (n, prefix) in ["second", "third"].into_iter().enumerate() {
        swap(conf.dir(), &format!("..2026_1{n}"), &text(prefix));
        lists(&client, &[&format!("{prefix}__pid")]);
    }
}

#[test]
fn broken_content_keeps_the_last_good_file_and_says_where() {
    let conf = TempConf::with(|conf| version(conf, "good"));
    let client = conf.legacy();
    let pid = client.call("good__pid", json!({})).text().to_owned();
    for (n, broken) in
        ["{\n  \"mcpServers\": {\n    oops\n  }\n}", "", "[1]", "{\"mcpServers\": 7}"].iter().enumerate()
    {
        let noticed = || client.stderr().matches("the last good one stays in use").count();
        let before = noticed();
        conf.write_text(broken);
        eventually(&format!("broken content {n} is noticed"), || noticed() > before);
        assert_eq!(client.call("good__pid", json!({})).text(), pid);
    }
    assert!(client.stderr().contains("3:5"), "no line:column: {}", client.stderr());
    conf.write(&version(&conf, "fixed"));
    lists(&client, &["fixed__pid"]);
    assert!(!client.stderr().contains("panicked"));
}

#[test]
fn one_bad_entry_does_not_hold_up_the_others() {
    let conf = TempConf::with(|conf| version(conf, "good"));
    let client = conf.legacy();
    let mut config = version(&conf, "still");
    config["mcpServers"]["bad"] = json!({ "command": 7 });
    config["mcpServers"]["undefined"] =
        json!({ "command": "x", "env": { "A": "${NO_SUCH_VARIABLE_ANYWHERE}" } });
    conf.write(&config);
    lists(&client, &["still__pid"]);
    eventually("the variable is named", || client.stderr().contains("NO_SUCH_VARIABLE_ANYWHERE"));
}

#[test]
fn sighup_reads_the_file_at_once() {
    let conf = TempConf::new();
    let slow = |prefix: &str| {
        let mut config = version(&conf, prefix);
        config["gateway"] = json!({ "watch": { "debounce": "60s", "poll": "60s" } });
        config
    };
    conf.write(&slow("one"));
    let client = conf.legacy();
    conf.write(&slow("two"));
    processes::signal(client.pid(), Signal::HUP);
    lists(&client, &["two__pid"]);
}

#[test]
fn calls_to_unchanged_servers_never_fail_while_the_file_is_rewritten() {
    let conf = TempConf::with(|conf| servers([("kept", conf.fake("kept"))]));
    let client = conf.legacy();
    let pid = client.call("kept__pid", json!({})).text().to_owned();
    for round in 0..6 {
        let name = format!("extra{round}");
        let extra = conf.fake(&name).tools(&["pid"]);
        let mut config = servers([("kept", conf.fake("kept"))]);
        config["mcpServers"][&name] = extra.json();
        conf.write(&config);
        eventually("the new server is listed", || {
            assert_eq!(client.call("kept__pid", json!({})).text(), pid);
            tools(&client).contains(&format!("{name}__pid"))
        });
    }
    assert_eq!(conf.spawns("kept"), 1);
}

#[test]
fn naming_and_switched_off_entries_follow_the_file() {
    let conf = TempConf::with(|conf| version(conf, "one"));
    let client = conf.legacy();
    let pid = client.call("one__pid", json!({})).text().to_owned();
    let mut config = version(&conf, "one");
    config["gateway"] = json!({ "naming": { "separator": "-" } });
    conf.write(&config);
    lists(&client, &["one-pid"]);
    assert_eq!(client.call("one-pid", json!({})).text(), pid);
    config["mcpServers"]["a"]["disabled"] = json!(true);
    conf.write(&config);
    lists(&client, &[]);
    eventually("the process is gone", || conf.processes().is_empty());
    config["mcpServers"]["a"]["disabled"] = json!(false);
    conf.write(&config);
    lists(&client, &["one-pid"]);
    client.call("one-pid", json!({})).result();
}

#[test]
fn a_setting_that_needs_a_restart_is_named() {
    let conf = TempConf::new();
    let limited = |sessions: u32| {
        let mut config = version(&conf, "one");
        config["gateway"] = json!({ "http": { "maxSessions": sessions } });
        config
    };
    conf.write(&limited(10));
    let gateway = Gateway::on(&conf).http();
    conf.write(&limited(20));
    eventually("it is named", || gateway.stderr().contains("http.maxSessions"));
}

#[test]
fn the_first_server_of_an_empty_file_is_announced() {
    let conf = TempConf::with(|_| json!({ "mcpServers": {} }));
    let client = conf.legacy();
    assert_eq!(tools(&client), [""; 0]);
    conf.write(&servers([("a", conf.fake("a").tools(&["pid"]))]));
    client.wait("list_changed", |message| message.method() == CHANGES[0]);
    assert_eq!(tools(&client), ["a__pid"]);
}

#[test]
fn a_call_that_waits_for_a_start_is_answered_by_the_server_it_was_made_to() {
    let slow = |conf: &TempConf| conf.fake("a").tools(&["counter"]).args(&["--slow-start", "1500"]);
    let conf = TempConf::with(|conf| servers([("a", slow(conf))]));
    let client = conf.legacy();
    assert_eq!(tools(&client), ["a__counter"]);
    client.close();
    client.exit();
    let client = conf.legacy();
    let id = client.begin_call("a__counter", json!({}));
    eventually("it starts", || conf.spawns("a") == 2);
    conf.write(&servers([("a", slow(&conf).args(&["--resources", "3"]))]));
    assert_eq!(client.answer(&id).text(), "1");
    eventually("the changed one runs", || conf.spawns("a") == 3);
}

#[test]
fn a_refused_file_is_read_again_when_a_file_that_it_names_is_mended() {
    let conf = TempConf::new();
    conf.write(&version(&conf, "one"));
    let client = conf.legacy();
    lists(&client, &["one__pid"]);
    let token = conf.dir().join("token");
    std::fs::write(&token, "short").expect("a file");
    let mut config = version(&conf, "two");
    config["gateway"] = json!({ "http": { "bearerTokens": [format!("${{file:{}}}", token.display())] } });
    conf.write(&config);
    eventually("it is refused", || client.stderr().contains("configuration refused"));
    lists(&client, &["one__pid"]);
    std::fs::write(&token, "a-token-that-is-long-enough").expect("a file");
    lists(&client, &["two__pid"]);
}
