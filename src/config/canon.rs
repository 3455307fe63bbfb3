//! One spelling for every JSON text: what means the same reads the same, and nothing else does.
//!
//! As RFC 8785 where that applies: members sorted, no space, numbers and strings in one way. Numbers are never rounded,
//! and of a key that occurs twice both values stay, because two readers could see two different ones.

use crate::secret::hex::hex;
use sha2::Digest;
use sha2::Sha256;
use std::fmt::Write;

/// Nesting beyond this is taken as it is written.
const DEEPEST: usize = 1100;

/// The digest of what `json` means: `sha256:` and 64 hex digits.
#[must_use]
pub fn digest(json: &str) -> String {
    format!("sha256:{}", hex(&Sha256::digest(canonical(json))))
}

/// `json` in the one spelling; as it is when it is no JSON or nested too deep.
#[must_use]
pub fn canonical(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut reader = Reader { text: json, at: 0 };
    let whole = reader.value(&mut out, 0).is_some() && reader.peek().is_none();
    if whole { out } else { json.to_owned() }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

/// A member, ready to be sorted by the UTF-16 units of its key.
struct Member {
    order: Vec<u16>,
    text: String,
}

impl<'a> Reader<'a> {
    /// The next byte that is no space; it stays unread.
    fn peek(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        let space = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.at += space;
        rest.get(space).copied()
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    fn value(&mut self, out: &mut String, depth: usize) -> Option<()> {
        match self.peek()? {
            _ if depth > DEEPEST => None,
            b'{' => self.object(out, depth),
            b'[' => self.array(out, depth),
            b'"' => {
                out.push_str(&one_spelling(self.string()?));
                Some(())
            }
            b'-' | b'0'..=b'9' => {
                let number = self.word(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
                out.push_str(&plain_number(number).unwrap_or_else(|| number.to_owned()));
                Some(())
            }
            _ => {
                let word = self.word(|byte| byte.is_ascii_alphabetic());
                out.push_str(word);
                ["true", "false", "null"].contains(&word).then_some(())
            }
        }
    }

    fn object(&mut self, out: &mut String, depth: usize) -> Option<()> {
        self.take(b'{')?;
        let mut members = Vec::new();
        while self.peek()? != b'}' {
            if !members.is_empty() {
                self.take(b',')?;
                self.peek()?;
            }
            let key = self.string()?;
            let order = serde_json::from_str::<String>(key).unwrap_or_else(|_| key.to_owned());
            let mut text = one_spelling(key);
            text.push(':');
            self.take(b':')?;
            self.value(&mut text, depth + 1)?;
            members.push(Member { order: order.encode_utf16().collect(), text });
        }
        self.take(b'}')?;
        members.sort_by(|a, b| a.order.cmp(&b.order));
        out.push('{');
        for (at, member) in members.iter().enumerate() {
            out.push_str(if at > 0 { "," } else { "" });
            out.push_str(&member.text);
        }
        out.push('}');
        Some(())
    }

    fn array(&mut self, out: &mut String, depth: usize) -> Option<()> {
        self.take(b'[')?;
        out.push('[');
        let mut first = true;
        while self.peek()? != b']' {
            if !std::mem::take(&mut first) {
                self.take(b',')?;
                out.push(',');
            }
            self.value(out, depth + 1)?;
        }
        self.take(b']')?;
        out.push(']');
        Some(())
    }

    /// A string with its quotes.
    fn string(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let (start, bytes) = (self.at - 1, self.text.as_bytes());
        loop {
            match bytes.get(self.at)? {
                b'\\' => self.at += 2,
                b'"' => break,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        self.text.get(start..self.at)
    }

    fn word(&mut self, belongs: impl Fn(u8) -> bool) -> &'a str {
        let start = self.at;
        let length = self.text.as_bytes()[start..].iter().take_while(|byte| belongs(**byte)).count();
        self.at += length;
        &self.text[start..self.at]
    }
}

/// A JSON string without needless escapes; one that is no text (half a surrogate pair) as it is.
fn one_spelling(quoted: &str) -> String {
    if !quoted.contains('\\') {
        return quoted.to_owned();
    }
    let text = serde_json::from_str::<String>(quoted);
    text.and_then(|text| serde_json::to_string(&text)).unwrap_or_else(|_| quoted.to_owned())
}

/// A number as JavaScript writes it, with all its digits. `None` when its exponent is beyond counting.
fn plain_number(number: &str) -> Option<String> {
    let (sign, rest) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = [whole, fraction].concat();
    let leading = all.len() - all.trim_start_matches('0').len();
    let digits = all.trim_matches('0');
    if digits.is_empty() {
        return Some("0".to_owned());
    }
    // The value is 0.DIGITS × 10^point.
    let exponent: i64 = exponent.trim_start_matches('+').parse().ok()?;
    let point = exponent.checked_add(i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()?)?;
    Some(format!("{sign}{}", placed(digits, point)))
}

fn placed(digits: &str, point: i64) -> String {
    let count = digits.len();
    match usize::try_from(point) {
        Ok(point) if point <= 21 && point >= count => format!("{digits}{}", "0".repeat(point - count)),
        Ok(point) if point <= 21 && point > 0 => format!("{}.{}", &digits[..point], &digits[point..]),
        _ if (-5..=0).contains(&point) => {
            format!("0.{}{digits}", "0".repeat(usize::try_from(-point).unwrap_or_default()))
        }
        _ => {
            let (first, rest) = digits.split_at(1);
            let dot = if rest.is_empty() { "" } else { "." };
            let mut text = format!("{first}{dot}{rest}e");
            let exponent = point - 1;
            let _ = write!(text, "{}{}", if exponent < 0 { "-" } else { "+" }, exponent.unsigned_abs());
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s13_spelling_does_not_matter() {
        let one =
            r#"{"b":[1.0, 1e2,-0,0.000001,1E-7,123456789012345678901234],"a":{"y":"\u00e9\/","x":null}}"#;
        let other = "{ \"a\" : {\"x\":null,\"y\":\"é/\"},\n \"b\":[1,100,0,1e-6,0.1e-6,1.23456789012345678901234e23]}";
        let plain =
            "{\"a\":{\"x\":null,\"y\":\"é/\"},\"b\":[1,100,0,0.000001,1e-7,1.23456789012345678901234e+23]}";
        assert_eq!(canonical(one), plain);
        assert_eq!(canonical(other), plain);
        assert_eq!(digest(one), digest(other));
    }

    #[test]
    fn meaning_matters_to_the_last_digit_and_the_second_key() {
        let pairs = [
            ("9007199254740992", "9007199254740993"),
            ("1e999999999999999999999", "1e999999999999999999998"),
            (r#"{"a":1,"a":2}"#, r#"{"a":2,"a":1}"#),
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
            ("\"1\"", "1"),
            ("[1,2]", "[12]"),
            (r#""\ud800""#, r#""\ud801""#),
            ("true", "false"),
            ("1e-400", "0"),
        ];
        for (one, other) in pairs {
            assert_ne!(digest(one), digest(other), "{one} {other}");
        }
    }

    #[test]
    fn what_is_no_json_is_taken_as_it_is() {
        for odd in ["", "{", "[1,]x", "tru", "\"open", "{\"a\" 1}", "1 2"] {
            assert_eq!(canonical(odd), odd);
        }
        let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
        assert_eq!(canonical(&deep), deep);
    }

    #[test]
    fn keys_are_sorted_as_the_rfc_says() {
        let text = r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#;
        let order: Vec<char> = canonical(text).chars().filter(char::is_ascii_digit).collect();
        assert_eq!(order.iter().collect::<String>(), "21467153");
    }
}
