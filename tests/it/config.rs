//! Files of every client are read as expected, and broken files are told as expected.

use mcp_manifold::config;
use mcp_manifold::config::LoadError;
use mcp_manifold::config::Loaded;
use mcp_manifold::config::environment::Environment;
use mcp_manifold::config::model::Config;
use mcp_manifold::config::model::Server;
use mcp_manifold::config::model::Transport;
use std::fmt::Write;
use std::path::Path;
use std::path::PathBuf;

fn fixtures(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/config").join(kind);
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder of fixtures")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    assert!(files.len() >= 10, "only {} fixtures of kind {kind}", files.len());
    files
}

/// A fixed machine whose current folder is that of `file`.
fn environment(file: &Path) -> Environment {
    let vars = [
        ("PATH", "/usr/bin"),
        ("SHELL", "/bin/sh"),
        ("LC_ALL", "C"),
        ("API_KEY", "key-of-ann"),
        ("INPUT_PERPLEXITY_KEY", "asked"),
        ("UNRELATED_SECRET", "never passed on"),
    ];
    let folder = file.parent().expect("a fixture has a folder");
    Environment::new(vars, folder).home("/home/ann").workspace(folder).own_binary("/bin/mcp-manifold")
}

fn load(file: &Path) -> Result<Loaded, LoadError> {
    let name = file.file_name().expect("a fixture has a name");
    config::load(Path::new(name), &environment(file))
}

/// Everything that matters of a configuration, values included: the fixtures hold invented secrets.
fn rendered(loaded: &Loaded) -> String {
    let mut text = String::new();
    for server in loaded.config.servers.values() {
        render_server(server, &mut text);
    }
    for out in &loaded.config.left_out {
        writeln!(text, "left out: {}: {}", out.name, out.reason).expect("a string takes everything");
    }
    for problem in &loaded.problems {
        writeln!(text, "{problem}").expect("a string takes everything");
    }
    text
}

fn render_server(server: &Server, text: &mut String) {
    let mut line = format!("{}:", server.name);
    match &server.transport {
        Transport::Stdio(child) => {
            let args: Vec<_> = child.args.iter().map(|arg| arg.value.as_str()).collect();
            line += &format!(" stdio {} {args:?}", child.command.value);
            for (name, variable) in &child.env {
                let sign = if variable.declared { "=" } else { "~" };
                line += &format!("\n  {name}{sign}{}", variable.value.expose());
            }
            child.cwd.iter().for_each(|cwd| line += &format!("\n  in {}", cwd.display()));
        }
        Transport::Http(remote) => {
            line += &format!(" http {}", remote.url.value);
            for (name, value) in &remote.headers {
                line += &format!("\n  {name}: {}", value.expose());
            }
        }
    }
    line += &format!(
        "\n  call {:?}, start {:?}, list {:?}, idle {:?}, stop {:?}+{:?}, at once {}\n",
        server.call_timeout,
        server.start_timeout,
        server.list_timeout,
        server.idle_timeout,
        server.stop.eof,
        server.stop.term,
        server.max_in_flight
    );
    line += &format!("  era {:?}, prefix {:?}, tools {:?}", server.era, server.prefix, server.tools);
    line += &format!(", described {:?}\n", server.description);
    *text += &line;
}

/// Compares with the file beside the fixture, or writes it when asked to.
fn compare(fixture: &Path, extension: &str, actual: &str) {
    let folder = fixture.parent().expect("a fixture has a folder").display().to_string();
    let actual = actual.replace(&folder, "<folder>");
    let expected = fixture.with_extension(extension);
    if update_wanted() {
        std::fs::write(&expected, &actual).expect("the expectation is written");
    }
    let wanted = std::fs::read_to_string(&expected).unwrap_or_default();
    assert_eq!(actual, wanted, "{}", fixture.display());
}

#[test]
fn files_of_every_client_are_read() {
    for fixture in fixtures("valid") {
        let loaded = load(&fixture).unwrap_or_else(|error| panic!("{error}: {:?}", error.problems()));
        assert!(!loaded.config.servers.is_empty(), "{}", fixture.display());
        compare(&fixture, "txt", &rendered(&loaded));
    }
}

#[test]
fn broken_files_are_told_with_line_and_column() {
    for fixture in fixtures("invalid") {
        let (problems, tail) = match load(&fixture) {
            Ok(loaded) => (loaded.problems, String::new()),
            Err(error) => (error.problems().to_vec(), format!("{error}\n")),
        };
        assert!(!problems.is_empty(), "{}", fixture.display());
        let lines: String = problems.iter().map(|problem| format!("{problem}\n")).collect();
        assert!(!lines.contains('\u{1b}'), "{}", fixture.display());
        assert!(!lines.contains("key-of-ann"), "a value in {}", fixture.display());
        compare(&fixture, "stderr", &(lines + &tail));
    }
}

