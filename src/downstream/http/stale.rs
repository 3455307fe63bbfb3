//! What a refusal may mean besides no: that what is known of the server no longer holds.
//!
//! A tool that was changed wants other `Mcp-Param-*` headers (`-32020`); a server that was replaced speaks another
//! revision. Refused requests did not run, so that one may be sent once more. It decides nothing about answers.

use crate::downstream::http::endpoint::Endpoint;
use crate::downstream::http::era;
use crate::downstream::http::mark;
use crate::downstream::http::parcel::Parcel;
use crate::downstream::http::reply::Refusal;
use crate::downstream::http::reply::code_of;
use crate::downstream::request::Request;
use crate::protocol::capability;
use crate::protocol::code;
use crate::protocol::param_header;
use crate::protocol::version::Era;
use crate::wire::members::Members;
use crate::wire::message::read_text;
use serde_json::value::RawValue;

const LIST: &str = "tools/list";
const CALL: &str = "tools/call";
/// Pages that are looked through for one tool.
const PAGES: usize = 64;

/// What no longer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stale {
    /// The schema of the tool that is called.
    Schema,
    /// The era.
    Era,
}

/// What `refusal` of a request of `method` makes doubtful.
pub fn doubt(era: Era, method: &str, id: u64, refusal: &mut Refusal, depth: usize) -> Option<Stale> {
    if refusal.may_pass() || refusal.wants_credentials() || !refusal.status.is_client_error() {
        return None;
    }
    let status = refusal.status.as_u16();
    let code = refusal.error(id, depth).and_then(code_of);
    match (era, code) {
        (Era::Modern, Some(code::HEADER_MISMATCH)) => (method == CALL).then_some(Stale::Schema),
        (Era::Modern, Some(code::MISSING_CAPABILITY | code::INVALID_PARAMS)) => None,
        (Era::Modern, Some(code::METHOD_NOT_FOUND)) if status == 404 => None,
        (Era::Modern, _) => matches!(status, 400 | 404 | 405).then_some(Stale::Era),
        (Era::Legacy, Some(code::UNSUPPORTED_VERSION | code::HEADER_MISMATCH | code::MISSING_CAPABILITY)) => {
            Some(Stale::Era)
        }
        (Era::Legacy, _) => None,
    }
}

/// The headers that a call needs by the list as it is now; `None` when it has no such tool any more.
pub async fn restated(endpoint: &Endpoint, parcel: &Parcel) -> Option<Vec<(String, String)>> {
    let target = parcel.target.as_deref()?;
    let body = std::str::from_utf8(&parcel.body).ok()?;
    let params = Members::parse(Members::parse(body).ok()?.get("params")?.get()).ok()?;
    let mut cursor = None::<String>;
    for _ in 0..PAGES {
        let asked = cursor.as_ref().map_or_else(|| "{}".into(), |cursor| format!(r#"{{"cursor":{cursor}}}"#));
        let page = list(endpoint, &asked).await?;
        let page = Members::parse(&page).ok()?;
        let tools: Vec<&RawValue> = serde_json::from_str(page.get("tools")?.get()).ok()?;
        if let Some(tool) = tools.into_iter().find(|tool| is_named(tool, target)) {
            let headers = param_header::of_tool(tool.get());
            let arguments = params.get("arguments");
            let said = headers.iter();
            return Some(
                said.filter_map(|header| Some((header.name().to_owned(), header.value(arguments)?)))
                    .collect(),
            );
        }
        cursor = Some(page.get("nextCursor").filter(|raw| raw.get() != "null")?.get().to_owned());
    }
    None
}

async fn list(endpoint: &Endpoint, params: &str) -> Option<String> {
    let params = Members::parse(params).ok()?;
    let mut body = Vec::new();
    Request::own(LIST, &params, capability::FULL).write(&mut body, Era::Modern, era::ID);
    era::result_of(endpoint, mark::modern(LIST, None, &[]), body).await
}

fn is_named(tool: &RawValue, name: &str) -> bool {
    let members = Members::parse_with_duplicates(tool.get()).ok();
    members.and_then(|members| read_text(members.get("name")?).ok()).is_some_and(|found| found == name)
}
