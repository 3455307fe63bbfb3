//! The merged `instructions`: what this is, then a line per server, within what clients read.
//!
//! It does not pass on whole instructions of servers: clients cut at [`MAX_BYTES`], and one server would take it all.

use std::fmt::Write;

/// Longest text, in bytes: the shortest limit known of a client.
pub const MAX_BYTES: usize = 2048;

/// The own text when the file gives none.
const USAGE: &str = "This server is a gateway: its tools, prompts and resources belong to the servers listed below. \
    A tool or prompt name usually starts with the name of its server; use names exactly as they are listed. \
    Servers are started when they are first needed, so a first call can take longer than later ones.";

/// The longest description of a server; the first that lets all servers be named is taken.
const DESCRIPTION_BYTES: [usize; 5] = [240, 120, 60, 30, 0];

/// What is said about one server.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// Its name in the file.
    pub name: &'a str,
    /// Its `description` in the file.
    pub description: Option<&'a str>,
    /// Its own instructions; the first sentence stands in for a missing description.
    pub instructions: Option<&'a str>,
    /// How many of its tools are shown; `None` while that is not known.
    pub tools: Option<usize>,
}

/// The text for `servers`, at most [`MAX_BYTES`] long; `own` stands in for the usual first sentences.
#[must_use]
pub fn merged(own: Option<&str>, servers: &[Line<'_>]) -> String {
    let usage = own.unwrap_or(USAGE).trim();
    let usage = cut(usage, MAX_BYTES);
    let whole = |limit: usize| {
        let lines: String = servers.iter().map(|line| line.text(limit)).collect();
        [usage, &lines].concat()
    };
    let texts = DESCRIPTION_BYTES.iter().map(|limit| whole(*limit));
    let mut shortest = String::new();
    for text in texts {
        if text.len() <= MAX_BYTES {
            return text;
        }
        shortest = text;
    }
    cut_lines(shortest, usage.len())
}

impl Line<'_> {
    /// `\nname: description (n tools)` with at most `limit` bytes of description.
    fn text(&self, limit: usize) -> String {
        let description = self.description.map(one_line);
        let description =
            description.or_else(|| Some(first_sentence(&one_line(self.instructions?)).to_owned()));
        let mut text = format!("\n{}", self.name);
        let shown = shorten(description.as_deref().unwrap_or_default(), limit);
        if !shown.is_empty() {
            text.push_str(": ");
            text.push_str(&shown);
        }
        let written = match self.tools {
            None => write!(text, " (not listed yet)"),
            Some(1) => write!(text, " (1 tool)"),
            Some(count) => write!(text, " ({count} tools)"),
        };
        written.expect("writing to memory cannot fail");
        text
    }
}

/// Leaves out whole lines at the end until the text fits, and says how many.
fn cut_lines(mut text: String, usage: usize) -> String {
    let mut left_out = 0;
    loop {
        let more = format!("\n(and {left_out} more)");
        let more = if left_out == 0 { "" } else { &more };
        if text.len() + more.len() <= MAX_BYTES {
            text.push_str(more);
            return text;
        }
        match text[usage..].rfind('\n') {
            Some(at) => text.truncate(usage + at),
            None => return text,
        }
        left_out += 1;
    }
}

/// `text` with every run of blanks, line breaks and control characters as one blank.
fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// The first sentence of a text of one line.
fn first_sentence(text: &str) -> &str {
    let end = |mark: &str| text.find(mark).map(|at| at + 1);
    let ends = [end(". "), end("! "), end("? ")];
    ends.into_iter().flatten().min().map_or(text, |at| &text[..at])
}

/// At most `limit` bytes of `text`, with `…` where it was cut; nothing when that would be too little to read.
fn shorten(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let Some(room) = limit.checked_sub("…".len()) else { return String::new() };
    let kept = whole_chars(text, room);
    let kept = kept.rfind(' ').map_or(kept, |at| &kept[..at]);
    format!("{kept}…")
}

/// The longest start of `text` with at most `limit` bytes.
fn whole_chars(text: &str, limit: usize) -> &str {
    let end = (0..=limit.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or_default()]
}

/// At most `limit` bytes of `text`, ended after a sentence where there is one in the second half.
fn cut(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let kept = whole_chars(text, limit);
    let sentence = kept.rfind(['.', '!', '?', '\n']).map(|at| at + 1);
    sentence.filter(|at| *at > limit / 2).map_or(kept, |at| kept[..at].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line<'a>(name: &'a str, description: Option<&'a str>, instructions: Option<&'a str>) -> Line<'a> {
        Line { name, description, instructions, tools: Some(3) }
    }

    #[test]
    fn usage_first_then_a_line_per_server() {
        let servers = [
            line("git", Some("Reads\nrepositories."), Some("unused")),
            line("time", None, Some("Tells  the time. And more of it.")),
            Line { name: "new", description: None, instructions: None, tools: None },
            Line { name: "one", description: None, instructions: Some("  "), tools: Some(1) },
        ];
        let text = merged(None, &servers);
        let (usage, lines) = text.split_once('\n').unwrap();
        assert!(usage.starts_with("This server is a gateway"));
        let expected = "git: Reads repositories. (3 tools)\ntime: Tells the time. (3 tools)\nnew (not listed yet)\none (1 tool)";
        assert_eq!(lines, expected);
        assert_eq!(merged(Some("Mine."), &[]), "Mine.");
    }

    #[test]
    fn every_server_is_named_before_one_is_described_at_length() {
        let long = "word ".repeat(100);
        let names: Vec<String> = (0..30).map(|n| format!("server{n}")).collect();
        let servers: Vec<Line<'_>> = names.iter().map(|name| line(name, Some(&long), None)).collect();
        let text = merged(None, &servers);
        assert!(text.len() <= MAX_BYTES);
        assert!(names.iter().all(|name| text.contains(&format!("\n{name}: word"))), "{text}");
    }

    #[test]
    fn too_many_servers_are_counted() {
        let names: Vec<String> = (0..500).map(|n| format!("server{n}")).collect();
        let servers: Vec<Line<'_>> = names.iter().map(|name| line(name, None, None)).collect();
        let text = merged(None, &servers);
        assert!(text.len() <= MAX_BYTES && text.len() > MAX_BYTES - 100);
        let named = text.lines().filter(|line| line.starts_with("server")).count();
        assert!(text.ends_with(&format!("\n(and {} more)", 500 - named)), "{text}");
    }

    #[test]
    fn a_long_own_text_ends_with_a_sentence() {
        let own = format!("{} End", "A sentence é. ".repeat(200));
        let text = merged(Some(&own), &[line("git", None, None)]);
        assert!(text.len() <= MAX_BYTES);
        assert!(text.starts_with("A sentence é.") && text.ends_with("é."), "{text}");
    }

    proptest! {
        #[test]
        fn never_over_the_limit(own in prop::option::of(".{0,3000}"), text in ".{0,300}", count in 0_usize..40) {
            let servers = vec![line("some server", Some(&text), Some(&text)); count];
            prop_assert!(merged(own.as_deref(), &servers).len() <= MAX_BYTES);
        }
    }
}