#[test]
fn what_cannot_be_read_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let environment = Environment::new([("A", "b")], folder.path());
    let told = |name: &str| {
        let error = config::load(Path::new(name), &environment).expect_err("nothing to read");
        assert!(error.problems().is_empty());
        error.to_string()
    };
    assert_eq!(told("none.json"), "`none.json` cannot be read: no such file");
    assert!(told(".").starts_with("`.` cannot be read: "));
    std::fs::write(folder.path().join("big.json"), vec![b' '; (16 << 20) + 1]).expect("written");
    assert_eq!(told("big.json"), "`big.json` cannot be read: it has more than 16777216 bytes");
}

/// A half-written file must never be taken for another configuration.
#[test]
fn a_file_cut_anywhere_is_refused_or_the_same() {
    for fixture in fixtures("valid") {
        let bytes = std::fs::read(&fixture).expect("a fixture");
        let environment = environment(&fixture);
        let name = Path::new(fixture.file_name().expect("a fixture has a name"));
        let whole = config::parse(&bytes, name, &environment).expect("valid").config;
        for cut in 0..bytes.len() {
            if let Ok(loaded) = config::parse(&bytes[..cut], name, &environment) {
                let rest = &bytes[cut..];
                assert!(rest.iter().all(u8::is_ascii_whitespace), "{} cut at {cut}", fixture.display());
                assert_eq!(loaded.config, whole, "{} cut at {cut}", fixture.display());
            }
        }
    }
}

#[test]
fn one_bad_entry_takes_no_other_down_wherever_it_stands() {
    let good = r#""good": { "command": "x" }"#;
    for bad in ["3", "null", "[]", "{}", "{\"command\": []}", "{\"url\": \"\"}", "{\"type\": 1}", "\"x\""] {
        for text in [
            format!("{{\"mcpServers\": {{\"bad\": {bad}, {good}}}}}"),
            format!("{{\"mcpServers\": {{{good}, \"bad\": {bad}}}}}"),
        ] {
            let environment = Environment::new([("A", "b")], "/");
            let loaded = config::parse(&text, Path::new("mcp.json"), &environment).expect(&text);
            let names = |config: &Config| config.servers.keys().map(ToString::to_string).collect::<Vec<_>>();
            assert_eq!(names(&loaded.config), ["good"], "{text}");
            assert_eq!(loaded.config.left_out.len(), 1, "{text}");
            assert_eq!(loaded.problems[0].server.as_deref(), Some("bad"), "{text}");
        }
    }
}

#[test]
fn the_digest_follows_the_file_and_its_extra_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    let environment = Environment::new([("A", "b")], folder.path());
    let load = || config::load(Path::new("mcp.json"), &environment).expect("valid");
    write("mcp.json", r#"{"mcpServers": {"a": {"command": "x", "env": {"K": "${file:secret}"}}}}"#);
    write("secret", "one");
    let first = load();
    assert_eq!(first.config.extra_files, [folder.path().join("secret")]);
    assert_eq!(first.digest, load().digest);
    let now = || config::digest_now(Path::new("mcp.json"), &first.config.extra_files, &environment);
    assert_eq!(now().expect("readable"), first.digest);
    write("secret", "two");
    assert_ne!(now().expect("readable"), first.digest);
    assert_ne!(first.digest, load().digest);
    std::fs::remove_file(folder.path().join("secret")).expect("removed");
    let without = load();
    assert_eq!(without.config.extra_files, first.config.extra_files, "a missing file is watched for too");
    assert!(without.config.servers.is_empty());
    assert_eq!(now().expect("readable"), without.digest);
    write("secret", "one");
    assert_eq!(first.digest, load().digest);
}

#[test]
fn the_committed_schema_is_fresh() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/config.schema.json");
    let fresh = config::file::schema_json();
    if update_wanted() {
        std::fs::write(&committed, &fresh).expect("the schema is written");
    }
    let text = std::fs::read_to_string(committed).unwrap_or_default();
    assert_eq!(text.replace("\r\n", "\n"), fresh, "run the tests with UPDATE_FIXTURES=1");
}

/// Whether the golden files are to be written instead of compared.
fn update_wanted() -> bool {
    #[expect(clippy::disallowed_methods, reason = "a switch of the test run itself")]
    std::env::var_os("UPDATE_FIXTURES").is_some()
}
