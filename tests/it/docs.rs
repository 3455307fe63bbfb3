//! What the documents say is so: files, commands, flags, keys and JSON texts in them exist and work.
//!
//! It does not check prose.

use crate::layering::LAYERS;
use mcp_manifold::config;
use mcp_manifold::config::Loaded;
use mcp_manifold::config::environment::Environment;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(name: &str) -> String {
    let path = root().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands between fences of `language`.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    let mut inside = None;
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), inside) {
            (Some(_), Some(_)) => inside = None,
            (Some(named), None) => {
                inside = Some(named == language);
                if named == language {
                    blocks.push(String::new());
                }
            }
            (None, Some(true)) => {
                let block = blocks.last_mut().expect("a block was begun");
                block.push_str(line);
                block.push('\n');
            }
            (None, _) => {}
        }
    }
    assert_eq!(inside, None, "a block is not closed");
    blocks
}

/// What stands in single backticks, outside of blocks.
fn inline_code(text: &str) -> Vec<String> {
    let prose: String = text.split("```").step_by(2).collect();
    prose.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Lines of shell blocks, and inline code.
fn code(text: &str) -> Vec<String> {
    let lines =
        blocks(text, "sh").into_iter().flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>());
    lines.chain(inline_code(text)).collect()
}

fn heading<'a>(text: &'a str, name: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("\n{name}\n")).unwrap_or_else(|| panic!("no heading `{name}`"));
    rest.split("\n#").next().unwrap_or_default()
}

/// The code in the first column of a table.
fn first_column(text: &str) -> BTreeSet<String> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| Some(row.split_once('`')?.0.to_owned())).collect()
}

/// A machine on which the variables of the examples are set, or none.
fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::new(variables.iter().copied(), root())
        .home("/home/ann")
        .own_binary(env!("CARGO_BIN_EXE_mcp-manifold"))
}

#[track_caller]
fn loaded_without_problems(text: &str, variables: &[(&str, &str)]) -> Loaded {
    let loaded = config::parse(text, Path::new("mcp.json"), &environment(variables))
        .unwrap_or_else(|error| panic!("{error}: {:?}\n{text}", error.problems()));
    assert!(loaded.problems.is_empty(), "{:?}\n{text}", loaded.problems);
    loaded
}

/// The help of the program, or of one of its commands.
fn help(command: &[&str]) -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_mcp-manifold"));
    let output = program.args(command).arg("--help").output().expect("the binary runs");
    assert!(output.status.success(), "{command:?}");
    String::from_utf8(output.stdout).expect("help is UTF-8")
}

/// The help of a command and of those below it.
fn help_in_full(command: &str) -> String {
    let own = help(&[command]);
    let below = listed(&own).into_iter().filter(|name| name != "help");
    let below: String = below.map(|name| help(&[command, &name])).collect();
    own + &below
}

/// The commands that a help lists.
fn listed(help: &str) -> BTreeSet<String> {
    let Some((_, list)) = help.split_once("Commands:\n") else { return BTreeSet::new() };
    let rows = list.lines().take_while(|line| line.starts_with("  "));
    rows.filter_map(|row| row.split_whitespace().next().map(str::to_owned)).collect()
}

fn commands() -> BTreeSet<String> {
    let names = listed(&help(&[]));
    assert!(names.contains("serve") && names.contains("check"), "{names:?}");
    names
}

#[test]
fn json_texts_of_the_readme_are_configurations_without_problems() {
    let blocks = blocks(&text("README.md"), "json");
    assert!(blocks.len() >= 5, "only {} JSON texts were found", blocks.len());
    for block in blocks {
        let value: Value = serde_json::from_str(&block).unwrap_or_else(|error| panic!("{error}:\n{block}"));
        assert!(value.get("mcpServers").or_else(|| value.get("servers")).is_some(), "{block}");
        let variables = [("GITHUB_TOKEN", "an-invented-token"), ("GATEWAY_TOKEN", "an-invented-long-token")];
        let loaded = loaded_without_problems(&block, &variables);
        assert!(!loaded.config.servers.is_empty(), "{block}");
    }
}

