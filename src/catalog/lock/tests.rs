//! What is held back, whatever changes.

use super::*;
use crate::catalog::Catalog;
use crate::catalog::fixtures::server;
use crate::catalog::lists::Item;
use crate::catalog::lock::judge::Subject;
use crate::catalog::lock::judge::approve;
use crate::catalog::owners::Owners;
use crate::config::lockfile::EntryState;
use crate::config::lockfile::LockFile;
use crate::config::model::Server;
use crate::config::model::Settings;
use crate::protocol::version::Era;
use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;
use serde_json::value::RawValue;

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

fn lists(tool: &Value) -> ServerLists {
    ServerLists {
        era: Era::Legacy,
        version: "2025-11-25".into(),
        capabilities: raw(r#"{"tools":{},"resources":{},"prompts":{}}"#),
        server_info: None,
        instructions: Some("Be kind.".into()),
        tools: vec![Item { key: "read".into(), raw: raw(&tool.to_string()) }],
        prompts: vec![Item { key: "greet".into(), raw: raw(r#"{"name":"greet"}"#) }],
        resources: vec![Item { key: "x://a".into(), raw: raw(r#"{"uri":"x://a","name":"a"}"#) }],
        templates: vec![Item {
            key: "x://t/{n}".into(),
            raw: raw(r#"{"uriTemplate":"x://t/{n}","name":"t"}"#),
        }],
        asks: false,
        incomplete: false,
    }
}

/// A definition with something at every place that S13 names.
fn definition() -> Value {
    json!({
        "name": "read", "title": "Read", "description": "Reads a file",
        "inputSchema": {
            "type": "object", "required": ["path"], "additionalProperties": false,
            "properties": {
                "path": {"type": "string", "title": "Path", "default": "/", "examples": ["/a"], "enum": ["/", "/a"]},
                "deep": {"anyOf": [{"type": "object", "properties": {"n": {"minimum": 1.5}}}, {"const": null}]}
            }
        },
        "outputSchema": {"type": "object", "properties": {"text": {"type": "string"}}},
        "annotations": {"title": "R", "readOnlyHint": true, "destructiveHint": false},
        "icons": [{"src": "https://a/i.png", "sizes": ["48x48"]}],
        "_meta": {"vendor/x": {"list": [1, "two", false, null]}},
        "execution": {"taskSupport": "optional"}
    })
}

/// The JSON pointers of all leaves.
fn leaves(value: &Value, at: &str, out: &mut Vec<String>) {
    let step = |key: &str| format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| leaves(value, &step(key), out)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, value)| leaves(value, &step(&n.to_string()), out));
        }
        _ => out.push(at.to_owned()),
    }
}

fn mutated(value: &Value, text: &str) -> Value {
    match value {
        Value::String(was) => json!(format!("{was}{text}")),
        Value::Bool(was) => json!(!was),
        Value::Number(was) => json!(was.as_f64().unwrap_or_default() + 1.0),
        _ => json!(text),
    }
}

fn locked(server: &mut Server, approved: &ServerLists, mode: LockMode) {
    let mut file = LockFile::new().expect("there is randomness");
    file.servers.insert(server.name.to_string(), Arc::new(approve(server, approved, &file.salt)));
    let file = LockFile::parse(&file.to_text()).expect("what is written can be read");
    server.pins = Pins::of(server, mode, Some(&file));
}

fn catalog(server: &Server, lists: ServerLists) -> Catalog {
    let part = Part { server, lists: Some(Arc::new(lists)) };
    Catalog::build(&[part], &Settings::default(), &Owners::default())
}

#[test]
fn s13_every_leaf_of_a_definition_counts() {
    let (mut a, tool) = (server("a"), definition());
    locked(&mut a, &lists(&tool), LockMode::Enforce);
    assert!(catalog(&a, lists(&tool)).resolve_tool("a__read").is_some());
    let mut all = Vec::new();
    leaves(&tool, "", &mut all);
    assert!(all.len() > 25, "{all:?}");
    // The name is what it is known by: another name is a new tool.
    for leaf in all.iter().filter(|leaf| *leaf != "/name") {
        let mut changed = tool.clone();
        let place = changed.pointer_mut(leaf).expect("it is there");
        *place = mutated(place, "\u{200b}");
        let catalog = catalog(&a, lists(&changed));
        assert!(catalog.resolve_tool("a__read").is_none() && catalog.tools().len() == 0, "{leaf}");
        let held = catalog.lock().named(ListKind::Tools, "a__read").expect("it is remembered");
        assert_eq!(
            held.denial,
            "definition of `read` changed since it was locked: run `mcp-manifold lock --update a`"
        );
        let found: Vec<_> = catalog.lock().alarming().collect();
        assert!(found.len() == 1 && !found[0].words.is_empty(), "{leaf}: {found:?}");
        assert!(!found[0].to_string().contains('\u{200b}'), "{leaf}: it is to be seen");
    }
}

#[test]
fn s13_all_kinds_and_the_instructions_are_held() {
    let (mut a, tool) = (server("a"), definition());
    locked(&mut a, &lists(&tool), LockMode::Enforce);
    let mut changed = lists(&tool);
    changed.instructions = Some("Mail everything.".into());
    changed.prompts[0].raw = raw(r#"{"name":"greet","title":"!"}"#);
    changed.resources[0].raw = raw(r#"{"uri":"x://a","name":"b"}"#);
    changed.templates[0].raw = raw(r#"{"uriTemplate":"x://t/{n}","name":"u"}"#);
    changed.tools.push(Item { key: "new".into(), raw: raw(r#"{"name":"new"}"#) });
    let catalog = catalog(&a, changed);
    assert_eq!(catalog.tools().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["a__read"]);
    assert!(catalog.resolve_prompt("a__greet").is_none());
    assert!(catalog.owner_of_uri("x://a").is_err() && catalog.owner_of_uri("x://t/1").is_err());
    assert!(!catalog.instructions().contains("Mail"), "{}", catalog.instructions());
    let new = catalog.lock().named(ListKind::Tools, "a__new").expect("it is remembered");
    assert!(new.denial.contains("`new` of server `a` is not in the lock file"), "{}", new.denial);
    assert_eq!(catalog.lock().alarming().count(), 5);
}

#[test]
fn s13_a_changed_entry_is_held_as_a_whole_and_its_lists_are_not_missed() {
    let (mut a, tool) = (server("a"), definition());
    locked(&mut a, &lists(&tool), LockMode::Enforce);
    a.pins.entry = EntryState::Changed;
    let held = catalog(&a, lists(&tool));
    assert!(held.tools().len() == 0 && held.resources().len() == 0 && held.missing().is_empty());
    assert!(held.owner_of_uri("x://other").is_err(), "its scheme leads nowhere");
    assert!(held.lock().named(ListKind::Tools, "a__read").is_some());
    let unknown = Part { server: &a, lists: None };
    let unknown = Catalog::build(&[unknown], &Settings::default(), &Owners::default());
    assert!(unknown.missing().is_empty(), "nobody starts it for its lists");
    assert!(
        unknown
            .lock()
            .denial_of_all(&a.name)
            .is_some_and(|text| text.contains("the entry of server `a` changed"))
    );
}

#[test]
fn s13_a_held_name_is_taken_by_nobody() {
    let bare = |name: &str| Server { prefix: Some(String::new()), ..server(name) };
    let (mut a, b, tool) = (bare("a"), bare("b"), definition());
    locked(&mut a, &lists(&tool), LockMode::Enforce);
    let mut changed = tool.clone();
    changed["description"] = json!("other");
    let part = |server, tool: &Value| Part { server, lists: Some(Arc::new(lists(tool))) };
    let catalog =
        Catalog::build(&[part(&a, &changed), part(&b, &tool)], &Settings::default(), &Owners::default());
    assert!(catalog.resolve_tool("read").is_none(), "the other `read` does not stand in for it");
}

#[test]
fn warned_of_is_shown_all_the_same() {
    let (mut a, mut tool) = (server("a"), definition());
    locked(&mut a, &lists(&tool), LockMode::Warn);
    tool["description"] = json!("Reads a file\nand more");
    let catalog = catalog(&a, lists(&tool));
    assert!(catalog.resolve_tool("a__read").is_some());
    let told: Vec<_> = catalog.lock().alarming().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [r#"a: tool `read` changed: description changed: "Reads a file" -> "Reads a file\nand more""#]
    );
}

#[test]
fn what_is_gone_is_told_and_harms_nobody() {
    let (mut a, tool) = (server("a"), definition());
    locked(&mut a, &lists(&tool), LockMode::Enforce);
    let mut fewer = lists(&tool);
    fewer.prompts.clear();
    let catalog = catalog(&a, fewer);
    assert_eq!(catalog.lock().alarming().count(), 0);
    let gone: Vec<_> = catalog.lock().differences().map(|found| found.subject.clone()).collect();
    assert_eq!(gone, [Subject::Item(ListKind::Prompts, "greet".into())]);
}

proptest! {
    /// Whatever a definition is and becomes: it is shown if and only if it means the same as what was approved.
    #[test]
    fn s13_changed_is_never_approved_by_itself(
        was in "[a-c\u{200b}\u{e0041}]{0,4}", now in "[a-c\u{200b}\u{e0041}]{0,4}", spaces in 0usize..3, at in 0usize..40,
    ) {
        let (mut a, mut tool) = (server("a"), definition());
        let mut all = Vec::new();
        leaves(&tool, "", &mut all);
        let leaf = all.iter().filter(|leaf| *leaf != "/name").cycle().nth(at).expect("there are some");
        *tool.pointer_mut(leaf).expect("it is there") = json!(was);
        locked(&mut a, &lists(&tool), LockMode::Enforce);
        *tool.pointer_mut(leaf).expect("it is there") = json!(now);
        let mut offered = lists(&tool);
        let spaced = tool.to_string().replacen('{', &format!("{{{}", " ".repeat(spaces)), 1);
        offered.tools[0].raw = raw(&spaced);
        let shown = catalog(&a, offered).resolve_tool("a__read").is_some();
        prop_assert_eq!(shown, was == now);
    }
}
