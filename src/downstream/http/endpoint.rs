//! The address of one server: requests are sent from here, with the headers of the entry on every one of them, and the
//! token of a login where the server wants one.
//!
//! It does not read answers, but for a refused token, and never shows the address, which may hold a secret.

use crate::auth::outbound::Shows;
use crate::auth::outbound::changing::Changing;
use crate::config::model::Http;
use crate::downstream::connect::LinkLimits;
use crate::downstream::error::StartError;
use crate::downstream::http::client::HttpClient;
use crate::downstream::http::client::USER_AGENT;
use crate::downstream::http::client::Way;
use crate::downstream::http::failure::Failure;
use crate::downstream::http::login;
use crate::downstream::http::login::Login;
use crate::downstream::http::mark;
use crate::downstream::http::mark::Marks;
use crate::downstream::http::reply::Refusal;
use crate::downstream::http::response::Response;
use crate::downstream::lack::Lack;
use crate::name::ServerName;
use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http::header;
use http::header::HOST;
use reqwest::Client;
use reqwest::Url;
use std::fmt;
use std::sync::Arc;

/// Where a server is, and how it is spoken to.
#[derive(Debug)]
pub struct Endpoint {
    /// Which server.
    pub server: ServerName,
    /// Bounds of what is sent and read.
    pub limits: LinkLimits,
    way: Way,
    url: Url,
    headers: HeaderMap,
    heads: Heads,
    /// A credential that changes.
    changing: Option<Arc<Changing>>,
    login: Option<Arc<Login>>,
}

/// How requests begin, written once: the request line and the headers of the entry.
struct Heads {
    post: Vec<u8>,
    get: Vec<u8>,
    delete: Vec<u8>,
    /// Headers of the entry that give way to one of the same name in a request.
    yielding: HeaderMap,
}

impl Endpoint {
    /// The endpoint that `http` describes.
    ///
    /// # Errors
    /// What of `http` cannot be used, in words.
    pub fn new(
        server: &ServerName,
        http: &Http,
        client: &HttpClient,
        limits: LinkLimits,
        shows: &Shows,
    ) -> Result<Self, String> {
        let url =
            Url::parse(&http.url.value).map_err(|error| format!("its `url` cannot be read: {error}"))?;
        let (headers, changing) = (headers_of(shows)?, shows.changing.clone());
        let (way, heads) = (client.way_to(&url), Heads::of(&url, &headers, changing.is_some()));
        Ok(Self { server: server.clone(), limits, way, url, headers, heads, changing, login: None })
    }

    /// The same with a login.
    #[must_use]
    pub fn with_login(self, login: Option<Login>) -> Self {
        Self { login: login.map(Arc::new), ..self }
    }

    /// Sends one message.
    ///
    /// # Errors
    /// `Failure` when no answer came; an answer with any status is an answer.
    pub async fn post(&self, marks: Marks, body: &Bytes) -> Result<Response, Failure> {
        self.send(Method::POST, marks, Some(body)).await
    }

    /// Where this is.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The same with another address, which has the same origin: the headers go there too.
    #[must_use]
    pub fn at(&self, url: Url) -> Self {
        let (server, way, headers) = (self.server.clone(), self.way.clone(), self.headers.clone());
        let (changing, login) = (self.changing.clone(), self.login.clone());
        let heads = Heads::of(&url, &headers, changing.is_some());
        Self { server, limits: self.limits, way, url, headers, heads, changing, login }
    }

    /// What the server lacks that answered with `refusal`, where somebody can log in and that would help.
    #[must_use]
    pub fn lack(&self, refusal: &Refusal) -> Option<Lack> {
        let login = self.login.as_ref()?;
        let lack = login::lack(&self.server, &self.url, refusal.status, refusal.challenge.as_ref());
        lack.map(|lack| login.own(lack))
    }

    /// Why a server does not start that answered with `refusal`, which wants credentials.
    #[must_use]
    pub fn unauthorized(&self, refusal: &Refusal) -> StartError {
        match self.lack(refusal) {
            Some(lack) => StartError::NeedsLogin(lack),
            None => StartError::Unauthorized { server: self.server.clone(), status: refusal.status.as_u16() },
        }
    }

