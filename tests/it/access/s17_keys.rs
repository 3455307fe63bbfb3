//! S17: keys are random, only their digests are kept, and what is taken away is gone at the next request and on streams.

use crate::access::rig::JSON;
use crate::access::rig::MODERN;
use crate::access::rig::ask;
use crate::access::rig::bearer;
use crate::access::rig::begin;
use crate::access::rig::folder;
use crate::access::rig::listed;
use crate::access::rig::modern;
use crate::access::rig::session;
use crate::access::rig::start;
use crate::access::rig::status;
use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::tempconf::TempConf;
use mcp_manifold::auth::keys;
use serde_json::Value;
use serde_json::json;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

fn run(conf: &Arc<TempConf>, args: &[&str]) -> (Option<i32>, String, String) {
    let file = conf.file().display().to_string();
    let output = Gateway::on(conf).run(&[&["--config", file.as_str()], args].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// A new key: its id and itself.
fn create(conf: &Arc<TempConf>, more: &[&str]) -> (String, String) {
    let (code, stdout, stderr) = run(conf, &[&["key", "create", "--json", "--name", "ann"], more].concat());
    assert_eq!(code, Some(0), "{stderr}");
    let made: Value = serde_json::from_str(&stdout).expect("JSON");
    (made["id"].as_str().expect("an id").into(), made["key"].as_str().expect("a key").into())
}

fn keyed() -> Arc<TempConf> {
    folder(&json!({ "auth": { "keysFile": "keys.json" }, "http": { "sse": true, "websocket": true } }))
}

#[test]
fn s17_only_the_digest_of_a_key_is_kept() {
    let conf = keyed();
    let (id, key) =
        create(&conf, &["--team", "data", "--org", "acme", "--agent", "reporter", "--expires", "90d"]);
    assert!(keys::is_whole(&key) && key.starts_with(&format!("mmk_{id}_")), "{key}");
    assert!(key.len() - id.len() >= 64, "256 random bits in hexadecimal");
    let file = conf.dir().join("keys.json");
    let text = std::fs::read_to_string(&file).expect("the file is there");
    let secret = key.rsplit('_').next().expect("a secret");
    assert!(!text.contains(secret) && text.contains("sha256:"), "{text}");
    assert_eq!(file.metadata().expect("a file").permissions().mode() & 0o777, 0o600);
    let left: Vec<_> =
        std::fs::read_dir(conf.dir()).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
    assert!(
        !left
            .iter()
            .any(|name| name.to_string_lossy().contains(".lock") || name.to_string_lossy().contains(".new")),
        "{left:?}"
    );
    let (_, shown, _) = run(&conf, &["key", "list"]);
    for word in [id.as_str(), "ann", "data", "acme", "reporter", "valid"] {
        assert!(shown.contains(word), "{shown}");
    }
    assert!(!shown.contains(secret));
    let (_, shown, _) = run(&conf, &["key", "list", "--json"]);
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!((&shown["keys"][0]["team"], &shown["keys"][0]["state"]), (&json!("data"), &json!("valid")));
    for (args, says) in [
        (&["key", "create", "--name", ""][..], "names"),
        (&["key", "create", "--name", "local"][..], "of the gateway's own"),
        (&["key", "create", "--name", "x", "--expires", "soon"][..], "--expires"),
        (&["key", "create", "--name", "x", "--expires", "2001-01-01"][..], "past"),
        (&["key", "revoke", "nothing"][..], "no key `nothing`"),
    ] {
        let (code, _, stderr) = run(&conf, args);
        assert!(code == Some(1) && stderr.contains(says), "{args:?}: {stderr}");
    }
}

#[test]
fn s17_keys_that_are_made_at_once_are_all_kept() {
    let conf = keyed();
    let made: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(|| create(&conf, &[]).0)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a key")).collect()
    });
    let text = std::fs::read_to_string(conf.dir().join("keys.json")).expect("the file is there");
    assert!(made.iter().all(|id| text.contains(id.as_str())), "{made:?}: {text}");
}

#[test]
fn s17_a_key_counts_from_the_next_request_on_and_until_it_is_revoked() {
    let conf = keyed();
    let gateway = start(&conf);
    assert_eq!(status(&gateway, ""), 401, "the file is named and has nobody");
    let (first, key) = create(&conf, &[]);
    assert_eq!(status(&gateway, &bearer(&key)), 200);
    let (_, second) = create(&conf, &[]);
    let lines = session(&gateway, &bearer(&key));
    assert_eq!(run(&conf, &["key", "revoke", &first]).0, Some(0));
    assert_eq!(status(&gateway, &bearer(&key)), 401);
    let ping = r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#;
    ask(&gateway, "POST", "/mcp", &format!("{JSON}{}{lines}", bearer(&key)), ping).expect(401);
    assert_eq!(status(&gateway, &bearer(&second)), 200);
    // Who knows an id and who knows nothing are told the same.
    let known = second.split_once('_').and_then(|(_, rest)| rest.split_once('_')).expect("an id").0;
    let said = |key: &str| {
        let reply = listed(&gateway, &bearer(key));
        let (status, mut headers) = (reply.status, reply.headers.clone());
        headers.retain(|(name, _)| name != "date");
        (status, headers, reply.body())
    };
    let zeros = "0".repeat(72);
    assert_eq!(said(&format!("mmk_{known}_{zeros}")), said(&format!("mmk_000000000000_{zeros}")));
}

