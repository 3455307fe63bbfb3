//! Could this URI have been made from that RFC 6570 template?
//!
//! Enough of the RFC to find the server of a URI. It does not expand templates or extract the values of variables.

/// A template, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UriTemplate {
    parts: Vec<TemplatePart>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum TemplatePart {
    Literal(String),
    Expression(Expression),
}

/// What an expression may have become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Expression {
    /// What stands in front of the values; with it the whole expression may be absent.
    lead: Option<u8>,
    /// True when the values may hold `/`.
    slashes: bool,
}

impl UriTemplate {
    /// Takes `template` apart; `None` when its braces do not match.
    #[must_use]
    pub fn parse(template: &str) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some(open) = rest.find(['{', '}']) {
            if open > 0 {
                parts.push(TemplatePart::Literal(rest[..open].to_owned()));
            }
            let inner = rest[open..].strip_prefix('{')?;
            let close = inner.find(['{', '}']).filter(|at| inner[*at..].starts_with('}'))?;
            parts.push(TemplatePart::Expression(Expression::parse(&inner[..close])?));
            rest = &inner[close + 1..];
        }
        if !rest.is_empty() {
            parts.push(TemplatePart::Literal(rest.to_owned()));
        }
        Some(Self { parts })
    }

    /// True when `uri` can come from this template: `{x}` stands for some text without `/`, `{+x}` for any, and
    /// `{/x}`, `{.x}`, `{;x}`, `{?x}`, `{&x}`, `{#x}` for nothing or their sign and some text.
    ///
    /// ```
    /// use mcp_manifold::catalog::uri_template::UriTemplate;
    /// let template = UriTemplate::parse("file:///{name}.txt").unwrap();
    /// assert!(template.matches("file:///a.txt"));
    /// assert!(!template.matches("file:///a/b.txt"));
    /// ```
    #[must_use]
    pub fn matches(&self, uri: &str) -> bool {
        let uri = uri.as_bytes();
        // The places where what was read of the template so far may end: time is parts × length, never more.
        let mut ends = vec![false; uri.len() + 1];
        ends[0] = true;
        for part in &self.parts {
            ends = match part {
                TemplatePart::Literal(text) => after_literal(&ends, uri, text.as_bytes()),
                TemplatePart::Expression(expression) => expression.after(&ends, uri),
            };
            if !ends.contains(&true) {
                return false;
            }
        }
        ends[uri.len()]
    }
}

fn after_literal(ends: &[bool], uri: &[u8], text: &[u8]) -> Vec<bool> {
    let mut next = vec![false; ends.len()];
    for start in (0..ends.len()).filter(|at| ends[*at]) {
        if uri[start..].starts_with(text) {
            next[start + text.len()] = true;
        }
    }
    next
}

impl Expression {
    fn parse(inner: &str) -> Option<Self> {
        let first = *inner.as_bytes().first()?;
        let exploded = inner.ends_with('*');
        let (lead, slashes) = match first {
            b'+' => (None, true),
            b'#' | b'?' | b'&' => (Some(first), true),
            b'/' => (Some(first), exploded || inner.contains(',')),
            b'.' | b';' => (Some(first), false),
            _ => (None, false),
        };
        Some(Self { lead, slashes })
    }

    fn after(self, ends: &[bool], uri: &[u8]) -> Vec<bool> {
        let allowed = |byte: u8| self.slashes || byte != b'/';
        let mut next = vec![false; ends.len()];
        // Where the text of the values may start.
        let starts = |at: usize| match self.lead {
            None => ends[at],
            Some(lead) => at > 0 && ends[at - 1] && uri[at - 1] == lead,
        };
        for at in 0..uri.len() {
            next[at + 1] = allowed(uri[at]) && (starts(at) || next[at]);
        }
        if self.lead.is_some() {
            for (next, before) in next.iter_mut().zip(ends) {
                *next |= before;
            }
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(template: &str, uri: &str) -> bool {
        UriTemplate::parse(template).unwrap().matches(uri)
    }

    #[test]
    fn values_are_not_empty_and_stop_at_a_slash() {
        assert!(matches("demo://resource/{id}", "demo://resource/7"));
        assert!(!matches("demo://resource/{id}", "demo://resource/"));
        assert!(!matches("demo://resource/{id}", "demo://resource/7/8"));
        assert!(matches("repo://{owner}/{name}/x{n}", "repo://a/b/x1"));
        assert!(!matches("repo://{owner}/{name}", "repo://a/b/c"));
        assert!(matches("a:{x,y}", "a:1,2"));
        assert!(matches("a:{x}é", "a:öé"));
    }

    #[test]
    fn operators() {
        assert!(matches("file:///{+path}", "file:///a/b/c.txt"));
        assert!(!matches("file:///{+path}", "file:///"));
        assert!(matches("file://{/path*}", "file:///a/b"));
        assert!(matches("file://{/path}", "file:///a") && !matches("file://{/path}", "file:///a/b"));
        assert!(
            matches("a:b{.ext}", "a:b.txt") && matches("a:b{.ext}", "a:b") && !matches("a:b{.ext}", "a:btxt")
        );
        assert!(matches("a:b{?q,r}", "a:b?q=1/2&r=3") && matches("a:b{?q}", "a:b"));
        assert!(
            matches("a:b?x=1{&q}", "a:b?x=1&q=2")
                && matches("a:b{#f}", "a:b#f")
                && matches("a:b{;p}", "a:b;p=1")
        );
    }

    #[test]
    fn braces_must_match() {
        for bad in ["{", "}", "a{b", "a}b", "{{a}}", "{}", "a{b{c}}"] {
            assert!(UriTemplate::parse(bad).is_none(), "{bad}");
        }
        assert!(matches("", "") && !matches("", "a"));
    }

    proptest! {
        #[test]
        fn what_was_filled_in_matches(before in "[a-z:/]{0,9}", value in "[^/]{1,9}", after in "[a-z/]{0,9}", long in ".{1,9}") {
            let template = format!("{before}{{x}}{after}");
            let filled = format!("{before}{value}{after}");
            prop_assert!(matches(&template, &filled));
            let template = format!("{before}{{+x}}{after}");
            let filled = format!("{before}{long}{after}");
            prop_assert!(matches(&template, &filled));
        }

        #[test]
        fn any_template_and_uri_end(template in ".{0,40}", uri in ".{0,40}") {
            let _ = UriTemplate::parse(&template).map(|template| template.matches(&uri));
        }
    }
}