    /// Opens a stream, or asks to.
    ///
    /// # Errors
    /// `Failure` when no answer came.
    pub async fn get(&self, marks: Marks) -> Result<Response, Failure> {
        self.send(Method::GET, marks, None).await
    }

    /// Ends a session.
    ///
    /// # Errors
    /// `Failure` when no answer came.
    pub async fn delete(&self, marks: Marks) -> Result<Response, Failure> {
        self.send(Method::DELETE, marks, None).await
    }

    async fn send(&self, method: Method, marks: Marks, body: Option<&Bytes>) -> Result<Response, Failure> {
        if let Some(changing) = &self.changing {
            return Box::pin(self.send_showing(changing, &method, &marks, body)).await;
        }
        let Some(login) = &self.login else { return self.send_once(&method, &marks, body).await };
        if login.is_wanted() {
            return Box::pin(self.send_as(login, &method, marks, body)).await;
        }
        let response = self.send_once(&method, &marks, body).await?;
        match response.status {
            StatusCode::UNAUTHORIZED => Box::pin(self.refused(login, &method, marks, body, response)).await,
            _ => Ok(response),
        }
    }

    /// A request without a token was refused, and so not looked at: it is sent once more, if there is a token.
    async fn refused(
        &self,
        login: &Login,
        method: &Method,
        marks: Marks,
        body: Option<&Bytes>,
        response: Response,
    ) -> Result<Response, Failure> {
        match login.token().await? {
            Some(_) => self.send_as(login, method, marks, body).await,
            None => Ok(response),
        }
    }

    /// With the token of `login`; one that is refused is renewed once. A refused request was not looked at.
    async fn send_as(
        &self,
        login: &Login,
        method: &Method,
        marks: Marks,
        body: Option<&Bytes>,
    ) -> Result<Response, Failure> {
        let Some(token) = login.token().await? else { return self.send_once(method, &marks, body).await };
        let response = self.send_once(method, &marks.showing(&token), body).await?;
        if response.status != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let Some(token) = login.instead_of(&token).await? else { return Ok(response) };
        let response = self.send_once(method, &marks.showing(&token), body).await?;
        if response.status == StatusCode::UNAUTHORIZED {
            login.refused(&token);
        }
        Ok(response)
    }

    /// With a credential that changes. A refused request was not looked at: it is sent once more if there is another one.
    async fn send_showing(
        &self,
        changing: &Changing,
        method: &Method,
        marks: &Marks,
        body: Option<&Bytes>,
    ) -> Result<Response, Failure> {
        let shown = changing.headers().await.map_err(|error| Failure::before(&error))?;
        let response = self.send_once(method, &marks.with(&shown), body).await?;
        if !matches!(response.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Ok(response);
        }
        match changing.instead_of(&shown, response.status.as_u16()).await {
            Ok(Some(shown)) => self.send_once(method, &marks.with(&shown), body).await,
            Ok(None) => Ok(response),
            Err(error) => Err(Failure::before(&error)),
        }
    }

    async fn send_once(
        &self,
        method: &Method,
        marks: &Marks,
        body: Option<&Bytes>,
    ) -> Result<Response, Failure> {
        let direct = match &self.way {
            Way::Direct(direct) => direct,
            Way::Client(client) => return Box::pin(self.send_with(client, method, marks, body)).await,
        };
        let head = match *method {
            Method::POST => &self.heads.post,
            Method::GET => &self.heads.get,
            _ => &self.heads.delete,
        };
        if self.heads.yielding.is_empty() {
            return direct.ask([head, marks.lines()], body).await.map(Response::from);
        }
        let head = self.heads.with_yielding(head, marks);
        direct.ask([&head, marks.lines()], body).await.map(Response::from)
    }

    async fn send_with(
        &self,
        client: &Client,
        method: &Method,
        marks: &Marks,
        body: Option<&Bytes>,
    ) -> Result<Response, Failure> {
        let mut headers = self.headers.clone();
        headers.extend(marks.map());
        let mut request = client.request(method.clone(), self.url.clone()).headers(headers);
        if let Some(body) = body {
            request = request.body(Bytes::clone(body));
        }
        request.send().await.map(Response::from).map_err(|error| Failure::of(&error))
    }
}

