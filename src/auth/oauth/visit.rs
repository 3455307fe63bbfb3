//! Visits of browsers at a page on this machine: what is asked for, and what is shown.
//!
//! Whoever is no browser that wrote this very address gets nothing. It does not know what a page is for.

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

/// Longest head of a request, in bytes.
pub const LONGEST: usize = 16 * 1024;
/// Longest time for one request.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most requests at once.
const VISITS: usize = 32;

/// Where browsers come to.
#[derive(Debug)]
pub struct Lobby {
    listener: TcpListener,
    port: u16,
}

/// A browser that waits for a page.
#[derive(Debug)]
pub struct Visit {
    stream: TcpStream,
    /// What it asks for.
    pub head: Head,
}

/// What a browser asks for.
#[derive(Debug)]
pub struct Head {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path.
    pub path: String,
    /// The query, if there is one.
    pub query: Option<String>,
    cookies: Vec<String>,
}

/// What a browser is shown.
#[derive(Debug, Clone)]
pub struct Page {
    status: &'static str,
    /// Whole lines.
    headers: String,
    body: String,
}

impl Page {
    /// The page that says nothing.
    #[must_use]
    pub fn nothing() -> Self {
        Self::saying("404 Not Found", "Nothing is here.")
    }

    /// A sentence for a person.
    #[must_use]
    pub fn saying(status: &'static str, text: &str) -> Self {
        Self { status, headers: String::new(), body: format!("<p>{}</p>", escaped(text)) }
    }

    /// The same with a button that comes back to the same address.
    #[must_use]
    pub fn with_button(mut self, name: &str) -> Self {
        self.body.push_str(&format!("<form method=\"post\"><button>{}</button></form>", escaped(name)));
        self
    }

    /// Leads elsewhere: to `address`, which was parsed and written anew. `cookie` is kept for this host.
    #[must_use]
    pub fn leading_to(address: &str, cookie: &str) -> Self {
        let headers =
            format!("location: {address}\r\nset-cookie: {cookie}; Path=/; HttpOnly; SameSite=Lax\r\n");
        Self { status: "303 See Other", headers, body: String::new() }
    }
}

impl Lobby {
    /// Listens on `port` of this machine, or on a free one.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn listen(port: Option<u16>) -> io::Result<Self> {
        Self::over(TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0))).await?)
    }

    /// The same on a free port, for those who cannot wait.
    ///
    /// # Errors
    /// When there is none.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn open() -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        Self::over(TcpListener::from_std(listener)?)
    }

    fn over(listener: TcpListener) -> io::Result<Self> {
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    /// The address of `path` here.
    #[must_use]
    pub fn address(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Shows every visit the page that `page` has for it, until there is one for which it has none: that one. Cancel-safe.
    ///
    /// # Errors
    /// When nothing can be accepted any more.
    pub async fn next(&self, page: impl Fn(&Visit) -> Option<Page>) -> io::Result<Visit> {
        // Browsers open connections that they may need, and say nothing on them.
        let mut visits = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if visits.len() < VISITS => {
                    visits.push(timeout(PATIENCE, self.meet(accepted?.0, &page)));
                }
                Some(visit) = visits.next() => {
                    if let Ok(Some(visit)) = visit {
                        return Ok(visit);
                    }
                }
            }
        }
    }

    async fn meet(&self, mut stream: TcpStream, page: &impl Fn(&Visit) -> Option<Page>) -> Option<Visit> {
        let head = head(&mut stream).await?;
        let page = match self.read(&head) {
            None => Page::nothing(),
            Some(head) => {
                let visit = Visit { stream, head };
                match page(&visit) {
                    None => return Some(visit),
                    Some(page) => {
                        visit.show(page).await;
                        return None;
                    }
                }
            }
        };
        show(&mut stream, &page).await;
        None
    }

    /// The head of a request, when it is for this very host.
    fn read(&self, head: &str) -> Option<Head> {
        let mut lines = head.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, target) = (words.next()?, words.next()?);
        let (mut hosts, mut cookies) = (Vec::new(), Vec::new());
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            match name.to_ascii_lowercase().as_str() {
                "host" => hosts.push(value.trim().to_ascii_lowercase()),
                "cookie" => cookies.extend(value.split(';').map(|one| one.trim().to_owned())),
                _ => {}
            }
        }
        let own = [format!("127.0.0.1:{}", self.port), format!("localhost:{}", self.port)];
        let [host] = hosts.as_slice() else { return None };
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        let (method, path) = (method.to_owned(), path.to_owned());
        own.contains(host).then_some(Head { method, path, query, cookies })
    }
}

impl Visit {
    /// True when the browser brought `cookie`, `name=value`.
    #[must_use]
    pub fn brings(&self, cookie: &str) -> bool {
        self.head.cookies.iter().any(|one| one == cookie)
    }

    /// Shows `page`; it is over then.
    pub async fn show(mut self, page: Page) {
        let _ = timeout(PATIENCE, show(&mut self.stream, &page)).await;
    }
}

async fn show(stream: &mut TcpStream, Page { status, headers, body }: &Page) {
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>mcp-manifold</title>{body}</html>"
    );
    let answer = format!(
        "HTTP/1.1 {status}\r\n{headers}content-type: text/html; charset=utf-8\r\ncontent-length: {}\r\n\
         content-security-policy: default-src 'none'; frame-ancestors 'none'\r\nreferrer-policy: no-referrer\r\n\
         cache-control: no-store\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n{page}",
        page.len()
    );
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    let end = loop {
        if let Some(end) = memchr::memmem::find(&read, b"\r\n\r\n") {
            break end;
        }
        if read.len() > LONGEST || stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    };
    read.truncate(end);
    String::from_utf8(read).ok()
}

/// A text as it may stand in a page.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_text() {
        let page = Page::saying("200 OK", "<script>\"x\" & 'y'</script>");
        assert_eq!(page.body, "<p>&lt;script&gt;&quot;x&quot; &amp; &#39;y&#39;&lt;/script&gt;</p>");
    }

    #[tokio::test]
    async fn a_visit_is_read_with_its_cookies_and_for_this_host_only() {
        let lobby = Lobby::open().unwrap();
        let host = format!("Host: 127.0.0.1:{}\r\n", lobby.port);
        let read = |line: &str, more: &str| lobby.read(&format!("{line} HTTP/1.1\r\n{more}"));
        let asked = read("GET /a?b=c", &format!("{host}Cookie: x=1; y=2\r\n")).unwrap();
        assert_eq!((&*asked.method, &*asked.path, asked.query.as_deref()), ("GET", "/a", Some("b=c")));
        assert_eq!(asked.cookies, ["x=1", "y=2"]);
        assert!(read("GET /a", "Host: evil.example\r\n").is_none());
        assert!(read("GET /a", &format!("{host}{host}")).is_none() && read("GET /a", "").is_none());
    }
}
