//! The MCP Inspector uses the gateway over pipes and over HTTP, in both eras.
//!
//! It checks what the Inspector prints; bytes are compared in `bytes.rs`.

use crate::bed::Bed;
use crate::bed::modules;
use crate::bed::node;
use crate::calls;
use crate::lists::exposed;
use crate::lists::exposed_to_modern;
use crate::support::gateway::Gateway;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeSet;
use std::process::Command;
use std::process::Stdio;

#[test]
#[ignore = "needs packages from npm and PyPI: run by .ci/run"]
fn the_inspector_uses_the_gateway_over_stdio() {
    let bed = Bed::warm();
    // The Inspector would take `--config` for its own.
    let (gateway, file, cache) = (env!("CARGO_BIN_EXE_mcp-manifold"), bed.conf().file(), bed.conf().cache());
    let line =
        format!("exec '{gateway}' serve --config '{}' --cache-dir '{}'", file.display(), cache.display());
    for era in ["legacy", "modern"] {
        use_all(&bed, &["sh", "-c", &line, "--protocol-era", era], era == "modern");
    }
}

#[test]
#[ignore = "needs packages from npm and PyPI: run by .ci/run"]
fn the_inspector_uses_the_gateway_over_http() {
    let bed = Bed::warm();
    let gateway = Gateway::on(bed.conf()).http();
    let url = format!("http://{}/mcp", gateway.addr());
    for era in ["legacy", "modern"] {
        let target = ["--server-url", &url, "--transport", "http", "--protocol-era", era];
        use_all(&bed, &target, era == "modern");
    }
}

fn use_all(bed: &Bed, target: &[&str], modern: bool) {
    let ask = |method: &str, more: &[&str]| inspect(bed, target, method, more);
    let keys = |listed: &Value, member: &str, key: &str| -> BTreeSet<String> {
        let items = listed[member].as_array().unwrap_or_else(|| panic!("no {member}: {listed}"));
        items.iter().map(|item| item[key].as_str().unwrap_or_default().to_owned()).collect()
    };
    let wanted = if modern { exposed_to_modern(bed) } else { exposed(bed) };
    assert_eq!(keys(&ask("tools/list", &[]), "tools", "name"), wanted);

    let calls = calls::one_of_each(bed);
    let wanted = calls::direct_answers(bed, &calls);
    for (call, wanted) in calls.iter().zip(wanted) {
        let params = call.through_gateway();
        let name = params["name"].as_str().expect("a tool has a name");
        let arguments = params["arguments"].to_string();
        let got = ask(call.method, &["--tool-name", name, "--tool-args-json", &arguments]);
        assert_eq!(got["content"], wanted.result()["content"], "{name}");
        assert_eq!(got.get("structuredContent"), wanted.result().get("structuredContent"), "{name}");
    }

    let document = "demo://resource/static/document/architecture.md";
    assert!(keys(&ask("resources/list", &[]), "resources", "uri").contains(document));
    let read = ask("resources/read", &["--uri", document]);
    assert_eq!(read["contents"][0]["uri"], json!(document), "{read}");
    let prompt = "everything__simple-prompt";
    assert!(keys(&ask("prompts/list", &[]), "prompts", "name").contains(prompt));
    let got = ask("prompts/get", &["--prompt-name", prompt]);
    assert_eq!(got["messages"][0]["role"], "user", "{got}");
}

/// One run of the Inspector; returns the result it prints.
fn inspect(bed: &Bed, target: &[&str], method: &str, more: &[&str]) -> Value {
    let script = modules().join("@modelcontextprotocol/inspector/clients/launcher/build/index.js");
    let mut command = Command::new(node());
    command.arg(script).args(["--cli", "--format", "json", "--quiet", "--connect-timeout", "60000"]);
    command.args(target).args(["--method", method]).args(more);
    command.current_dir(bed.conf().dir()).stdin(Stdio::null());
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", bed.conf().dir());
    let output = command.output().expect("the Inspector starts");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{method} {more:?}: {}\n{out}\n{err}", output.status);
    let printed: Value =
        serde_json::from_str(&out).unwrap_or_else(|why| panic!("{method}: {why}: {out}\n{err}"));
    printed["result"].clone()
}
