//! The shape of `src`: imports run downhill, files are short and say what they are for, some words stay out.
//!
//! It reads the sources as text. What the compiler or clippy can check is left to them.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// The modules of the crate, lowest first: each imports only from those before it, and from itself.
pub const LAYERS: [&str; 16] = [
    "name",
    "secret",
    "telemetry",
    "wire",
    "protocol",
    "config",
    "auth",
    "catalog",
    "policy",
    "downstream",
    "gateway",
    "reload",
    "share",
    "front",
    "app",
    "cli",
];

/// Children that use an item of the module they stand in, and why that is not moved into a child of its own.
const USES_ITS_PARENT: [(&str, &str, &str); 3] = [
    ("downstream::line::handshake", "downstream::line::LineLink", "a call before the era is known"),
    ("downstream::line::lifeline", "downstream::line::LineLink", "the tasks it owns run on the link"),
    ("downstream::stdio::lifeline", "downstream::stdio::read_from", "the reading task it owns"),
];

/// Lines of a file, without its tests.
const LONGEST_FILE: usize = 400;
/// There are more; should the sources be read wrongly, this is what shows it.
const LEAST_IMPORTS: usize = 800;
const LEAST_FILES: usize = 150;

/// Words that mean two things, or that work is left.
const FORBIDDEN_WORDS: [&str; 5] = ["upstream", "todo", "fixme", "xxx", "dbg"];
/// Beginnings of function names that say nothing.
const EMPTY_VERBS: [&str; 3] = ["handle_", "process_", "do_"];
/// Ends of type names that say nothing.
const EMPTY_NOUNS: [&str; 8] = ["Manager", "Service", "Helper", "Util", "Utils", "Common", "Context", "Data"];

/// One file of `src`.
struct Source {
    path: PathBuf,
    /// `a::b` for `src/a/b.rs`; empty for `lib.rs` and `main.rs`.
    module: String,
    text: String,
    /// Without comments and tests; lines keep their numbers.
    code: Vec<String>,
    is_test: bool,
}

impl Source {
    fn place(&self, line: usize) -> String {
        format!("{}:{}", self.path.display(), line + 1)
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    rust_files(&root().join("src"), &mut paths);
    paths.sort();
    let mut sources: Vec<Source> = paths.iter().map(|path| read(path)).collect();
    let of_tests: BTreeSet<String> = sources.iter().flat_map(test_modules).collect();
    for source in &mut sources {
        let below = |test: &String| {
            source.module == *test || source.module.strip_prefix(test).is_some_and(|r| r.starts_with("::"))
        };
        source.is_test = of_tests.iter().any(below);
    }
    assert!(sources.len() >= LEAST_FILES, "only {} files were found", sources.len());
    assert!(of_tests.len() >= 5, "only {} test modules were found", of_tests.len());
    sources
}

fn read(path: &Path) -> Source {
    let short = path.strip_prefix(root()).expect("a file of the project").to_owned();
    let words: Vec<_> = short.with_extension("").iter().map(|word| word.to_string_lossy().into()).collect();
    let words: Vec<String> = words.into_iter().skip(1).collect();
    let is_root = matches!(words.as_slice(), [one] if one == "lib" || one == "main");
    let text = fs::read_to_string(path).expect("a source in UTF-8").replace("\r\n", "\n");
    let code = without_tests(&text).into_iter().map(without_comment).collect();
    let module = if is_root { String::new() } else { words.join("::") };
    Source { path: short, module, text, code, is_test: false }
}

/// The lines, with `None` for those of items under `#[cfg(test)]`.
fn without_tests(text: &str) -> Vec<Option<&str>> {
    let mut skipping = false;
    let mut kept = Vec::new();
    for line in text.lines() {
        skipping |= line == "#[cfg(test)]";
        kept.push((!skipping).then_some(line));
        let ends_an_item = line == "}" || (line.ends_with(';') && !line.starts_with(' '));
        skipping &= !ends_an_item;
    }
    kept
}

/// Modules that are files and are compiled for tests only.
fn test_modules(source: &Source) -> Vec<String> {
    let mut modules = Vec::new();
    for (line, code) in source.text.lines().zip(&source.code) {
        let name = line.trim_start_matches("pub ").strip_prefix("mod ").and_then(|l| l.strip_suffix(';'));
        if let (Some(name), true) = (name, code.is_empty()) {
            modules.push(format!("{}::{name}", source.module));
        }
    }
    modules
}

fn without_comment(line: Option<&str>) -> String {
    let line = line.unwrap_or_default();
    if line.trim_start().starts_with("//") {
        return String::new();
    }
    line.split(" // ").next().unwrap_or_default().to_owned()
}

/// Every path through the crate root on a line of code: `a::b::C`.
fn crate_paths(line: &str) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_:".contains(c);
    let path = |rest: &str| rest.chars().take_while(|c| is_part(*c)).collect::<String>();
    let starts = line.match_indices("crate::").filter(|(at, _)| !line[..*at].ends_with(is_part));
    starts.map(|(at, start)| path(&line[at + start.len()..]).trim_end_matches(':').to_owned()).collect()
}

