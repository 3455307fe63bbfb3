//! Every root that a client uses, and what is no root.

use super::*;
use crate::config::syntax;
use crate::config::syntax::lines::Lines;

/// Names of the entries found, and all texts of findings.
fn look(text: &str) -> (Option<Vec<String>>, Vec<String>) {
    let root = syntax::parse(text, &Lines::new(text.as_bytes())).unwrap();
    let mut findings = Findings::default();
    let names = find(&root, &mut findings).map(|f| f.entries.iter().map(|raw| raw.name.to_owned()).collect());
    let told = findings.into_list();
    (
        names,
        told.into_iter().map(|f| f.text + &f.hint.map(|h| format!(" | {h}")).unwrap_or_default()).collect(),
    )
}

#[test]
fn finds_every_root() {
    let entry = r#"{"a": {"command": "x"}, "b": {"url": "http://h/"}}"#;
    for text in [
        format!(r#"{{"mcpServers": {entry}, "theme": "dark"}}"#),
        format!(r#"{{"servers": {entry}, "inputs": []}}"#),
        format!(r#"{{"context_servers": {entry}}}"#),
        format!(r#"{{"mcp_servers": {entry}}}"#),
        format!(r#"{{"amp.mcpServers": {entry}}}"#),
        format!(r#"{{"amp": {{"mcpServers": {entry}}}}}"#),
        format!(r#"{{"mcp": {entry}}}"#),
        format!(r#"{{"mcp": {{"servers": {entry}}}}}"#),
        format!(r#"{{"mcp.servers": {entry}}}"#),
        entry.to_owned(),
        r#"{"a": {"command": {"path": "x"}}, "b": {"type": "x"}, "gateway": {}, "_c": {}, "$schema": "y"}"#
            .replace(r#", "_c": {}"#, ""),
        r#"{"mcpServers": [{"name": "a", "command": "x"}, {"name": "b", "url": "y"}]}"#.to_owned(),
    ] {
        assert_eq!(look(&text), (Some(vec!["a".to_owned(), "b".to_owned()]), vec![]), "{text}");
    }
}

#[test]
fn says_what_is_wrong_with_the_root() {
    for (text, told) in [
        ("[]", "the file must hold an object, not a list | write `{ \"mcpServers\": { … } }`"),
        (
            r#"{"mcpServer": {"a": {"command": "x"}}}"#,
            "the file has no `mcpServers` | did you mean `mcpServers`?",
        ),
        (r#"{"theme": "dark"}"#, "the file has no `mcpServers` | put the servers under `mcpServers`"),
        (r#"{"mcpServers": 3}"#, "`mcpServers` must be an object of servers, not a number"),
        (
            r#"{"command": "x"}"#,
            "the file holds a single entry without a name | write `{ \"mcpServers\": { \"name\": { … } } }`",
        ),
    ] {
        assert_eq!(look(text), (None, vec![told.to_owned()]), "{text}");
    }
}

#[test]
fn an_empty_file_is_fine_and_a_second_map_is_told() {
    assert_eq!(look("{}").0, Some(vec![]));
    assert_eq!(look(r#"{"gateway": {}}"#).1, vec!["the file names no servers | add them under `mcpServers`"]);
    let (names, told) = look(r#"{"servers": {"b": {}}, "mcpServers": {"a": {}}, "imput": []}"#);
    assert_eq!(names, Some(vec!["a".to_owned()]));
    assert_eq!(
        told,
        vec![
            "`servers` is ignored, because `mcpServers` is there too",
            "unknown key `imput` | did you mean `inputs`?"
        ]
    );
}
