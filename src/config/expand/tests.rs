//! Every form of a variable, and that nothing is expanded twice.

use super::*;
use crate::config::finding::Findings;
use crate::config::syntax;
use crate::config::syntax::lines::Lines;

fn environment() -> Environment {
    Environment::new(
        [("A", "alpha"), ("EMPTY", ""), ("TRICK", "${A}~/$${"), ("PAD", "x \n"), ("INPUT_API_KEY", "asked")],
        "/cwd",
    )
    .home("/home/ann")
    .workspace("/home/ann/site")
    .own_binary("/bin/gw")
}

fn with(
    written: &str,
    environment: &Environment,
    folder: &Path,
    style: Style,
) -> Result<String, Vec<String>> {
    let text = r#"[{"id": "api-key"}, {"id": "region", "default": "eu"}, {"id": "bare"}]"#;
    let node = syntax::parse(text, &Lines::new(text.as_bytes())).unwrap();
    let inputs = Inputs::read(Some(&node), &mut Findings::default());
    let (mut files, own) = (Files::default(), vec![("OWN".to_owned(), "mine".to_owned())]);
    let mut scope = Scope { environment, inputs: &inputs, folder, files: &mut files, braces: false, own };
    match expand(written, &mut scope, style) {
        Ok(outcome) => {
            assert_eq!(outcome.expanded.written, written);
            Ok(outcome.expanded.value)
        }
        Err(faults) => Err(faults.into_iter().map(|fault| fault.text).collect()),
    }
}

fn plain(written: &str) -> Result<String, Vec<String>> {
    with(written, &environment(), Path::new("/etc"), Style::default())
}

#[test]
fn expands_every_form() {
    for (written, value) in [
        ("x ${A} y", "x alpha y"),
        ("${env:A}", "alpha"),
        ("${NONE:-dflt}", "dflt"),
        ("${env:NONE:-a:b}", "a:b"),
        ("${NONE:-}", ""),
        ("${EMPTY}", ""),
        ("${EMPTY:-used}", "used"),
        ("${OWN}", "mine"),
        ("${userHome}/x", "/home/ann/x"),
        ("${workspaceFolder}", "/home/ann/site"),
        ("${workspaceFolderBasename}", "site"),
        ("${self}", "/bin/gw"),
        ("a${/}b${pathSeparator}c", if cfg!(windows) { "a\\b\\c" } else { "a/b/c" }),
        ("${input:api-key}", "asked"),
        ("${input:region}", "eu"),
        ("$A $(A) %A% {env:A}", "$A $(A) %A% {env:A}"),
        ("$${A}", "${A}"),
        ("${TRICK}", "${A}~/$${"),
        ("~/x", "~/x"),
    ] {
        assert_eq!(plain(written), Ok(value.to_owned()), "{written}");
    }
}

#[test]
fn names_what_is_missing_or_means_nothing() {
    for (written, text) in [
        ("${NONE}", "environment variable `NONE` is not set"),
        ("${env:NONE}", "environment variable `NONE` is not set"),
        ("${input:bare}", "input `bare` has no value"),
        ("${cmd:rm -rf}", "`${cmd:…}` means nothing here"),
        ("${{ secrets.X }}", "a `${…}` holds no variable name"),
        ("${}", "a `${…}` holds no variable name"),
        ("${A", "a `${` is never closed"),
        ("${A:-${EMPTY}", "the default of `${A:-…}` holds a variable"),
    ] {
        assert_eq!(plain(written), Err(vec![text.to_owned()]), "{written}");
    }
    assert_eq!(plain("${N1} ${N2}").unwrap_err().len(), 2, "all of them at once");
    let bare = Environment::default();
    let unknown = with("${self}", &bare, Path::new("/"), Style::default());
    assert_eq!(unknown, Err(vec!["`${self}` is not known here".to_owned()]));
}

#[test]
fn tilde_counts_only_at_the_head_of_what_was_written() {
    let style = Style { tilde: true, lenient: false };
    let expand = |written| with(written, &environment(), Path::new("/etc"), style);
    assert_eq!(expand("~/x"), Ok("/home/ann/x".to_owned()));
    assert_eq!(expand("~"), Ok("/home/ann".to_owned()));
    assert_eq!(expand("a~/x"), Ok("a~/x".to_owned()));
    assert_eq!(expand("~bob/x"), Ok("~bob/x".to_owned()));
}

#[test]
fn lenient_keeps_what_is_not_set() {
    let style = Style { tilde: false, lenient: true };
    let expand = |written| with(written, &environment(), Path::new("/etc"), style);
    assert_eq!(expand("Bearer ${NONE} ${A}"), Ok("Bearer ${NONE} alpha".to_owned()));
}

#[test]
fn reads_files_beside_the_configuration_once_and_remembers_them() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "s3cret\r\n").unwrap();
    let value = with("${file:token}", &environment(), folder.path(), Style::default());
    assert_eq!(value, Ok("s3cret".to_owned()));
    let missing = with("${file:none}", &environment(), folder.path(), Style::default()).unwrap_err();
    assert!(missing[0].ends_with("none` cannot be read: no such file"), "{missing:?}");
    let directory = with("${file:.}", &environment(), folder.path(), Style::default()).unwrap_err();
    assert!(directory[0].ends_with("it is not a regular file"), "{directory:?}");
}