/// Source, number of the line, path.
fn imports(sources: &[Source]) -> Vec<(&Source, usize, String)> {
    let mut imports = Vec::new();
    for source in sources.iter().filter(|source| !source.is_test) {
        for (number, line) in source.code.iter().enumerate() {
            imports.extend(crate_paths(line).into_iter().map(|path| (source, number, path)));
        }
    }
    assert!(imports.len() >= LEAST_IMPORTS, "only {} imports were found", imports.len());
    imports
}

fn layer(path: &str) -> Option<usize> {
    let first = path.split("::").next()?;
    LAYERS.iter().position(|layer| *layer == first)
}

#[track_caller]
fn assert_none(found: impl IntoIterator<Item = impl Display>, rule: &str) {
    let found: Vec<String> = found.into_iter().map(|one| format!("  {one}")).collect();
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

#[test]
fn imports_run_downhill() {
    let sources = sources();
    let declared: BTreeSet<String> = fs::read_to_string(root().join("src/lib.rs"))
        .expect("the root of the crate")
        .lines()
        .filter_map(|line| Some(line.strip_prefix("pub mod ")?.strip_suffix(';')?.to_owned()))
        .collect();
    assert_eq!(declared, LAYERS.map(str::to_owned).into_iter().collect(), "the modules of `lib.rs`");
    let mut uphill = Vec::new();
    for (source, line, path) in imports(&sources) {
        // `lib.rs` and `main.rs` stand above everything.
        let own = if source.module.is_empty() { Some(LAYERS.len()) } else { layer(&source.module) };
        match (own, layer(&path)) {
            (Some(own), Some(imported)) if imported <= own => {}
            _ => uphill.push(format!("{} imports {path}", source.place(line))),
        }
    }
    assert_none(uphill, "a module imports only from itself and those before it in `LAYERS`");
}

#[test]
fn children_do_not_import_from_the_module_they_stand_in() {
    let sources = sources();
    let modules: BTreeSet<&str> = sources.iter().map(|source| source.module.as_str()).collect();
    let (mut wrong, mut excused) = (Vec::new(), BTreeSet::new());
    for (source, line, path) in imports(&sources) {
        let Some((parent, _)) = path.rsplit_once("::") else { continue };
        let is_below = source.module.strip_prefix(parent).is_some_and(|rest| rest.starts_with("::"));
        if !is_below || modules.contains(path.as_str()) {
            continue;
        }
        match USES_ITS_PARENT.iter().position(|(child, item, _)| source.module == *child && path == *item) {
            Some(at) => drop(excused.insert(at)),
            None => wrong.push(format!("{} imports {path}", source.place(line))),
        }
    }
    assert_none(wrong, "what a child and its parent need stands in a child of its own");
    let stale = USES_ITS_PARENT.iter().enumerate().filter(|(at, _)| !excused.contains(at));
    assert_none(
        stale.map(|(_, (child, item, _))| format!("{child} {item}")),
        "no exception is needed any more",
    );
}

#[test]
fn imports_are_written_out() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (number, line) in source.code.iter().enumerate() {
            let trimmed = line.trim_start();
            let is_use = trimmed.starts_with("use ") || trimmed.starts_with("pub use ");
            let is_inner_module = line.starts_with(' ') && trimmed.starts_with("use super::");
            let root_path = !crate_paths(line).is_empty() && !line.contains("pub(in crate::");
            let faults = [
                (is_use && line.contains("crate::") && line.contains('{'), "braces"),
                (is_use && line.contains("crate::") && line.contains("::*"), "a glob of the crate"),
                (line.contains("use self::") || line.contains("use super::super"), "a relative path"),
                (line.contains("super::") && !is_inner_module && !source.is_test, "a relative path"),
                (root_path && !is_use && !source.is_test, "a path outside `use`"),
            ];
            for (_, what) in faults.iter().filter(|(is_there, _)| *is_there) {
                wrong.push(format!("{} {what}: {trimmed}", source.place(number)));
            }
        }
    }
    assert_none(wrong, "imports are lines of `use crate::module::Item;`");
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let mut wrong = Vec::new();
    for source in sources() {
        let file = source.path.display();
        if !source.text.starts_with("//! ") {
            wrong.push(format!("{file} does not begin with `//! `"));
        }
        if source.path.ends_with("mod.rs") {
            wrong.push(format!("{file}: write `folder.rs` beside `folder/`"));
        }
        let lines = without_tests(&source.text).into_iter().flatten().count();
        if lines > LONGEST_FILE && !source.is_test {
            wrong.push(format!("{file} has {lines} lines without its tests, more than {LONGEST_FILE}"));
        }
    }
    assert_none(wrong, "one concept per file, named after it");
}

