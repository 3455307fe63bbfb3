//! A text → its plain parts and its variables. Pure: it looks nothing up.

/// One part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// Stays as it is.
    Plain(&'a str),
    /// A variable: what stands between the braces, and the whole of it.
    Variable {
        /// Between the braces.
        inside: &'a str,
        /// With the braces.
        whole: &'a str,
    },
    /// A `${` without its `}`: the rest of the text.
    Unclosed,
}

/// Takes `text` apart. `$${` is a plain `${`; with `braces`, `{env:X}` and `{file:x}` are variables too.
#[must_use]
pub fn split(text: &str, braces: bool) -> Vec<Part<'_>> {
    let (mut parts, mut plain, mut at) = (Vec::new(), 0, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("$${") {
            parts.push(Part::Plain(&text[plain..at]));
            // The second `$` with what follows stays, the first goes.
            parts.push(Part::Plain(&text[at + 1..at + 3]));
            at += 3;
            plain = at;
            continue;
        }
        let opening = match rest {
            _ if rest.starts_with("${") => 2,
            _ if braces && (rest.starts_with("{env:") || rest.starts_with("{file:")) => 1,
            _ => {
                at += rest.chars().next().map_or(1, char::len_utf8);
                continue;
            }
        };
        parts.push(Part::Plain(&text[plain..at]));
        match rest.find('}') {
            Some(end) => {
                parts.push(Part::Variable { inside: &rest[opening..end], whole: &rest[..=end] });
                at += end + 1;
                plain = at;
            }
            None => {
                parts.push(Part::Unclosed);
                return parts;
            }
        }
    }
    parts.push(Part::Plain(&text[plain..]));
    parts.retain(|part| *part != Part::Plain(""));
    parts
}

/// `env:X` → `(Some("env"), "X")`; `X` and `X:-default` have no scheme.
#[must_use]
pub fn scheme(inside: &str) -> (Option<&str>, &str) {
    match inside.split_once(':') {
        Some((scheme, rest)) if !rest.starts_with('-') || scheme == "file" => (Some(scheme), rest),
        _ => (None, inside),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable<'a>(inside: &'a str, whole: &'a str) -> Part<'a> {
        Part::Variable { inside, whole }
    }

    #[test]
    fn takes_a_text_apart() {
        assert_eq!(split("plain $X {env:Y}", false), vec![Part::Plain("plain $X {env:Y}")]);
        assert_eq!(split("a${B}c", false), vec![Part::Plain("a"), variable("B", "${B}"), Part::Plain("c")]);
        assert_eq!(split("$${B}", false), vec![Part::Plain("${"), Part::Plain("B}")]);
        assert_eq!(split("ö{env:Y}", true), vec![Part::Plain("ö"), variable("env:Y", "{env:Y}")]);
        assert_eq!(split("a${B", false), vec![Part::Plain("a"), Part::Unclosed]);
        assert_eq!(split("", false), vec![]);
    }

    #[test]
    fn tells_schemes_from_defaults() {
        assert_eq!(scheme("env:X:-y"), (Some("env"), "X:-y"));
        assert_eq!(scheme("X:-a:b"), (None, "X:-a:b"));
        assert_eq!(scheme("file:-odd"), (Some("file"), "-odd"));
    }
}
