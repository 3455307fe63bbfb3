//! What a server wants that only a person can give it: a login, or one that allows more. The texts name the command.
//!
//! It does not know how servers say so.

use crate::auth::oauth::demand::copyable;
use crate::name::ServerName;
use crate::wire::pending::Lost;
use crate::wire::unauthorized::Unauthorized;
use std::fmt;
use std::sync::Arc;

/// A login that is missing, or not enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    server: ServerName,
    /// What its login would have to allow besides; `None` when there is no login.
    scopes: Option<Vec<String>>,
    /// It does not say where to log in: it may want a token of another kind.
    vague: bool,
    /// The principal whose login it is; none where it is the gateway's.
    whose: Option<Arc<str>>,
}

impl Lack {
    /// Nobody is logged in, or the login has ended. A `vague` server does not say where to log in.
    #[must_use]
    pub fn login(server: &ServerName, vague: bool) -> Self {
        Self { server: server.clone(), scopes: None, vague, whose: None }
    }

    /// The login does not allow these scopes.
    #[must_use]
    pub fn scopes(server: &ServerName, scopes: Vec<String>) -> Self {
        Self { server: server.clone(), scopes: Some(scopes), vague: false, whose: None }
    }

    /// The same of a login of the principal `whose`, or else of the gateway.
    #[must_use]
    pub fn of(self, whose: Option<Arc<str>>) -> Self {
        Self { whose, ..self }
    }

    /// What a login would have to allow besides.
    #[must_use]
    pub fn wanted(&self) -> Arc<[String]> {
        self.scopes.clone().unwrap_or_default().into()
    }

    /// What those hear whose request was refused for it.
    #[must_use]
    pub fn lost(&self) -> Lost {
        Lost::Unauthorized(Unauthorized { why: self.to_string().into(), login: Some(self.wanted()) })
    }

    /// The command that a person runs.
    #[must_use]
    pub fn command(&self) -> String {
        let name = word(self.server.as_str());
        let whose = self.whose.as_deref().map(|whose| format!(" --caller {}", word(whose)));
        let whose = whose.unwrap_or_default();
        let scope = match self.scopes.as_deref().map(copyable) {
            None => String::new(),
            Some(Some(scopes)) => format!(" --scope \"{scopes}\""),
            Some(None) => " --scope \"SCOPES\"".to_owned(),
        };
        format!("mcp-manifold auth login {name}{whose}{scope}")
    }
}

/// A name as it may stand in a command.
fn word(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-:".contains(c);
    match shlex::try_quote(name) {
        _ if name.chars().all(plain) => name.to_owned(),
        Ok(quoted) if !name.chars().any(char::is_control) => quoted.into_owned(),
        _ => "NAME".to_owned(),
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (server, command) = (&self.server, self.command());
        match &self.scopes {
            None if self.whose.is_some() => {
                write!(out, "server `{server}` needs a login of this caller: run `{command}`")
            }
            None if self.vague => write!(
                out,
                "server `{server}` answered 401: it wants credentials; give them in `headers`, or run `{command}`"
            ),
            None => write!(out, "server `{server}` needs a login: run `{command}`"),
            Some(_) => write!(out, "server `{server}` wants more than its login allows: run `{command}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_can_be_copied() {
        let name = |text: &str| ServerName::new(text).unwrap();
        let scopes = |list: &[&str]| list.iter().map(|scope| (*scope).to_owned()).collect();
        let lack = Lack::login(&name("my-server.1"), false);
        assert_eq!(
            lack.to_string(),
            "server `my-server.1` needs a login: run `mcp-manifold auth login my-server.1`"
        );
        assert_eq!(Lack::login(&name("a b"), true).command(), "mcp-manifold auth login 'a b'");
        let lack = Lack::login(&name("x"), true).of(Some("key:1".into()));
        assert_eq!(
            lack.to_string(),
            "server `x` needs a login of this caller: run `mcp-manifold auth login x --caller key:1`"
        );
        let lack = lack.of(Some("jwt:https://i|it's".into()));
        assert!(lack.command().ends_with(r#"--caller "jwt:https://i|it's""#), "{}", lack.command());
        let lack = Lack::scopes(&name("x"), scopes(&["a:b", "c"]));
        assert!(lack.to_string().ends_with("allows: run `mcp-manifold auth login x --scope \"a:b c\"`"));
        let lack = Lack::scopes(&name("x"), scopes(&["$(calc)"]));
        assert!(lack.command().ends_with("--scope \"SCOPES\""), "nothing that a shell would run");
    }
}
