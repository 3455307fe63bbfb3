//! `docs/security.md` names tests for what it says: each of them is there, is a test, and is run.
//!
//! Whether a test shows what the document says of it, a person has to judge.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// When a test runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Runs {
    Always,
    /// It is ignored: only where somebody asks for it.
    WhenAsked,
}

/// The tests of a file: functions with a test attribute.
fn tests_of(text: &str) -> BTreeMap<String, Runs> {
    let (mut found, mut attributes, mut inside) = (BTreeMap::new(), String::new(), false);
    for line in text.lines().map(str::trim) {
        if inside || line.starts_with("#[") {
            attributes.push_str(line);
            inside = !line.ends_with(']');
        } else if let Some((_, rest)) = line.split_once("fn ").filter(|(before, _)| !before.contains("//")) {
            let name = rest.split(['(', '<']).next().unwrap_or_default().to_owned();
            let is_test = attributes.contains("#[test]") || attributes.contains("#[tokio::test");
            let how = if attributes.contains("#[ignore") { Runs::WhenAsked } else { Runs::Always };
            if is_test {
                found.insert(name, how);
            }
            attributes.clear();
        } else if !line.starts_with("//") {
            attributes.clear();
        }
    }
    found
}

/// All tests, by the file they stand in.
fn tests_in(folder: &Path, found: &mut BTreeMap<String, BTreeMap<String, Runs>>) {
    for entry in std::fs::read_dir(folder).expect("the folder can be read").flatten() {
        let path = entry.path();
        if path.is_dir() {
            tests_in(&path, found);
            continue;
        }
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let file = path.strip_prefix(root()).expect("it is below").display().to_string();
        found.entry(file).or_default().extend(tests_of(&text));
    }
}

/// True when `.ci/run` runs what is ignored in the test target that `file` belongs to.
fn ignored_run(ci: &str, file: &str) -> bool {
    let target = file.strip_prefix("tests/").and_then(|rest| rest.split('/').next());
    target.is_some_and(|target| {
        let word = format!("--test {target} ");
        ci.lines().any(|line| line.contains(&word) && line.contains("--ignored"))
    })
}

#[test]
fn a_function_is_no_test_and_an_ignored_one_is_known_as_such() {
    let text = "fn helper() {}\n#[test]\nfn one() {\n}\n\n#[ignore = \"x\"]\n#[test]\nfn two() {}\n#[tokio::test]\nasync fn three() {}\nfn last() {}\n";
    let expected = [("one", Runs::Always), ("three", Runs::Always), ("two", Runs::WhenAsked)];
    let expected = expected.map(|(name, how)| (name.to_owned(), how));
    assert_eq!(tests_of(text), BTreeMap::from(expected));
    let ci = "    cargo test --locked --test soak -- --ignored --nocapture\n    cargo test --test it x\n";
    assert!(
        ignored_run(ci, "tests/soak/x.rs")
            && !ignored_run(ci, "tests/it/x.rs")
            && !ignored_run(ci, "src/x.rs")
    );
}

#[test]
fn every_test_that_the_documents_name_exists() {
    let mut found = BTreeMap::new();
    for folder in ["src", "tests"] {
        tests_in(&root().join(folder), &mut found);
    }
    let text = std::fs::read_to_string(root().join("docs/security.md")).expect("it is there");
    let ci = std::fs::read_to_string(root().join(".ci/run")).expect("it is there");
    let (mut named, mut classes, mut statements) = (0, BTreeSet::new(), BTreeSet::new());
    for line in text.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let (Some(first), Some(last)) = (cells.first(), cells.last()) else { continue };
        let is_class = first.starts_with("T-");
        let is_statement = first.strip_prefix('S').is_some_and(|rest| rest.parse::<u8>().is_ok());
        if !is_class && !is_statement {
            continue;
        }
        if is_class {
            classes.insert((*first).to_owned())
        } else {
            statements.insert((*first).to_owned())
        };
        let words: Vec<&str> = last.split('`').skip(1).step_by(2).collect();
        assert!(!words.is_empty(), "{first} names no test");
        for word in words {
            let (file, test) =
                word.split_once("::").unwrap_or_else(|| panic!("{first}: `{word}` is no file::test"));
            let there = found.get(file).unwrap_or_else(|| panic!("{first}: there is no file {file}"));
            let how = there.get(test).unwrap_or_else(|| panic!("{first}: there is no test {test} in {file}"));
            let runs = *how == Runs::Always || ignored_run(&ci, file);
            assert!(runs, "{first}: {test} in {file} is ignored, and `.ci/run` does not run it");
            named += 1;
        }
    }
    assert_eq!(statements.len(), 19, "{statements:?}");
    assert!(classes.len() >= 39 && named >= 70, "{} classes, {named} tests", classes.len());
}

/// Each published hole is told once, in the row of its class, or in the text below the table.
#[test]
fn no_advisory_is_named_in_two_rows_of_the_table() {
    let text = std::fs::read_to_string(root().join("docs/security.md")).expect("it is there");
    let mut seen = BTreeSet::new();
    for line in text.lines().filter(|line| line.starts_with("| T-")) {
        let published = line.split(" | ").nth(1).expect("three columns");
        let words = published
            .split([' ', ',', '(', ')'])
            .filter(|word| ["CVE-", "GHSA-", "RUSTSEC-"].iter().any(|kind| word.starts_with(kind)));
        for word in words {
            assert!(seen.insert(word.to_owned()), "{word} stands in two rows");
        }
    }
    assert!(seen.len() >= 100, "{} advisories", seen.len());
}
