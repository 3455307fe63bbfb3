//! From HTTP to a WebSocket: the request that asks for it, and the connection that follows.
//!
//! Source: RFC 6455, section 4.2. `Host`, `Origin` and credential were looked at before, as for every other request. What is
//! said on the WebSocket is `websocket.rs`.

use crate::auth::caller::Caller;
use crate::front::http::header::single;
use crate::front::http::lease::Lease;
use crate::front::http::reply;
use crate::front::http::reply::Refusal;
use crate::front::http::reply::Reply;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::StatusCode;
use http::Version;
use http::header;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use std::sync::Mutex;
use std::sync::PoisonError;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Where clients ask for it.
pub const PATH: &str = "/ws";
/// What MCP is called among the subprotocols.
const SUBPROTOCOL: &str = "mcp";

/// What becomes of one connection after HTTP; nothing, unless a request asks for it.
#[derive(Debug, Default)]
pub struct Switch(Mutex<Option<Next>>);

/// A WebSocket that comes next.
#[derive(Debug)]
pub struct Next {
    /// Who asked for it.
    pub caller: Caller,
    /// It ends with this.
    pub lease: Option<Lease>,
    /// The headers of the request.
    pub headers: HeaderMap,
    /// The connection, once the response is sent.
    pub upgrade: OnUpgrade,
}

impl Switch {
    /// What was asked for.
    pub fn take(&self) -> Option<Next> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Answers the request of `caller`.
    ///
    /// # Errors
    /// 405, 426 and 400 for what is no such request.
    pub fn ask(
        &self,
        caller: Caller,
        lease: Option<Lease>,
        request: &mut Request<Incoming>,
    ) -> Result<Reply, Refusal> {
        if request.method() != Method::GET {
            return Err(Refusal::method("GET"));
        }
        let headers = request.headers();
        if request.version() != Version::HTTP_11 || !asks(headers) {
            return Err(Refusal::upgrade("this is a WebSocket endpoint: ask for the upgrade, in version 13"));
        }
        let key = single(headers, header::SEC_WEBSOCKET_KEY).ok().flatten().filter(|key| is_key(key));
        let key = key.ok_or_else(|| bad("the request has no proper `Sec-WebSocket-Key`"))?;
        let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes()));
        let accept = accept.map_err(|_| bad("the request has no proper `Sec-WebSocket-Key`"))?;
        let offered = headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL);
        if offered && !names(headers, &header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL, true) {
            return Err(bad("none of the subprotocols offered is `mcp`"));
        }
        let mut reply = reply::empty(StatusCode::SWITCHING_PROTOCOLS);
        let answer = reply.headers_mut();
        answer.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        answer.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        answer.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        if offered {
            answer.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
        }
        let headers = request.headers().clone();
        let next = Next { caller, lease, headers, upgrade: hyper::upgrade::on(request) };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(next);
        Ok(reply)
    }
}

fn asks(headers: &HeaderMap) -> bool {
    names(headers, &header::UPGRADE, "websocket", false)
        && names(headers, &header::CONNECTION, "upgrade", false)
        && single(headers, header::SEC_WEBSOCKET_VERSION) == Ok(Some("13"))
}

/// True when the list in the header `name` has `wanted`.
fn names(headers: &HeaderMap, name: &HeaderName, wanted: &str, exact: bool) -> bool {
    let texts = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let same = |item: &str| if exact { item == wanted } else { item.eq_ignore_ascii_case(wanted) };
    texts.flat_map(|text| text.split(',')).any(|item| same(item.trim()))
}

/// 16 bytes in base64.
fn is_key(key: &str) -> bool {
    let digits = key.strip_suffix("==").unwrap_or_default();
    digits.len() == 22 && digits.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/".contains(&b))
}

fn bad(text: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, text)
}