#[test]
fn some_words_stay_out() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (number, line) in source.text.lines().enumerate() {
            let lower = line.to_lowercase();
            let words = lower.split(|c: char| !c.is_ascii_alphanumeric());
            let forbidden = words.filter(|word| FORBIDDEN_WORDS.contains(word));
            wrong.extend(forbidden.map(|word| format!("{} `{word}`", source.place(number))));
            let words: Vec<&str> = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
            for pair in words.windows(2) {
                let empty = match pair[0] {
                    "fn" => EMPTY_VERBS.iter().any(|verb| pair[1].starts_with(verb)),
                    "struct" | "enum" | "trait" => EMPTY_NOUNS.iter().any(|noun| pair[1].ends_with(noun)),
                    _ => false,
                };
                if empty && !line.trim_start().starts_with("//") {
                    wrong.push(format!("{} `{}`", source.place(number), pair[1]));
                }
            }
        }
    }
    assert_none(wrong, "words that say nothing, or two things");
}

/// The readers above, on texts whose answer is known.
#[test]
fn sources_are_read_as_the_compiler_does() {
    let text = "use crate::a::B;\n#[cfg(test)]\nmod x;\nuse crate::c; // crate::d\n#[cfg(test)]\nmod tests {\n    use super::*;\n}\nfn f() {}\n";
    let kept: Vec<String> = without_tests(text).into_iter().map(without_comment).collect();
    assert_eq!(kept, ["use crate::a::B;", "", "", "use crate::c;", "", "", "", "", "fn f() {}"]);
    assert_eq!(crate_paths("let x: crate::a::B<crate::c::D> = $crate::e();"), ["a::B", "c::D", "e"]);
    assert_eq!(crate_paths("use other_crate::a; use crate::{b};"), [""]);
    assert!(layer("wire::frame") < layer("gateway") && layer("nothing").is_none());
}