#[test]
fn the_example_file_loads_on_a_machine_without_variables() {
    let text = text("mcp.json.example");
    serde_json::from_str::<Value>(&text).expect("the example is strict JSON");
    let loaded = loaded_without_problems(&text, &[]);
    let names: Vec<&str> = loaded.config.servers.keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["echo", "workshop"], "what runs without anything installed");
    assert!(
        loaded.config.left_out.iter().all(|out| out.reason == "disabled"),
        "{:?}",
        loaded.config.left_out
    );
}

#[test]
fn commands_and_flags_of_the_readme_exist() {
    let (readme, known) = (text("README.md"), commands());
    let mut used = BTreeSet::new();
    for line in code(&readme) {
        let Some((before, after)) = line.split_once("mcp-manifold ") else { continue };
        if !before.is_empty() && !before.ends_with(' ') {
            continue;
        }
        let first = after.split_whitespace().next().unwrap_or_default();
        if !first.starts_with('-') {
            assert!(known.contains(first), "`{line}` names no command");
            used.insert(first.to_owned());
        }
        let help =
            help(if known.contains(first) && first != "help" { std::slice::from_ref(&first) } else { &[] });
        for flag in after.split_whitespace().filter(|word| word.starts_with("--")) {
            assert!(help.contains(flag), "`{line}`: `{flag}` is not in the help");
        }
    }
    assert_eq!(used, known, "the commands that the README shows");
    let all: String = known.iter().filter(|name| *name != "help").map(|name| help_in_full(name)).collect();
    for word in inline_code(&readme).iter().filter(|word| word.starts_with("--")) {
        let flag = word.split_whitespace().next().unwrap_or_default();
        assert!(all.contains(flag) || flag == "--help", "`{word}` is not in any help");
    }
}

fn schema() -> Value {
    serde_json::from_str(&text("schema/config.schema.json")).expect("the schema is JSON")
}

/// Properties of a definition, those of objects in it with a dot.
fn keys_of(schema: &Value, name: &str, in_full: bool) -> BTreeSet<String> {
    let properties = schema["definitions"][name]["properties"].as_object().expect("an object of the schema");
    let mut keys = BTreeSet::new();
    for (key, property) in properties {
        let refers = property["anyOf"].as_array().into_iter().flatten().find_map(|one| one["$ref"].as_str());
        let object = refers.and_then(|path| path.strip_prefix("#/definitions/"));
        match object.filter(|object| in_full && schema["definitions"][*object]["properties"].is_object()) {
            Some(object) => {
                keys.extend(keys_of(schema, object, true).iter().map(|inner| format!("{key}.{inner}")))
            }
            None => drop(keys.insert(key.clone())),
        }
    }
    keys
}

#[test]
fn keys_of_the_readme_are_those_of_the_schema() {
    let (readme, schema) = (text("README.md"), schema());
    let gateway = first_column(heading(&readme, "### The `gateway` section"));
    assert_eq!(gateway, keys_of(&schema, "Gateway", true));
    let entry = first_column(heading(&readme, "### Keys of an entry"));
    assert_eq!(entry, keys_of(&schema, "Entry", false));
}

/// The numbers of the table are those of the program: a file that says them changes nothing.
#[test]
fn defaults_of_the_readme_are_those_of_the_program() {
    let readme = text("README.md");
    let row = |line: &str| {
        let cells: Vec<String> = line.split('|').map(|cell| cell.trim().to_owned()).collect();
        let key = cells.get(1)?.strip_prefix('`')?.strip_suffix('`')?.to_owned();
        let value: Value = serde_json::from_str(cells.get(2)?.trim_matches('`')).ok()?;
        Some((key, value))
    };
    let mut gateway = serde_json::json!({});
    let rows: Vec<_> = heading(&readme, "### The `gateway` section").lines().filter_map(row).collect();
    assert!(rows.len() >= 20, "only {} defaults were found", rows.len());
    for (key, value) in rows {
        match key.split_once('.') {
            Some((section, key)) => gateway[section][key] = value,
            None => gateway[&key] = value,
        }
    }
    let plain = serde_json::json!({"mcpServers": {"a": {"command": "x"}}});
    let mut with_all = plain.clone();
    with_all["gateway"] = gateway;
    let rows: Vec<_> = heading(&readme, "### Keys of an entry").lines().filter_map(row).collect();
    assert!(rows.len() >= 6, "only {} defaults were found", rows.len());
    for (key, value) in rows {
        with_all["mcpServers"]["a"][&key] = value;
    }
    let load = |value: &Value| loaded_without_problems(&value.to_string(), &[]).config;
    assert_eq!(load(&with_all), load(&plain), "{with_all:#}");
}

