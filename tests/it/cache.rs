//! What is saved between runs, and what happens when it is spoilt.
//!
//! That a warm catalog starts nothing is in `lazy.rs`.

use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::json;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn a_spoilt_cache_is_read_again_from_the_servers() {
    let conf = TempConf::with(|conf| {
        servers([("a", conf.fake("a").tools(&["pid"])), ("b", conf.fake("b").tools(&["pid"]))])
    });
    drop(conf.legacy());
    for (n, rubbish) in
        [&b""[..], b"\xff\xfe", b"{", b"[]", b"{\"format\":1}", b"null"].into_iter().enumerate()
    {
        let saved = files(&conf.cache());
        assert!(saved.len() >= 2, "{saved:?}");
        for file in saved {
            std::fs::write(file, rubbish).expect("written");
        }
        let client = conf.legacy();
        assert_eq!(client.request("tools/list", json!({})).tools(), ["a__pid", "b__pid"]);
        client.call("a__pid", json!({})).result();
        assert!(conf.spawns("a") >= n + 2, "a spoilt entry was taken");
    }
}

#[test]
fn a_cache_cut_at_any_place_is_not_taken_for_a_list() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a").tools(&["pid", "echo"]))]));
    drop(conf.legacy());
    let saved: Vec<(PathBuf, Vec<u8>)> = files(&conf.cache())
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(path).expect("read")))
        .collect();
    for part in [1, 3, 5, 7, 9] {
        for (path, bytes) in &saved {
            std::fs::write(path, &bytes[..bytes.len() * part / 10]).expect("written");
        }
        let tools = Gateway::on(&conf).stdio().legacy().request("tools/list", json!({})).tools();
        assert_eq!(tools, ["a__echo", "a__pid"], "cut at {part}/10");
    }
}

#[test]
fn secrets_are_in_no_saved_file_and_the_files_are_private() {
    let conf = TempConf::with(|conf| {
        let mark = conf.mark();
        let env =
            json!({ "MCP_MANIFOLD_TEST_MARK": mark, "TOKEN": "${SECRET}", "WRITTEN": "canary-in-the-file" });
        servers([("a", conf.fake("a").set("env", env).args(&["--instructions", "plain"]))])
    });
    let client = Gateway::on(&conf).env("SECRET", "canary-from-outside").stdio().legacy();
    client.request("tools/list", json!({})).result();
    client.call("a__die", json!({})).error_code();
    assert!(!client.stderr().contains("canary"), "{}", client.stderr());
    drop(client);
    let saved = files(&conf.cache());
    assert!(!saved.is_empty());
    for file in saved {
        let bytes = std::fs::read(&file).expect("read");
        assert!(!String::from_utf8_lossy(&bytes).contains("canary"), "{}", file.display());
        let mode = std::fs::metadata(&file).expect("a file").permissions().mode() & 0o077;
        assert_eq!(mode, 0, "{}", file.display());
    }
}

#[test]
fn a_cache_that_cannot_be_written_is_no_obstacle() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a").tools(&["pid"]))]));
    std::fs::write(conf.cache(), "a file where the folder should be").expect("written");
    let client = conf.legacy();
    client.call("a__pid", json!({})).result();
    client.close();
    assert_eq!(client.exit().code(), Some(0), "{}", client.stderr());
}

#[test]
fn gateways_that_share_a_cache_do_not_disturb_each_other() {
    let conf = TempConf::with(|conf| {
        servers([("a", conf.fake("a").tools(&["pid"])), ("b", conf.fake("b").tools(&["pid"]))])
    });
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let client = Gateway::on(&conf).stdio().legacy();
                assert_eq!(client.request("tools/list", json!({})).tools(), ["a__pid", "b__pid"]);
                client.call("a__pid", json!({})).result();
            });
        }
    });
    let spawns = conf.spawns("a");
    assert_eq!(
        Gateway::on(&conf).stdio().legacy().request("tools/list", json!({})).tools(),
        ["a__pid", "b__pid"]
    );
    assert_eq!(conf.spawns("a"), spawns);
}

#[test]
fn the_era_of_a_server_is_remembered() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a").modern()), ("b", conf.fake("b"))]));
    drop(conf.legacy());
    let client = Gateway::on(&conf).stdio().legacy();
    for server in ["a", "b"] {
        let seen = client.call(&format!("{server}__seen"), json!({})).texts();
        assert_eq!(seen[0].contains(r#""initialize""#), server == "b", "{seen:?}");
    }
}

#[test]
fn an_era_set_in_the_file_is_not_tried_out() {
    let conf = TempConf::with(|conf| {
        let both = |era: &str| conf.fake(era).args(&["--era", "both"]).set("era", era);
        servers([("old", both("legacy")), ("new", both("modern"))])
    });
    let client = conf.legacy();
    let seen = |server: &str| client.call(&format!("{server}__seen"), json!({})).texts().join("\n");
    assert!(!seen("old").contains("io.modelcontextprotocol/protocolVersion"), "{}", seen("old"));
    assert!(!seen("new").contains(r#""initialize""#), "{}", seen("new"));
}

#[test]
fn another_entry_under_the_same_name_does_not_get_the_saved_lists() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a").tools(&["one"]))]));
    drop(conf.legacy());
    conf.write(&servers([("a", conf.fake("a").tools(&["two"]))]));
    assert_eq!(Gateway::on(&conf).stdio().legacy().request("tools/list", json!({})).tools(), ["a__two"]);
}

#[test]
fn a_server_that_no_longer_speaks_the_remembered_era_is_found_out_anew() {
    let conf = TempConf::with(|conf| servers([("a", conf.fake("a").args(&["--era", "modern"]))]));
    let client = conf.legacy();
    client.call("a__pid", json!({})).result();
    client.close();
    client.exit();
    // The same entry, another program behind it: one that ends when it is asked `server/discover`.
    let fake = conf.fake("a").json();
    let script = conf.dir().join("server.sh");
    let words: Vec<String> = std::iter::once(fake["command"].clone())
        .chain(fake["args"].as_array().cloned().unwrap_or_default())
        .filter_map(|word| word.as_str().map(str::to_owned))
        .collect();
    let write = |more: &str| std::fs::write(&script, format!("exec {} {more}\n", words.join(" ")));
    write("--era modern").expect("the script is written");
    let entry = json!({ "command": "sh", "args": [script], "env": fake["env"], "startTimeoutMs": 3000 });
    conf.write(&json!({ "mcpServers": { "a": entry } }));
    let client = conf.legacy();
    client.call("a__pid", json!({})).result();
    client.close();
    client.exit();
    write("--era legacy --exit-on-discover").expect("the script is written");
    let client = conf.legacy();
    eventually("the old era is spoken with it", || {
        client.call("a__pid", json!({})).json.get("result").is_some()
    });
}
