//! Shows an address to a person: only `http` or `https`, as one argument, and never through a shell.
//!
//! It does not decide which addresses an authorization server may have: that is `endpoint.rs`.

use std::io;
use url::Url;

/// Opens addresses. Programs and tests can bring their own.
pub trait Browser: Send + Sync {
    /// Opens `url`, or says why it cannot.
    ///
    /// # Errors
    /// When no browser could be started.
    fn open(&self, url: &Url) -> io::Result<()>;
}

/// The browser of the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemBrowser;

impl Browser for SystemBrowser {
    fn open(&self, url: &Url) -> io::Result<()> {
        if !is_web(url) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no address of the web"));
        }
        // Written anew from what was parsed: quotes, blanks and control characters are escaped.
        webbrowser::open(url.as_str())
    }
}

/// True for what a browser may be given.
#[must_use]
pub fn is_web(url: &Url) -> bool {
    let plain =
        url.as_str().bytes().all(|byte| matches!(byte, 0x21..=0x7e) && !b"\"'`<>\\^{|}".contains(&byte));
    matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|host| !host.is_empty()) && plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_web_are_opened() {
        let opens = |text: &str| Url::parse(text).is_ok_and(|url| is_web(&url));
        assert!(opens("https://as.example/authorize?a=b%20c&d=$(x)") && opens("http://127.0.0.1:1/"));
        for no in ["file:///etc/passwd", "javascript:alert(1)", "a:$(calc)", "-x", "https://h/a'b"] {
            assert!(!opens(no), "{no}");
        }
    }
}
