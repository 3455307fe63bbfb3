//! Makes a text from outside safe to show: on one line of a log or in an error, or as a block on a terminal.
//!
//! It does not look for secrets; whoever knows them removes them. JSON on its way to clients never comes here.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` on one line without terminal sequences, control characters, or characters that reorder or hide text, and
/// cut to about `max` bytes with `…`. Cleaning what is clean changes nothing.
///
/// ```
/// use mcp_manifold::telemetry::clean::clean;
/// assert_eq!(clean("\u{1b}[31mred\u{1b}[0m\talert\n", 80), "red alert");
/// assert_eq!(clean("abcdef", 3), "abc…");
/// ```
#[must_use]
pub fn clean(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max));
    let mut chars = text.trim_end().chars();
    while let Some(c) = chars.next() {
        if out.len() >= max {
            out.push('…');
            return out;
        }
        match c {
            '\u{1b}' => skip_sequence(&mut chars),
            '\u{9b}' => skip_parameters(&mut chars),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(&mut chars),
            c if is_hidden(c) || is_stray_selector(c, &out) => {}
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// As [`clean`], for text of several lines: line breaks and tabs stay.
#[must_use]
pub fn clean_block(text: &str) -> String {
    let line = |line: &str| line.split('\t').map(clean_cell).collect::<Vec<_>>().join("\t");
    let mut out = text.lines().map(line).collect::<Vec<_>>().join("\n");
    out.truncate(out.trim_end_matches('\n').len());
    out
}

/// A part of a line: space at its end is no end of text.
fn clean_cell(cell: &str) -> String {
    let end = cell.trim_end_matches(' ');
    let mut out = clean(end, usize::MAX);
    out.extend(std::iter::repeat_n(' ', cell.len() - end.len()));
    out
}

/// As [`clean`], for bytes of unknown encoding. Of a line that was overwritten with carriage returns (a progress
/// bar) the last text stays.
#[must_use]
pub fn clean_bytes(bytes: &[u8], max: usize) -> String {
    let text: Cow<'_, str> = String::from_utf8_lossy(bytes);
    let last = text.trim_end().rsplit('\r').next().unwrap_or_default();
    clean(last, max)
}

/// `text` on one line with everything that [`clean`] would take away shown as `\u{…}`: for who decides about a text.
#[must_use]
pub fn escaped(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max));
    for c in text.chars() {
        if out.len() >= max {
            out.push('…');
            break;
        }
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || is_hidden(c) || is_selector(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// Every character of `text` that is not there for a reader: hidden ones, controls but tab and line breaks, and the second
/// of two variation selectors.
pub fn hidden_in(text: &str) -> impl Iterator<Item = char> {
    let pairs = text.chars().zip(std::iter::once(' ').chain(text.chars()));
    let odd = |(c, before): &(char, char)| {
        is_hidden(*c)
            || (c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
            || (is_selector(*c) && is_selector(*before))
    };
    pairs.filter(odd).map(|(c, _)| c)
}

/// The beginning of `text`, at most `max` bytes.
#[must_use]
pub fn start(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or_default()]
}

/// The JSON text `json` with every hidden character written as an escape, which means the same: such a character can stand
/// in a string only.
#[must_use]
pub fn seen_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_hidden(c) || ('\u{7f}'..='\u{9f}').contains(&c) {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| _ = write!(out, "\\u{unit:04x}"));
        } else {
            out.push(c);
        }
    }
    out
}

/// Skips what follows ESC: a CSI sequence, a string up to BEL or ST, or one character.
fn skip_sequence(chars: &mut std::str::Chars<'_>) {
    match chars.next() {
        Some('[') => skip_parameters(chars),
        Some(']' | 'P' | 'X' | '^' | '_') => skip_string(chars),
        // An intermediate byte is followed by one more: `ESC ( B`.
        Some(' '..='/') => drop(chars.next()),
        _ => {}
    }
}

fn skip_string(chars: &mut std::str::Chars<'_>) {
    while let Some(c) = chars.next() {
        if c == '\u{7}' || c == '\u{9c}' || (c == '\u{1b}' && chars.next() == Some('\\')) {
            break;
        }
    }
}

fn skip_parameters(chars: &mut std::str::Chars<'_>) {
    // Ends at the first final byte; anything outside the grammar ends it too, so that no text is swallowed.
    let _ = chars.find(|c| !matches!(c, ' '..='?'));
}

