//! Text → tree with byte offsets. JSON with comments, trailing commas, a byte order mark and any line ends.
//!
//! Everything else that hides mistakes is refused: single quotes, bare keys, missing commas, duplicate keys. It knows
//! nothing of what the keys mean.

use crate::config::finding::Findings;
use crate::config::syntax::lines::Lines;
use jsonc_parser::CollectOptions;
use jsonc_parser::ParseOptions;
use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::errors::ParseError;
use jsonc_parser::errors::ParseErrorKind;
use std::collections::HashMap;

pub mod lines;

/// A value with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Offset of its first byte.
    pub start: usize,
    /// Offset after its last byte.
    pub end: usize,
    /// The value.
    pub value: Value,
}

/// A JSON value. Numbers keep their text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as written.
    Number(String),
    /// A string, unescaped.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// An object, in the order of the file.
    Object(Vec<Member>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The key, unescaped.
    pub key: String,
    /// Offset of the key.
    pub at: usize,
    /// The value.
    pub node: Node,
}

impl Node {
    /// What it is, for a message: `a string`, `a list`, …
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::Text(_) => "a string",
            Value::List(_) => "a list",
            Value::Object(_) => "an object",
        }
    }

    /// Its members; none when it is not an object.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        if let Value::Object(members) = &self.value { members } else { &[] }
    }

    /// The member called `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Member> {
        self.members().iter().find(|member| member.key == key)
    }

    /// Its text, when it is a string.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(text) } else { None }
    }

    /// True for an object.
    #[must_use]
    pub fn is_object(&self) -> bool {
        matches!(self.value, Value::Object(_))
    }

    /// The dotted path of the deepest value that holds the offset `at`: `mcpServers.files.args[1]`.
    #[must_use]
    pub fn path_to(&self, at: usize) -> String {
        let mut path = String::new();
        let mut node = self;
        loop {
            let next = match &node.value {
                Value::Object(members) => members.iter().find(|m| m.at <= at && at < m.node.end).map(|m| {
                    let dot = if path.is_empty() { "" } else { "." };
                    path.push_str(&format!("{dot}{}", m.key));
                    &m.node
                }),
                Value::List(items) => items.iter().position(|i| i.start <= at && at < i.end).map(|index| {
                    path.push_str(&format!("[{index}]"));
                    &items[index]
                }),
                _ => None,
            };
            match next {
                Some(deeper) => node = deeper,
                None => return path,
            }
        }
    }
}

/// True for keys that people use for remarks: `_note`, `//`, `#`, `x-team`, `$comment`.
#[must_use]
pub fn is_remark(key: &str) -> bool {
    is_commented_out(key) || key.starts_with("x-") || key.starts_with('$')
}

/// True for keys that are switched off by a prefix: `_github`, `//github`, `#github`.
#[must_use]
pub fn is_commented_out(key: &str) -> bool {
    key.starts_with('_') || key.starts_with("//") || key.starts_with('#')
}

/// Reads `text`.
///
/// # Errors
/// The first syntax error, or all duplicate keys and broken strings.
pub fn parse(text: &str, lines: &Lines) -> Result<Node, Findings> {
    let options = ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let mut findings = Findings::default();
    match jsonc_parser::parse_to_ast(text, &CollectOptions::default(), &options) {
        Ok(parsed) => match parsed.value {
            Some(value) => {
                let root = Reading { text, lines, findings: &mut findings }.node(&value);
                if findings.first_error().is_none() {
                    return Ok(root);
                }
            }
            None => {
                findings.error(0, "the file is empty").hint("write `{ \"mcpServers\": {} }` to start with")
            }
        },
        Err(error) => refused(text, &error, &mut findings),
    }
    Err(findings)
}

