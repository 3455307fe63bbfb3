//! Where browsers are sent back to: one page on this machine, for as long as one login takes.
//!
//! It takes what belongs to the login and refuses everything else, so that no other page can end or disturb it. It does
//! not judge the code.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

/// The path of the page.
const PATH: &str = "/callback";
/// Longest head of a request, in bytes.
const LONGEST: usize = 16 * 1024;
/// Longest time for one request.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most requests at once.
const VISITS: usize = 32;

/// A page that waits for a browser.
#[derive(Debug)]
pub struct Callback {
    listener: TcpListener,
    port: u16,
}

impl Callback {
    /// Listens on `port` of this machine, or on a free one.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn listen(port: Option<u16>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0))).await?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    /// Its address.
    #[must_use]
    pub fn redirect(&self) -> String {
        format!("http://127.0.0.1:{}{PATH}", self.port)
    }

    /// Waits for a browser that comes back with a query that `is_mine`: the whole address. Cancel-safe.
    ///
    /// # Errors
    /// When nothing can be accepted any more.
    pub async fn returned(&self, is_mine: impl Fn(&str) -> bool) -> io::Result<Url> {
        // Browsers open connections that they may need, and say nothing on them.
        let mut visits = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if visits.len() < VISITS => {
                    visits.push(timeout(PATIENCE, self.visit(accepted?.0, &is_mine)));
                }
                Some(visit) = visits.next() => {
                    if let Ok(Some(url)) = visit {
                        return Ok(url);
                    }
                }
            }
        }
    }

    async fn visit(&self, mut stream: TcpStream, is_mine: &impl Fn(&str) -> bool) -> Option<Url> {
        let head = head(&mut stream).await?;
        let found = self.read(&head).filter(|url| is_mine(url.query().unwrap_or_default()));
        let (status, text) = match &found {
            Some(url) if url.query_pairs().any(|(key, _)| key == "error") => {
                ("200 OK", "The login was refused. The terminal says more; this page can be closed.")
            }
            Some(_) => ("200 OK", "Thank you. The terminal goes on; this page can be closed."),
            None => ("404 Not Found", "Nothing is here."),
        };
        let page = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>mcp-manifold</title><p>{text}</p></html>"
        );
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\n\
             content-security-policy: default-src 'none'; frame-ancestors 'none'\r\nreferrer-policy: no-referrer\r\n\
             cache-control: no-store\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n{page}",
            page.len()
        );
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
        found
    }

    /// The address in the head of a request, when it is a GET of the page on this very host.
    fn read(&self, head: &str) -> Option<Url> {
        let mut lines = head.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, target) = (words.next()?, words.next()?);
        let mut hosts = lines.filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("host").then(|| value.trim().to_ascii_lowercase())
        });
        let host = hosts.next()?;
        let own = [format!("127.0.0.1:{}", self.port), format!("localhost:{}", self.port)];
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        let ours = method == "GET" && path == PATH && own.contains(&host) && hosts.next().is_none();
        ours.then(|| Url::parse(&format!("http://127.0.0.1:{}{target}", self.port)).ok()).flatten()
    }
}

async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    while memchr::memmem::find(&read, b"\r\n\r\n").is_none() {
        if read.len() > LONGEST || stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
    String::from_utf8(read).ok()
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

    async fn ask(callback: &Callback, request: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, callback.port)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer
    }

    #[tokio::test]
    async fn only_the_browser_of_this_login_is_let_in() {
        let callback = Callback::listen(None).await.unwrap();
        let host = format!("127.0.0.1:{}", callback.port);
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
