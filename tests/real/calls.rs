//! Which requests are made of which server, and what it answers without the gateway.
//!
//! Only such that have the same answer each time, once the memory server has forgotten the time before.

use crate::bed::Bed;
use crate::bed::SERVERS;
use crate::support::message::Message;
use serde_json::Value;
use serde_json::json;

/// One request of a server, with the server's own names.
pub struct Call {
    /// Whose.
    pub server: &'static str,
    /// For example `tools/call`.
    pub method: &'static str,
    /// As the server wants them.
    pub params: Value,
}

impl Call {
    /// What is called, for people.
    pub fn title(&self) -> &str {
        ["name", "uri"].iter().find_map(|key| self.params[key].as_str()).unwrap_or(self.method)
    }

    /// The params for a client of the gateway: names of tools and prompts carry the server's.
    pub fn through_gateway(&self) -> Value {
        let mut params = self.params.clone();
        for pointer in ["/name", "/ref/name"] {
            if let Some(name) = params.pointer_mut(pointer) {
                *name = json!(format!("{}__{}", self.server, name.as_str().expect("names are texts")));
            }
        }
        params
    }
}

/// One tool call of each server.
pub fn one_of_each(bed: &Bed) -> Vec<Call> {
    vec![
        tool("everything", "get-sum", json!({ "a": 2, "b": 3 })),
        tool("filesystem", "read_text_file", json!({ "path": bed.path("files/a.txt") })),
        tool("memory", "create_entities", json!({ "entities": [entity("first"), entity("second")] })),
        tool("git", "git_status", json!({ "repo_path": bed.path("repo") })),
        tool("time", "convert_time", noon()),
    ]
}

/// More kinds of answers: text, structured, pictures, errors of tools, resources, prompts, completions.
pub fn many(bed: &Bed) -> Vec<Call> {
    let mut calls = one_of_each(bed);
    let repo = json!({ "repo_path": bed.path("repo") });
    calls.extend([
        tool("everything", "echo", json!({ "message": "a\nb \u{2028} é \u{1f600} \u{0} </x>" })),
        tool("everything", "get-sum", json!({ "a": 1e2, "b": "x" })),
        tool("everything", "get-tiny-image", json!({})),
        tool("everything", "get-structured-content", json!({ "location": "New York" })),
        tool("everything", "get-annotated-message", json!({ "messageType": "error", "includeImage": true })),
        tool("everything", "get-resource-links", json!({ "count": 3 })),
        tool("filesystem", "list_directory", json!({ "path": bed.path("files") })),
        tool("filesystem", "directory_tree", json!({ "path": bed.path("files") })),
        tool("filesystem", "list_allowed_directories", json!({})),
        tool("filesystem", "read_text_file", json!({ "path": bed.path("missing.txt") })),
        tool("memory", "read_graph", json!({})),
        tool("memory", "search_nodes", json!({ "query": "second" })),
        tool("git", "git_log", repo.clone()),
        tool("git", "git_diff_unstaged", repo),
        tool("git", "git_status", json!({ "repo_path": "/nowhere" })),
        tool("time", "convert_time", json!({ "time": "25:00" })),
    ]);
    calls.extend(offers());
    calls
}

/// A resource, a prompt and a completion of the server that has them.
pub fn offers() -> Vec<Call> {
    let other = |method, params| Call { server: "everything", method, params };
    let prompt = json!({ "type": "ref/prompt", "name": "completable-prompt" });
    let argument = json!({ "name": "department", "value": "E" });
    vec![
        other("resources/read", json!({ "uri": "demo://resource/static/document/architecture.md" })),
        other("prompts/get", json!({ "name": "simple-prompt" })),
        other("prompts/get", json!({ "name": "args-prompt", "arguments": { "city": "Oslo" } })),
        other("completion/complete", json!({ "ref": prompt, "argument": argument })),
    ]
}

/// What the servers themselves answer, in the order of the calls.
pub fn direct_answers(bed: &Bed, calls: &[Call]) -> Vec<Message> {
    bed.forget();
    let mut answers: Vec<Option<Message>> = calls.iter().map(|_| None).collect();
    for (server, count) in SERVERS {
        let of_server = || calls.iter().enumerate().filter(|(_, call)| call.server == server);
        if of_server().next().is_none() {
            continue;
        }
        let direct = bed.direct(server);
        // Its tools are there.
        direct.tools(count);
        for (index, call) in of_server() {
            answers[index] = Some(direct.request(call.method, &call.params));
        }
    }
    bed.forget();
    answers.into_iter().map(|answer| answer.expect("every server was asked")).collect()
}

fn tool(server: &'static str, name: &str, arguments: Value) -> Call {
    Call { server, method: "tools/call", params: json!({ "name": name, "arguments": arguments }) }
}

fn entity(name: &str) -> Value {
    json!({ "name": name, "entityType": "thing", "observations": ["it is there"] })
}

fn noon() -> Value {
    json!({ "source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo" })
}