fn refused(text: &str, error: &ParseError, findings: &mut Findings) {
    use ParseErrorKind as Kind;
    let (words, hint) = match error.kind() {
        Kind::SingleQuotedStringsNotAllowed => ("single-quoted strings are not JSON", "use double quotes"),
        Kind::ExpectedStringObjectProperty => ("a key without quotes", "put the key in double quotes"),
        Kind::ExpectedComma => ("a comma is missing after this value", ""),
        Kind::HexadecimalNumbersNotAllowed => ("hexadecimal numbers are not JSON", ""),
        Kind::ExpectedColonAfterObjectKey => ("a colon is missing after the key", ""),
        Kind::ExpectedObjectValue => ("the value after the colon is missing", ""),
        Kind::MultipleRootJsonValues => ("there is something after the end of the JSON value", ""),
        Kind::UnterminatedObject => ("this `{` is never closed", "the file may have been cut off"),
        Kind::UnterminatedArray => ("this `[` is never closed", "the file may have been cut off"),
        Kind::UnterminatedCommentBlock => ("this comment is never closed", ""),
        Kind::UnexpectedCloseBrace => ("unexpected `}`", ""),
        Kind::UnexpectedCloseBracket => ("unexpected `]`", ""),
        Kind::UnexpectedComma => ("unexpected comma", ""),
        Kind::UnexpectedColon => ("unexpected colon", ""),
        Kind::UnexpectedWord => ("a word that is not JSON", "strings stand in double quotes"),
        Kind::UnexpectedToken | Kind::UnexpectedTokenInObject => ("unexpected character", ""),
        Kind::NestingDepthExceeded => ("the file is nested too deeply", ""),
        other => {
            findings.error(error.range().start, lower(&other.to_string()));
            return;
        }
    };
    let at = match error.kind() {
        Kind::ExpectedComma => text[..error.range().start].trim_end().len().saturating_sub(1),
        _ => error.range().start,
    };
    let finding = findings.error(at, words);
    if !hint.is_empty() {
        finding.hint(hint);
    }
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

struct Reading<'a> {
    text: &'a str,
    lines: &'a Lines,
    findings: &'a mut Findings,
}

impl Reading<'_> {
    fn node(&mut self, value: &ast::Value<'_>) -> Node {
        let range = value.range();
        let value = match value {
            ast::Value::NullKeyword(_) => Value::Null,
            ast::Value::BooleanLit(literal) => Value::Bool(literal.value),
            ast::Value::NumberLit(literal) => Value::Number(literal.value.to_owned()),
            ast::Value::StringLit(literal) => Value::Text(self.string(literal)),
            ast::Value::Array(array) => Value::List(array.elements.iter().map(|e| self.node(e)).collect()),
            ast::Value::Object(object) => Value::Object(self.members(object)),
        };
        Node { start: range.start, end: range.end, value }
    }

    fn members(&mut self, object: &ast::Object<'_>) -> Vec<Member> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut members = Vec::with_capacity(object.properties.len());
        for property in &object.properties {
            let at = property.range.start;
            let key = match &property.name {
                ast::ObjectPropName::String(literal) => self.string(literal),
                ast::ObjectPropName::Word(word) => word.value.to_owned(),
            };
            if let Some(first) = seen.insert(key.clone(), at)
                && !is_commented_out(&key)
            {
                let lines = (self.lines.position(first).0, self.lines.position(at).0);
                let where_ = if lines.0 == lines.1 {
                    format!("twice on line {}", lines.0)
                } else {
                    format!("on line {} and on line {}", lines.0, lines.1)
                };
                self.findings.error(at, format!("the key `{key}` stands {where_} of the same object"));
            }
            members.push(Member { key, at, node: self.node(&property.value) });
        }
        members
    }

    fn string(&mut self, literal: &ast::StringLit<'_>) -> String {
        let raw = &self.text[literal.range.start..literal.range.end];
        if let Some(inside) = raw.find(|c: char| c < ' ') {
            self.findings
                .error(literal.range.start + inside, "a line break or control character inside a string")
                .hint("close the string, or write `\\n` for a line break");
        }
        literal.value.clone().into_owned()
    }
}

#[cfg(test)]
mod tests;
