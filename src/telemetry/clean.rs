//! Makes a text from outside safe to show on one line of a log or in an error.
//!
//! It does not look for secrets; whoever knows them removes them.

use std::borrow::Cow;

/// `text` on one line without terminal sequences, control characters, or characters that reorder or hide text, and
/// cut to about `max` bytes with `…`.
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
            break;
        }
        match c {
            '\u{1b}' => skip_sequence(&mut chars),
            '\u{9b}' => skip_parameters(&mut chars),
            c if is_hidden(c) => {}
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
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

/// Skips what follows ESC: a CSI sequence, a string up to BEL or ST, or one character.
fn skip_sequence(chars: &mut std::str::Chars<'_>) {
    match chars.next() {
        Some('[') => skip_parameters(chars),
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(c) = chars.next() {
                if c == '\u{7}' || c == '\u{9c}' || (c == '\u{1b}' && chars.next() == Some('\\')) {
                    break;
                }
            }
        }
        // An intermediate byte is followed by one more: `ESC ( B`.
        Some(' '..='/') => drop(chars.next()),
        _ => {}
    }
}

fn skip_parameters(chars: &mut std::str::Chars<'_>) {
    // Ends at the first final byte; anything outside the grammar ends it too, so that no text is swallowed.
    let _ = chars.find(|c| !matches!(c, ' '..='?'));
}

/// Characters that change the order of text, hide it, or break lines in some viewers.
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::clean;
    use super::clean_bytes;

    #[test]
    fn terminal_sequences_and_controls_do_not_get_through() {
        assert_eq!(clean("a\u{1b}[1;31mb\u{1b}[0mc", 99), "abc");
        assert_eq!(clean("\u{1b}]0;title\u{7}x\u{1b}]8;;http://a\u{1b}\\link", 99), "xlink");
        assert_eq!(clean("\u{1b}(Bx\u{9b}2Jy", 99), "xy");
        assert_eq!(clean("two\nlines\u{0}and\ttab", 99), "two lines and tab");
        assert_eq!(clean("abc\u{202e}fed\u{200b}", 99), "abcfed");
        assert_eq!(clean("cut \u{1b}[", 99), "cut ");
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
}
