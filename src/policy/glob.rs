//! Patterns with `*` (any text) and `?` (any one character), matched without going back.
//!
//! Names are compared with case. There are no sets and no escapes: every other character stands for itself.

use std::cmp::Ordering;

/// Longest pattern, in bytes.
pub const MAX_PATTERN: usize = 512;

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    /// What stands between the stars.
    segments: Vec<Segment>,
    literals: usize,
    exact: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Segment {
    text: Box<str>,
    chars: usize,
    /// It has a `?`.
    open: bool,
}

impl Glob {
    /// The pattern that `text` is.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let segment =
            |text: &str| Segment { text: text.into(), chars: text.chars().count(), open: text.contains('?') };
        let segments = text.split('*').map(segment).collect();
        let literals = text.chars().filter(|c| !matches!(c, '*' | '?')).count();
        Self { segments, literals, exact: !text.contains(['*', '?']) }
    }

    /// True when all of `text` is like the pattern. Takes a time that grows with `text` alone, but for patterns with `?`.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let Some(((first, last), middle)) = ends(&self.segments) else {
            return self.segments[0].starts(text).is_some_and(|end| end == text.len());
        };
        let Some(from) = first.starts(text) else { return false };
        let Some(to) = last.ends(&text[from..]) else { return false };
        let mut rest = &text[from..from + to];
        for segment in middle {
            match segment.find(rest) {
                Some(end) => rest = &rest[end..],
                None => return false,
            }
        }
        true
    }

    /// True for a pattern without `*` and `?`.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.exact
    }

    /// True for `*`, which everything is like.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.literals == 0 && self.segments.len() > 1 && self.segments.iter().all(|one| one.chars == 0)
    }

    /// Characters that stand for themselves.
    #[must_use]
    pub fn literals(&self) -> usize {
        self.literals
    }

    /// Exact ones are greater than others; of two others that with more literal characters.
    #[must_use]
    pub fn specificity(&self, other: &Self) -> Ordering {
        self.exact.cmp(&other.exact).then(self.literals.cmp(&other.literals))
    }
}

/// The first and the last of several, and what stands between; `None` for one alone.
fn ends(segments: &[Segment]) -> Option<((&Segment, &Segment), &[Segment])> {
    match segments {
        [first, middle @ .., last] => Some(((first, last), middle)),
        _ => None,
    }
}

impl Segment {
    /// Where it ends at the head of `text`.
    fn starts(&self, text: &str) -> Option<usize> {
        if !self.open {
            return text.starts_with(&*self.text).then_some(self.text.len());
        }
        let mut chars = text.chars();
        let fits = self.text.chars().all(|wanted| chars.next().is_some_and(|c| wanted == '?' || wanted == c));
        fits.then(|| text.len() - chars.as_str().len())
    }

    /// Where it begins at the end of `text`.
    fn ends(&self, text: &str) -> Option<usize> {
        if !self.open {
            return text.ends_with(&*self.text).then(|| text.len() - self.text.len());
        }
        let start = text.char_indices().rev().nth(self.chars - 1)?.0;
        self.starts(&text[start..]).map(|_| start)
    }

    /// The end of its first occurrence.
    fn find(&self, text: &str) -> Option<usize> {
        if !self.open {
            return text.find(&*self.text).map(|at| at + self.text.len());
        }
        text.char_indices().find_map(|(at, _)| self.starts(&text[at..]).map(|end| at + end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_like(pattern: &str, text: &str) -> bool {
        Glob::new(pattern).matches(text)
    }

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text) in [
            ("", ""),
            ("*", ""),
            ("*", "x"),
            ("a*", "a"),
            ("a*b", "ab"),
            ("a*b", "axxb"),
            ("*a*b*", "xaxbx"),
            ("a?c", "aéc"),
            ("?*?", "éé"),
            ("*.?s", "main.rs"),
            ("**", "x"),
            ("a*a", "aa"),
        ] {
            assert!(is_like(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("", "x"),
            ("a", "A"),
            ("a*a", "a"),
            ("?", ""),
            ("a*b", "abc"),
            ("*ab*ab", "ab"),
            ("[ab]", "a"),
            ("?*?", "é"),
        ] {
            assert!(!is_like(pattern, text), "{pattern} {text}");
        }
        assert!(Glob::new("*").is_all() && Glob::new("**").is_all());
        assert!(!Glob::new("?").is_all() && !Glob::new("").is_all() && !Glob::new("a*").is_all());
    }

    #[test]
    fn exact_before_patterns_and_then_the_longer() {
        let order = ["*", "a*", "?ab*", "abc*", "x"];
        for pair in order.windows(2) {
            let [a, b] = [Glob::new(pair[0]), Glob::new(pair[1])];
            assert_eq!(a.specificity(&b), Ordering::Less, "{pair:?}");
        }
    }

    #[test]
    fn a_long_text_is_matched_without_going_back() {
        let text = "a".repeat(1 << 20);
        for _ in 0..20 {
            assert!(!is_like("*a*a*a*b", &text));
            assert!(!is_like(&format!("*{}b*", "a".repeat(500)), &text));
        }
    }

    /// The definition, word for word.
    fn reference(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|skipped| reference(rest, &text[skipped..])),
            Some(('?', rest)) => text.split_first().is_some_and(|(_, text)| reference(rest, text)),
            Some((c, rest)) => text.split_first().is_some_and(|(d, text)| c == d && reference(rest, text)),
        }
    }

    proptest! {
        #[test]
        fn it_does_what_the_definition_says(pattern in "[ab*?]{0,7}", text in "[abé]{0,9}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(is_like(&pattern, &text), reference(&chars(&pattern), &chars(&text)));
        }
    }
}
