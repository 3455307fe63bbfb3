//! Which addresses an authorization server may have: `https`, or `http` on this machine for a server on this machine.
//!
//! Nothing is resolved or connected here: what a name leads to is checked where it is dialled (`auth/egress.rs`).

use crate::auth::oauth::error::LoginError;
use url::Host;
use url::Url;

/// Reads the address `text`, which is the `what` of an authorization server for the server at `base`.
///
/// # Errors
/// [`LoginError::BadAddress`].
pub fn usable(what: &'static str, text: &str, base: &Url) -> Result<Url, LoginError> {
    let bad = |why| LoginError::BadAddress { what, why };
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(bad("it holds blanks or control characters"));
    }
    let url = Url::parse(text).map_err(|_| bad("it is no address"))?;
    match url.scheme() {
        "https" => {}
        "http" if is_local(&url) && is_local(base) => {}
        "http" => return Err(bad("it begins with `http:` and is not on this machine")),
        _ => return Err(bad("it does not begin with `https:`")),
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(bad("it names no host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("it holds a name or a password"));
    }
    if url.fragment().is_some() {
        return Err(bad("it has a fragment"));
    }
    Ok(url)
}

/// True for an address on this machine.
#[must_use]
pub fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_https_or_on_this_machine() {
        let (far, near) =
            ("https://mcp.example/mcp".parse().unwrap(), "http://127.0.0.1:1/".parse().unwrap());
        let ok = |text: &str, base: &Url| usable("address", text, base).is_ok();
        assert!(ok("https://as.example/authorize?a=b", &far) && ok("https://as.example/", &near));
        assert!(ok("http://localhost:9/authorize", &near) && ok("http://[::1]:9/a", &near));
        for bad in [
            "http://as.example/",
            "http://127.0.0.1:9/authorize",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "a:$(calc)",
            "--version",
            "-x",
            "https://u:p@as.example/",
            "https://as.example/#f",
            "https://as.example/\r\nX: y",
            "https://as.example/a b",
            "https://",
            "",
        ] {
            assert!(!ok(bad, &far), "{bad}");
        }
    }
}
