//! Asks a server something without a token, to hear which login it wants.
//!
//! Some servers let anybody shake hands and refuse only what follows, so a list is asked for first, as it is without a
//! session. What the answer means is not decided here.

use crate::auth::egress::Egress;
use crate::auth::oauth::error::LoginError;
use crate::protocol::capability;
use crate::protocol::legacy;
use crate::protocol::modern;
use crate::protocol::version::NEWEST_MODERN;
use crate::secret::Secret;
use bytes::Bytes;
use http::Request;
use http::StatusCode;
use http::header;
use url::Url;

const LIST: &str = "tools/list";

/// What somebody hears who is not logged in.
pub struct Heard {
    /// The status.
    pub status: StatusCode,
    /// Its `WWW-Authenticate`, joined.
    pub challenge: Option<String>,
}

/// Knocks at the server at `url`, with the headers of its entry.
///
/// # Errors
/// [`LoginError`] when it cannot be asked.
pub async fn knock(egress: &Egress, url: &Url, headers: &[(String, Secret)]) -> Result<Heard, LoginError> {
    let params = modern::discover_params(capability::FULL);
    let marks = [("mcp-protocol-version", NEWEST_MODERN), ("mcp-method", LIST)];
    let heard = ask(egress, url, headers, LIST, &params, &marks).await?;
    if heard.status == StatusCode::UNAUTHORIZED {
        return Ok(heard);
    }
    // The answers of legacy servers to a stranger's list say nothing.
    ask(egress, url, headers, "initialize", &legacy::initialize_params("{}"), &[]).await
}

async fn ask(
    egress: &Egress,
    url: &Url,
    headers: &[(String, Secret)],
    method: &str,
    params: &str,
    marks: &[(&str, &str)],
) -> Result<Heard, LoginError> {
    let mut request = Request::post(url.as_str())
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json, text/event-stream");
    for (name, value) in marks {
        request = request.header(*name, *value);
    }
    for (name, value) in headers {
        request = request.header(name, value.expose());
    }
    let body = format!(r#"{{"jsonrpc":"2.0","id":0,"method":"{method}","params":{params}}}"#);
    let request = request.body(Bytes::from(body));
    let request =
        request.map_err(|_| LoginError::Discovery("a header of its entry cannot be sent".into()))?;
    let answer = egress.send(request).await.map_err(LoginError::Unreachable)?;
    let said =
        answer.headers().get_all(header::WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let said = said.collect::<Vec<_>>().join(", ");
    Ok(Heard { status: answer.status(), challenge: Some(said).filter(|said| !said.is_empty()) })
}