impl Heads {
    /// With `all` every header of the entry gives way.
    fn of(url: &Url, headers: &HeaderMap, all: bool) -> Self {
        let (yielding, headers): (HeaderMap, HeaderMap) = headers
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .partition(|(name, _)| all || mark::is_param(name));
        let mut lines = url.path().as_bytes().to_vec();
        if let Some(query) = url.query() {
            lines.push(b'?');
            lines.extend_from_slice(query.as_bytes());
        }
        lines.extend_from_slice(b" HTTP/1.1\r\n");
        let mut put = |name: &str, value: &[u8]| mark::put(&mut lines, name, value);
        if !headers.contains_key(HOST) {
            let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
            put("host", format!("{}{port}", url.host_str().unwrap_or_default()).as_bytes());
        }
        if !headers.contains_key(header::USER_AGENT) {
            put("user-agent", USER_AGENT.as_bytes());
        }
        headers.iter().for_each(|(name, value)| put(name.as_str(), value.as_bytes()));
        let after = |verb: &[u8]| [verb, &lines].concat();
        Self { post: after(b"POST "), get: after(b"GET "), delete: after(b"DELETE "), yielding }
    }

    fn with_yielding(&self, head: &[u8], marks: &Marks) -> Vec<u8> {
        let (mut head, said) = (head.to_vec(), marks.map());
        for (name, value) in self.yielding.iter().filter(|(name, _)| !said.contains_key(*name)) {
            mark::put(&mut head, name.as_str(), value.as_bytes());
        }
        head
    }
}

/// They may hold secrets.
impl fmt::Debug for Heads {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}

/// The headers of a connection that never change, without those that belong to the protocol.
///
/// # Errors
/// Which of them cannot be sent, in words.
pub fn headers_of(shows: &Shows) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &shows.headers {
        let Ok(key) = HeaderName::from_bytes(name.as_bytes()) else {
            return Err(format!("`{name}` is not the name of a header"));
        };
        let Ok(mut value) = HeaderValue::from_str(value.expose()) else {
            return Err(format!("the value of the header `{name}` holds a character that cannot be sent"));
        };
        value.set_sensitive(true);
        if !mark::is_reserved(&key) {
            headers.append(key, value);
        }
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(url: &str, headers: &[(&'static str, &str)]) -> Heads {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
        Heads::of(&Url::parse(url).unwrap(), &headers.collect(), false)
    }

    #[test]
    fn a_request_begins_with_the_address_and_the_headers_of_the_entry() {
        let agent = format!("user-agent: {USER_AGENT}\r\n");
        for (url, headers, expected) in [
            ("http://h/", &[][..], format!("POST / HTTP/1.1\r\nhost: h\r\n{agent}")),
            ("https://h:443/a?b=c d#e", &[], format!("POST /a?b=c%20d HTTP/1.1\r\nhost: h\r\n{agent}")),
            (
                "http://[::1]:8080/a",
                &[("x", "1")],
                format!("POST /a HTTP/1.1\r\nhost: [::1]:8080\r\n{agent}x: 1\r\n"),
            ),
            (
                "http://h/",
                &[("host", "other"), ("user-agent", "mine")],
                "POST / HTTP/1.1\r\nhost: other\r\nuser-agent: mine\r\n".to_owned(),
            ),
        ] {
            assert_eq!(String::from_utf8(heads(url, headers).post).unwrap(), expected);
        }
    }

    #[test]
    fn a_header_of_the_entry_gives_way_to_that_of_an_argument() {
        let heads = heads("http://h/", &[("mcp-param-region", "fixed"), ("x-own", "1")]);
        let head = |marks: Marks| String::from_utf8(heads.with_yielding(&heads.post, &marks)).unwrap();
        assert!(head(mark::plain()).ends_with("x-own: 1\r\nmcp-param-region: fixed\r\n"));
        let said = [("Mcp-Param-Region".to_owned(), "eu".to_owned())];
        assert!(head(mark::modern("tools/call", Some("t"), &said)).ends_with("x-own: 1\r\n"));
    }
}