/// Names and numbers of the limits in `docs/protocol.md` are those of the README, which are the program's.
#[test]
fn limits_of_the_protocol_document_are_those_of_the_readme() {
    let (readme, document) = (text("README.md"), text("docs/protocol.md"));
    let readme = heading(&readme, "### The `gateway` section");
    let limits = heading(&document, "## Limits").lines().filter(|line| line.starts_with("| `"));
    let mut seen = 0;
    for line in limits {
        let columns: Vec<&str> = line.split(" | ").take(2).collect();
        let row = columns.join(" | ");
        assert!(
            readme.lines().any(|shown| shown.starts_with(&format!("{row} | "))),
            "not in the README: {row}"
        );
        seen += 1;
    }
    assert!(seen >= 10, "only {seen} limits were found");
}

#[test]
fn the_library_example_of_the_readme_stands_in_the_examples() {
    let example = text("examples/embed.rs");
    let blocks = blocks(&text("README.md"), "rust");
    assert_eq!(blocks.len(), 1);
    for line in blocks[0].lines() {
        assert!(example.contains(line.trim()), "not in examples/embed.rs: {line}");
    }
}

#[test]
fn the_embedding_example_lists_and_calls() {
    let path = Path::new(env!("CARGO_BIN_EXE_mcp-manifold")).with_file_name("examples").join("embed");
    let output = Command::new(&path).output().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    assert!(out.contains("\"echo__add\": \"Adds two numbers\"") && out.contains("\"sum\":5.0"), "{out}{err}");
}

/// A path of the project in backticks: `src/` may be left out, `*` stands for a name, braces for several.
#[test]
fn files_named_in_the_documents_exist() {
    let mut seen = 0;
    for document in
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/protocol.md"]
    {
        let text = text(document);
        for word in inline_code(&text) {
            let ends = [".rs", ".md", ".toml", ".json", ".json.example", "/"];
            let is_file = ends.iter().any(|end| word.ends_with(end)) || word.starts_with("bin/");
            let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
            let elsewhere =
                ["mcp.json", "claude_desktop_config.json", "mcp-manifold/mcp.json", "keys.json", "mod.rs"];
            let hidden = word.starts_with(['.', '~', '/']) && !word.starts_with(".ci");
            if !is_file || !plain || hidden || elsewhere.contains(&word.as_str()) {
                continue;
            }
            seen += 1;
            let there = root().join(&word).exists() || root().join("src").join(&word).exists();
            assert!(there, "{document} names `{word}`, which does not exist");
        }
    }
    assert!(seen >= 60, "only {seen} files were found");
}

/// The block of the map: a line per module in layer order, with its files behind a `/`.
#[test]
fn the_map_is_short_and_names_every_file_of_every_module() {
    let document = text("ARCHITECTURE.md");
    assert!(document.lines().count() <= 200, "ARCHITECTURE.md has {} lines", document.lines().count());
    let map = blocks(&document, "text").remove(0);
    let mut modules: Vec<(String, BTreeSet<String>)> = Vec::new();
    for line in map.lines() {
        if let Some((module, _)) = line.split_once(".rs ").filter(|_| !line.starts_with(' ')) {
            modules.push((module.to_owned(), BTreeSet::new()));
        } else if let Some(names) = line.trim_start().strip_prefix("/ ") {
            let names = names.split('·').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
            modules.last_mut().expect("files stand under their module").1.extend(names);
        }
    }
    for (module, named) in &modules {
        let folder = std::fs::read_dir(root().join("src").join(module)).into_iter().flatten();
        let paths = folder.map(|entry| entry.expect("an entry").path());
        let rust = paths.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
        let stems = rust.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
        let there: BTreeSet<String> =
            stems.filter(|name| !["tests", "fixtures"].contains(&name.as_str())).collect();
        assert_eq!(*named, there, "the files of `{module}` in ARCHITECTURE.md");
    }
    let in_order: Vec<&str> = modules.iter().map(|(module, _)| module.as_str()).collect();
    assert_eq!(in_order, LAYERS, "the modules in layer order");
}