/// Characters that change the order of text, hide it, take no room, or break lines in some viewers.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}')
        || matches!(c, '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}')
        || matches!(c, '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Says how the character before it looks; one is normal, a row of them is a message.
fn is_selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}')
}

/// A variation selector with nothing before it to select.
fn is_stray_selector(c: char, before: &str) -> bool {
    is_selector(c) && before.chars().next_back().is_none_or(|last| is_selector(last) || last.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn terminal_sequences_and_controls_do_not_get_through() {
        assert_eq!(clean("a\u{1b}[1;31mb\u{1b}[0mc", 99), "abc");
        assert_eq!(clean("\u{1b}]0;title\u{7}x\u{1b}]8;;http://a\u{1b}\\link", 99), "xlink");
        assert_eq!(clean("\u{1b}(Bx\u{9b}2Jy\u{90}q\u{9c}z\u{9d}0;t\u{7}!", 99), "xyz!");
        assert_eq!(clean("two\nlines\u{0}and\ttab", 99), "two lines and tab");
        assert_eq!(clean("abc\u{202e}fed\u{200b}", 99), "abcfed");
        assert_eq!(clean("cut \u{1b}[", 99), "cut");
    }

    #[test]
    fn long_text_is_cut_on_a_character() {
        assert_eq!(clean("ääää", 3), "ää…");
    }

    #[test]
    fn any_bytes_become_one_line() {
        assert_eq!(clean_bytes(b"10%\r50%\r100%\r", 99), "100%");
        assert_eq!(clean_bytes(&[b'a', 0xff, b'b'], 99), "a\u{fffd}b");
        assert_eq!(clean_bytes(b"", 99), "");
    }

    #[test]
    fn smuggled_text_is_dropped_and_one_selector_stays() {
        let tags: String = "hidden".chars().filter_map(|c| char::from_u32(0xe0000 + u32::from(c))).collect();
        assert_eq!(clean(&format!("safe{tags}\u{e0110}"), 99), "safe");
        assert_eq!(clean("\u{2764}\u{fe0f}\u{fe0f}\u{fe01} ok", 99), "\u{2764}\u{fe0f} ok");
        assert_eq!(clean("\u{fe0f}x\u{ad}\u{61c}\u{3164}", 99), "x");
    }

    #[test]
    fn blocks_keep_their_lines_and_tabs() {
        assert_eq!(clean_block("a\tb  c \n\u{1b}[2J  d\r\n"), "a\tb  c \n  d");
    }

    #[test]
    fn hidden_text_can_be_shown_and_found() {
        assert_eq!(escaped("a\u{200b}b\n\u{1b}[", 99), "a\\u{200b}b\\n\\u{1b}[");
        assert_eq!(hidden_in("a\u{200b}\t\n\u{fe0f}\u{fe0e}").collect::<String>(), "\u{200b}\u{fe0e}");
        assert_eq!(hidden_in("plain ❤\u{fe0f} text").count(), 0);
    }

    /// Texts made of what must not get through, in any order.
    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            any::<char>().prop_map(|c| c.to_string()),
            "[ -~]{0,3}",
            Just("\u{1b}".to_owned()),
            Just("\u{1b}]8;;".to_owned()),
            Just("\u{9b}31".to_owned()),
            (0u32..0xa0).prop_map(|c| char::from_u32(c).map(String::from).unwrap_or_default()),
            (0x2000u32..0x2070).prop_map(|c| char::from_u32(c).map(String::from).unwrap_or_default()),
            (0xfe00u32..0xfe10).prop_map(|c| char::from_u32(c).map(String::from).unwrap_or_default()),
            (0xe0000u32..0xe0200).prop_map(|c| char::from_u32(c).map(String::from).unwrap_or_default()),
        ];
        proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn s15_clean_text_holds_nothing_forbidden_and_stays_as_it_is(text in hostile(), max in 0usize..60) {
            let once = clean(&text, max);
            prop_assert!(!once.chars().any(|c| is_hidden(c) || c.is_control()), "{once:?}");
            prop_assert_eq!(hidden_in(&once).count(), 0);
            prop_assert_eq!(&clean(&once, max), &once);
            let block = clean_block(&text);
            prop_assert!(!block.chars().any(|c| is_hidden(c) || (c.is_control() && c != '\n' && c != '\t')));
            prop_assert_eq!(&clean_block(&block), &block);
            prop_assert!(!escaped(&text, max).chars().any(|c| is_hidden(c) || c.is_control()));
        }
    }
}
