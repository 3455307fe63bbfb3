//! What a server asks for when it refuses: the scopes of a `WWW-Authenticate` header.
//!
//! Source: RFC 6750 section 3. It decides nothing; what is shown of it cannot be mistaken for something else by a shell.

use rmcp::transport::auth::WWWAuthenticateParams;
use url::Url;

/// Most scopes that are shown.
const SHOWN: usize = 20;
/// Longest scope that is shown, in bytes.
const LONGEST: usize = 100;

/// The scopes that are missing, when `header` says that what was shown does not allow the request.
#[must_use]
pub fn missing_scopes(header: &str, server: &Url) -> Option<Vec<String>> {
    let said = WWWAuthenticateParams::parse(header, server);
    let scopes = said.scope.as_deref().unwrap_or_default();
    said.is_insufficient_scope().then(|| scopes.split_ascii_whitespace().map(str::to_owned).collect())
}

/// The scopes as they may stand in a command for a person to copy; `None` when there are none, or one of them could mean
/// something to a shell.
#[must_use]
pub fn copyable(scopes: &[String]) -> Option<String> {
    let safe = |scope: &String| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":/._*+@=,~-".contains(&byte);
        (1..=LONGEST).contains(&scope.len()) && !scope.starts_with('-') && scope.bytes().all(plain)
    };
    let fits = (1..=SHOWN).contains(&scopes.len()) && scopes.iter().all(safe);
    fits.then(|| scopes.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_missing_only_when_that_is_said() {
        let server = "https://h/mcp".parse().unwrap();
        let missing = |header: &str| missing_scopes(header, &server);
        let said = missing(r#"Bearer error="insufficient_scope", scope="a:b c""#).unwrap();
        assert_eq!(said, ["a:b", "c"]);
        assert_eq!(missing(r#"Bearer error="insufficient_scope""#), Some(Vec::new()));
        assert_eq!(missing(r#"Bearer error="invalid_token", scope="a""#), None);
        assert_eq!(missing(r#"Bearer scope="a""#), None);
    }

    #[test]
    fn what_a_shell_would_obey_is_not_shown() {
        let shown =
            |scopes: &[&str]| copyable(&scopes.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>());
        assert_eq!(shown(&["files:read", "https://h/x.y"]).as_deref(), Some("files:read https://h/x.y"));
        for bad in ["$(calc)", "`x`", "a\"b", "a;b", "-rf", "a\u{1b}[0m", "é"] {
            assert_eq!(shown(&["ok", bad]), None, "{bad}");
        }
        assert_eq!(shown(&[]), None);
    }
}
