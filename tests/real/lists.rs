//! Everything a server lists is listed by the gateway.
//!
//! What published clients make of the lists is in `sdk.rs` and `inspector.rs`.

use crate::bed::Bed;
use crate::bed::SERVERS;
use crate::support::eventually::eventually;
use crate::support::message::Message;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// A tool with `"taskSupport": "required"`.
pub const ONLY_A_TASK: &str = "everything__simulate-research-query";

/// The names of all tools as the servers themselves list them, under the names of the servers. They are asked once.
pub fn exposed(bed: &Bed) -> BTreeSet<String> {
    static EXPOSED: OnceLock<BTreeSet<String>> = OnceLock::new();
    let names = |(server, count)| {
        let own = bed.direct(server).tools(count);
        own.into_iter().map(move |name| format!("{server}__{name}"))
    };
    EXPOSED.get_or_init(|| SERVERS.into_iter().flat_map(names).collect()).clone()
}

/// As [`exposed`], for a client of 2026-07-28: one tool runs only as a task of 2025-11-25.
pub fn exposed_to_modern(bed: &Bed) -> BTreeSet<String> {
    let mut names = exposed(bed);
    assert!(names.remove(ONLY_A_TASK), "the servers list it");
    names
}

#[test]
#[ignore = "needs packages from npm and PyPI: run by .ci/run"]
fn every_tool_of_every_server_is_listed() {
    let bed = Bed::new();
    let wanted = exposed(&bed);
    let stdio = bed.gateway().stdio().legacy();
    // A server may list more once it knows its client; it says so, and so does the gateway.
    eventually("every tool is listed", || set(&stdio.request("tools/list", json!({})), "tools") == wanted);
    let gateway = bed.gateway().http();
    assert_eq!(set(&gateway.legacy().request("tools/list", json!({})), "tools"), wanted);
    assert_eq!(set(&gateway.modern().request("tools/list", json!({})), "tools"), exposed_to_modern(&bed));
}

#[test]
#[ignore = "needs packages from npm and PyPI: run by .ci/run"]
fn resources_templates_and_prompts_are_those_of_the_servers() {
    let bed = Bed::new();
    let client = bed.gateway().stdio().legacy();
    let lists = [
        ("resources/list", "resources", "uri"),
        ("resources/templates/list", "resourceTemplates", "uriTemplate"),
        ("prompts/list", "prompts", "name"),
    ];
    for (method, member, key) in lists {
        let mut wanted = BTreeSet::new();
        for server in ["everything", "memory"] {
            let answer = bed.direct(server).request(method, &json!({}));
            if answer.json.get("result").is_none() {
                continue;
            }
            let prefix = if key == "name" { format!("{server}__") } else { String::new() };
            wanted.extend(answer.keys(member, key).into_iter().map(|own| format!("{prefix}{own}")));
        }
        assert!(!wanted.is_empty(), "{method}");
        let got: BTreeSet<_> = client.request(method, json!({})).keys(member, key).into_iter().collect();
        assert_eq!(got, wanted, "{method}");
    }
}

fn set(answer: &Message, member: &str) -> BTreeSet<String> {
    answer.keys(member, "name").into_iter().collect()
}
