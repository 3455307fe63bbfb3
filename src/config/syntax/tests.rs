//! What is accepted, what is refused, and where the fault is said to be.

use super::*;

fn read(text: &str) -> Result<Node, Vec<(usize, String)>> {
    parse(text, &Lines::new(text.as_bytes()))
        .map_err(|found| found.into_list().into_iter().map(|f| (f.at, f.text)).collect())
}

#[test]
fn accepts_comments_trailing_commas_and_line_ends() {
    let root = read("// head\r\n{ /* a */ \"a\": [1, 2,], \"b\": null, } // tail").unwrap();
    assert_eq!(root.members().len(), 2);
    assert_eq!(root.get("a").unwrap().node.kind(), "a list");
}

#[test]
fn refuses_what_hides_mistakes() {
    for (text, at, words) in [
        ("{'a': 1}", 1, "single-quoted strings are not JSON"),
        ("{a: 1}", 1, "a key without quotes"),
        ("{\"a\": 1 \"b\": 2}", 6, "a comma is missing after this value"),
        ("{\"a\": 0x10}", 6, "hexadecimal numbers are not JSON"),
        ("{\"a\" 1}", 5, "a colon is missing after the key"),
        ("{\"a\": }", 6, "unexpected `}`"),
        ("{\"a\": 1", 0, "this `{` is never closed"),
        ("{\"a\": [1", 6, "this `[` is never closed"),
        ("{} {}", 3, "there is something after the end of the JSON value"),
        ("{\"a\": ...}", 6, "unexpected character"),
        ("", 0, "the file is empty"),
        (" // nothing", 0, "the file is empty"),
        ("{\"a\": \"x\ny\"}", 8, "a line break or control character inside a string"),
    ] {
        assert_eq!(read(text), Err(vec![(at, words.to_owned())]), "{text}");
    }
}

#[test]
fn names_both_lines_of_a_duplicate_key() {
    let found = read("{\n\"a\": 1,\n\"b\": {\"c\": 1, \"c\": 2},\n\"\\u0061\": 2}").unwrap_err();
    assert_eq!(
        found,
        vec![
            (24, "the key `c` stands twice on line 3 of the same object".to_owned()),
            (33, "the key `a` stands on line 2 and on line 4 of the same object".to_owned()),
        ]
    );
    assert!(read("{\"//\": \"one\", \"//\": \"two\"}").is_ok(), "remarks may repeat");
}

#[test]
fn deep_nesting_is_an_error_and_not_a_crash() {
    let text = "[".repeat(100_000);
    assert_eq!(read(&text).unwrap_err()[0].1, "the file is nested too deeply");
}

#[test]
fn finds_the_path_of_an_offset() {
    let text = r#"{"servers": {"a": {"args": ["x", "yy"]}}}"#;
    let root = read(text).unwrap();
    assert_eq!(root.path_to(text.find("yy").unwrap()), "servers.a.args[1]");
    assert_eq!(root.path_to(text.find("\"a\"").unwrap()), "servers.a");
    assert_eq!(root.path_to(0), "");
}