#[test]
fn s17_a_key_in_the_usual_place_closes_a_gateway_that_runs() {
    let conf = folder(&json!({}));
    let gateway = start(&conf);
    assert_eq!(status(&gateway, ""), 200);
    let (_, key) = create(&conf, &[]);
    assert!(conf.dir().join(".config/mcp-manifold/keys.json").is_file() || cfg!(target_os = "macos"));
    eventually("a credential is needed", || status(&gateway, "") == 401);
    assert_eq!(status(&gateway, &bearer(&key)), 200);
}

#[test]
fn s17_streams_end_with_the_key_that_opened_them() {
    let conf = keyed();
    let gateway = start(&conf);
    let (id, key) = create(&conf, &[]);
    let (_, other) = create(&conf, &[]);
    let credential = bearer(&key);
    let lines = session(&gateway, &credential);
    let stream = "accept: text/event-stream\r\n";
    let get = begin(&gateway, "GET", "/mcp", &format!("{stream}{credential}{lines}"), "").head().expect(200);
    let sse = begin(&gateway, "GET", "/sse", &format!("{stream}{credential}"), "").head().expect(200);
    let listen = json!({ "notifications": { "toolsListChanged": true } });
    let headers = format!("{JSON}{MODERN}mcp-method: subscriptions/listen\r\n");
    let body = modern("subscriptions/listen", listen);
    let listening =
        begin(&gateway, "POST", "/mcp", &format!("{headers}{credential}"), &body).head().expect(200);
    let stays =
        begin(&gateway, "POST", "/mcp", &format!("{headers}{}", bearer(&other)), &body).head().expect(200);
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let mut socket = TcpStream::connect(gateway.addr()).expect("the gateway accepts connections");
    socket.set_read_timeout(Some(crate::support::eventually::patience())).expect("a socket has a time limit");
    let text = format!("GET /ws HTTP/1.1\r\nhost: {}\r\n{upgrade}{credential}\r\n", gateway.addr());
    socket.write_all(text.as_bytes()).expect("it reads");
    let mut reader = BufReader::new(socket);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).expect("an answer") > 0, "{head}");
    }
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");

    assert_eq!(run(&conf, &["key", "revoke", &id]).0, Some(0));
    // Each is read to its end.
    for (what, stream) in [("GET", get), ("/sse", sse), ("listen", listening)] {
        assert!(stream.is_stream(), "{what}");
        stream.events();
    }
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).expect("the socket is closed");
    assert!(rest.windows(2).any(|pair| pair == 1008_u16.to_be_bytes()), "{rest:?}");
    assert!(stays.is_stream());
    assert_eq!(status(&gateway, &bearer(&other)), 200, "the other key holds");
    drop(stays);
}

#[test]
fn s17_an_expired_key_is_refused() {
    let conf = keyed();
    let (id, key) = create(&conf, &["--expires", "1d"]);
    let gateway = start(&conf);
    assert_eq!(status(&gateway, &bearer(&key)), 200);
    let file = conf.dir().join("keys.json");
    let mut list: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    list["keys"][0]["expires"] = json!("2020-01-01T00:00:00Z");
    crate::access::rig::write_private(&file, &list.to_string());
    assert_eq!(status(&gateway, &bearer(&key)), 401);
    let (_, shown, _) = run(&conf, &["key", "list"]);
    assert!(shown.contains(&id) && shown.contains("expired"), "{shown}");
}

/// Nobody can measure this reliably, so the source is read: what is shown is only compared in `Holders::find`, by `ct_eq`,
/// which looks at every byte, and against every entry.
#[test]
fn s17_what_is_shown_is_compared_in_one_place_and_in_constant_time() {
    fn sources(folder: &std::path::Path, found: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).expect("the folder can be read").flatten() {
            let path = entry.path();
            if path.is_dir() {
                sources(&path, found);
            } else {
                let text = std::fs::read_to_string(&path).expect("it is text");
                let code = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
                found.push((path.display().to_string(), code));
            }
        }
    }
    let mut all = Vec::new();
    sources(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    let with = |what: &str| -> Vec<&str> {
        let files = all.iter().filter(|(_, code)| code.contains(what));
        files.map(|(path, _)| path.rsplit_once("/src/").expect("it is below").1).collect()
    };
    assert_eq!(with("ct_eq("), ["auth/holders.rs"]);
    let (_, code) = all.iter().find(|(path, _)| path.ends_with("auth/holders.rs")).expect("it is there");
    let (_, find) = code.split_once("pub fn find(").expect("it is there");
    let find = find.split("\n    }\n").next().expect("it ends");
    assert!(find.contains("entry.digest.ct_eq(&shown.digest)"), "{find}");
    for early in ["return", "break", "?;", ".find(", ".any(", "&&", "=="] {
        assert!(!find.contains(early), "`{early}` could end it early: {find}");
    }
    // Nothing else compares digests of what is shown, and who has it is found nowhere else.
    for other in ["digest ==", "digest !=", "== shown", "== &shown"] {
        let mut elsewhere = with(other);
        elsewhere.retain(|path| path.starts_with("auth/") || path.starts_with("front/"));
        assert!(elsewhere.is_empty(), "`{other}` in {elsewhere:?}");
    }
}
