//! A dotenv file → names and values: `NAME=value`, quotes, comments, `export`.
//!
//! `$` means nothing here: values are taken as they stand, and nothing is asked of the process environment.

/// Reads the text of a dotenv file. Of a name that stands twice the last counts.
///
/// # Errors
/// The number of the first line that is not understood, from 1.
pub fn parse(text: &str) -> Result<Vec<(String, String)>, usize> {
    let mut vars: Vec<(String, String)> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let line_number = text[..text.len() - rest.len()].matches('\n').count() + 1;
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            rest = after;
            continue;
        }
        let (name, value) =
            rest.split_once('=').filter(|(name, _)| !name.contains('\n')).ok_or(line_number)?;
        let name = name.trim();
        let name = name.strip_prefix("export ").map_or(name, str::trim);
        if !is_name(name) {
            return Err(line_number);
        }
        let (value, tail) = value_of(value).ok_or(line_number)?;
        vars.retain(|(known, _)| known != name);
        vars.push((name.to_owned(), value));
        rest = tail;
    }
    Ok(vars)
}

fn is_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    name.chars().all(inner) && !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// The value at the head of `text`, and the text from the next line on.
fn value_of(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start_matches([' ', '\t']);
    match text.chars().next() {
        Some('\'') => {
            let (value, tail) = text[1..].split_once('\'')?;
            Some((value.to_owned(), rest_of_line(tail)?))
        }
        Some('"') => double_quoted(&text[1..]),
        _ => {
            let (line, after) = text.split_once('\n').unwrap_or((text, ""));
            let comment = line.starts_with('#').then_some(0).or_else(|| line.find(" #"));
            let comment = comment.or_else(|| line.find("\t#")).unwrap_or(line.len());
            Some((line[..comment].trim().to_owned(), after))
        }
    }
}

fn double_quoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut chars) = (String::new(), text.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, rest_of_line(&text[at + 1..])?)),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                escaped @ ('\\' | '"' | '\'' | '$') => value.push(escaped),
                other => value.extend(['\\', other]),
            },
            other => value.push(other),
        }
    }
    None
}

/// After a closing quote only blanks and a comment may follow.
fn rest_of_line(text: &str) -> Option<&str> {
    let (line, after) = text.split_once('\n').unwrap_or((text, ""));
    let line = line.trim();
    (line.is_empty() || line.starts_with('#')).then_some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_usual_forms() {
        let text = "# head\r\nA=1\r\nexport B = two words # remark\nC='a # $b'\nD=\"x\\n\\\"y\\\" ${A}\" # r\n\
                    E=\nF=p#ss$w\\d\nG=\"two\nlines\"\nA=last";
        let vars = parse(text).unwrap();
        let get = |name: &str| vars.iter().find(|(known, _)| known == name).map(|(_, v)| v.as_str());
        assert_eq!(get("A"), Some("last"));
        assert_eq!(get("B"), Some("two words"));
        assert_eq!(get("C"), Some("a # $b"));
        assert_eq!(get("D"), Some("x\n\"y\" ${A}"));
        assert_eq!(get("E"), Some(""));
        assert_eq!(get("F"), Some("p#ss$w\\d"));
        assert_eq!(get("G"), Some("two\nlines"));
        assert_eq!(vars.len(), 7);
    }

    #[test]
    fn names_the_line_that_is_not_understood() {
        assert_eq!(parse("A=1\n\nnonsense\n"), Err(3));
        assert_eq!(parse("A=\"open"), Err(1));
        assert_eq!(parse("1A=x"), Err(1));
        assert_eq!(parse("A='x' y"), Err(1));
    }
}
