//! Where browsers are sent back to: one page on this machine, for as long as one login takes.
//!
//! It takes what belongs to the login and refuses everything else, so that no other page can end or disturb it. It does
//! not judge the code.

use crate::auth::oauth::visit::LONGEST;
use crate::auth::oauth::visit::Lobby;
use crate::auth::oauth::visit::Page;
use crate::auth::oauth::visit::Visit;
use std::io;
use url::Url;

/// The path of the page.
const PATH: &str = "/callback";

/// A page that waits for a browser.
#[derive(Debug)]
pub struct Callback {
    lobby: Lobby,
    /// What the browser must bring besides, `name=value`.
    cookie: Option<String>,
}

impl Callback {
    /// Listens on `port` of this machine, or on a free one.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn listen(port: Option<u16>) -> io::Result<Self> {
        Ok(Self { lobby: Lobby::listen(port).await?, cookie: None })
    }

    /// The same for the browser only that has `cookie`, `name=value`.
    #[must_use]
    pub fn for_browser_with(self, cookie: Option<String>) -> Self {
        Self { cookie, ..self }
    }

    /// Its address.
    #[must_use]
    pub fn redirect(&self) -> String {
        self.lobby.address(PATH)
    }

    /// Waits for a browser that comes back with a query that `is_mine`: the whole address. Cancel-safe.
    ///
    /// # Errors
    /// When nothing can be accepted any more.
    pub async fn returned(&self, is_mine: impl Fn(&str) -> bool) -> io::Result<Url> {
        let (url, visit) = self.visited(is_mine).await?;
        let text = match url.query_pairs().any(|(key, _)| key == "error") {
            true => "The login was refused. The terminal says more; this page can be closed.",
            false => "Thank you. The terminal goes on; this page can be closed.",
        };
        visit.show(Page::saying("200 OK", text)).await;
        Ok(url)
    }

    /// As [`Callback::returned`], with the browser that still has to be shown something.
    ///
    /// # Errors
    /// As [`Callback::returned`].
    pub async fn visited(&self, is_mine: impl Fn(&str) -> bool) -> io::Result<(Url, Visit)> {
        let fits = |visit: &Visit| {
            let comes_back = visit.head.method == "GET" && visit.head.path == PATH;
            let browser = self.cookie.as_ref().is_none_or(|cookie| visit.brings(cookie));
            comes_back && browser && is_mine(visit.head.query.as_deref().unwrap_or_default())
        };
        loop {
            let visit = self.lobby.next(|visit| (!fits(visit)).then(Page::nothing)).await?;
            let query = visit.head.query.as_deref().unwrap_or_default();
            if let Ok(url) = Url::parse(&format!("{}?{query}", self.redirect())) {
                return Ok((url, visit));
            }
        }
    }
}

/// Reads an address that a person copied from a browser: whole, or only its query.
#[must_use]
pub fn pasted(text: &str) -> Option<Url> {
    let text = text.trim().trim_matches(['"', '\'']);
    if text.is_empty() || text.len() > LONGEST || text.chars().any(char::is_control) {
        return None;
    }
    let query = text.split_once('?').map_or(text, |(_, query)| query);
    // The person's browser may have another name for the same page.
    query.contains("state=").then(|| Url::parse(&format!("http://127.0.0.1{PATH}?{query}")).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpStream;

    fn host(callback: &Callback) -> String {
        callback.redirect().trim_start_matches("http://").trim_end_matches(PATH).to_owned()
    }

    async fn ask(callback: &Callback, request: &str) -> String {
        let mut stream = TcpStream::connect(host(callback)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer
    }

    #[tokio::test]
    async fn only_the_browser_of_this_login_is_let_in() {
        let callback = Callback::listen(None).await.unwrap();
        let host = host(&callback);
        let request = |line: &str, host: &str| format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let visits = async {
            for (line, host) in [
                ("GET /callback?state=other&code=c", &*host),
                ("POST /callback?state=mine&code=c", &*host),
                ("GET /other?state=mine&code=c", &*host),
                ("GET /callback?state=mine&code=c", "evil.example"),
                ("GET /callback?state=mine&code=c", &format!("{host}\r\nHost: {host}")),
            ] {
                assert!(
                    ask(&callback, &request(line, host)).await.starts_with("HTTP/1.1 404"),
                    "{line} {host}"
                );
            }
            ask(&callback, &request("GET /callback?state=mine&code=c%20d", &host)).await
        };
        let mine = |query: &str| query.contains("state=mine");
        let (returned, answer) = tokio::join!(callback.returned(mine), visits);
        assert_eq!(returned.unwrap().query(), Some("state=mine&code=c%20d"));
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("frame-ancestors 'none'"), "{answer}");
        assert!(!answer.contains("c%20d"), "the page says nothing of the code");
    }

    #[tokio::test]
    async fn another_browser_than_the_one_that_was_sent_away_is_not_let_in() {
        let callback = Callback::listen(None).await.unwrap().for_browser_with(Some("login=1".into()));
        let host = host(&callback);
        let visits = async {
            let request =
                |cookie: &str| format!("GET /callback?state=m HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n");
            for cookie in ["", "Cookie: login=2\r\n", "Cookie: xlogin=1\r\n"] {
                assert!(ask(&callback, &request(cookie)).await.starts_with("HTTP/1.1 404"), "{cookie}");
            }
            ask(&callback, &request("Cookie: other=3; login=1\r\n")).await
        };
        let (returned, answer) = tokio::join!(callback.returned(|_| true), visits);
        assert!(returned.is_ok() && answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    #[test]
    fn an_address_may_be_pasted() {
        let query = |text: &str| pasted(text).and_then(|url| url.query().map(str::to_owned));
        let expected = Some("code=a&state=b".to_owned());
        assert_eq!(query(" http://127.0.0.1:1234/callback?code=a&state=b \n"), expected);
        assert_eq!(query("\"http://localhost:1/callback?code=a&state=b\""), expected);
        assert_eq!(query("code=a&state=b"), expected);
        for nothing in ["", "hello", "code=a", "a\u{1b}?state=b"] {
            assert_eq!(query(nothing), None, "{nothing}");
        }
    }
}
