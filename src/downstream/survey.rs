//! Reads everything a server offers, page by page.
//!
//! What is read is kept raw. A list that fails is reported and keeps what was known before; it never becomes empty by
//! accident.

use crate::catalog::lists::Item;
use crate::catalog::lists::ListKind;
use crate::catalog::lists::ServerLists;
use crate::config::model::Limits;
use crate::config::model::Server;
use crate::downstream::connect::Greeting;
use crate::downstream::link::Link;
use crate::downstream::own_call::NoResult;
use crate::downstream::own_call::ask;
use crate::downstream::request::Request;
use crate::protocol::capability;
use crate::wire::members::Members;
use crate::wire::message::read_text;
use crate::wire::pending::Lost;
use crate::wire::scan::one_line;
use crate::wire::unauthorized::Unauthorized;
use serde_json::value::RawValue;
use std::fmt;

use tokio::time::Instant;

/// Bounds of one list.
#[derive(Debug, Clone, Copy)]
pub struct ListLimits {
    /// Items.
    pub items: usize,
    /// Pages.
    pub pages: usize,
    /// Bytes of all its items.
    pub bytes: usize,
}

impl ListLimits {
    /// Those of the file.
    #[must_use]
    pub fn of(limits: &Limits) -> Self {
        Self { items: limits.list_items, pages: limits.list_pages, bytes: limits.list_bytes }
    }
}

/// Reads all lists that the server declared. `before` is what was known; a list that cannot be read keeps it.
///
/// # Errors
/// What a person has to do, when the server shows nothing before somebody has logged in.
pub async fn survey(
    link: &dyn Link,
    server: &Server,
    greeting: &Greeting,
    limits: ListLimits,
    before: Option<&ServerLists>,
) -> Result<ServerLists, Unauthorized> {
    let mut lists = ServerLists {
        era: greeting.era,
        version: greeting.version.clone(),
        capabilities: greeting.capabilities.clone(),
        server_info: greeting.server_info.clone(),
        instructions: greeting.instructions.clone(),
        tools: Vec::new(),
        prompts: Vec::new(),
        resources: Vec::new(),
        templates: Vec::new(),
        asks: false,
        incomplete: false,
    };
    let (mut shown, mut barred) = (false, None);
    for kind in ListKind::ALL {
        if !declared(&greeting.capabilities, kind) {
            continue;
        }
        let known = before.map(|lists| lists.of(kind)).unwrap_or_default();
        let items = match read_list(link, server, kind, limits).await {
            // A list that was not empty must be empty twice before it is believed.
            Ok(items) if items.is_empty() && !known.is_empty() => {
                shown = true;
                read_list(link, server, kind, limits).await.unwrap_or_else(|_| known.to_vec())
            }
            Ok(items) => {
                shown = true;
                items
            }
            Err(why) => {
                tracing::warn!(server = %server.name, list = kind.method(), error = %why, "list cannot be read");
                if let Unread::Barred(why) = why {
                    barred = Some(why);
                }
                lists.incomplete |= known.is_empty();
                known.to_vec()
            }
        };
        *of_mut(&mut lists, kind) = items;
    }
    barred.filter(|_| !shown).map_or(Ok(lists), Err)
}

/// Why a list was not read.
enum Unread {
    /// Somebody has to log in first.
    Barred(Unauthorized),
    /// Anything else.
    Otherwise(String),
}

impl fmt::Display for Unread {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Barred(why) => why.fmt(out),
            Self::Otherwise(why) => out.write_str(why),
        }
    }
}

impl From<String> for Unread {
    fn from(why: String) -> Self {
        Self::Otherwise(why)
    }
}

/// Whether the capabilities say that there is such a list.
fn declared(capabilities: &RawValue, kind: ListKind) -> bool {
    let member = match kind {
        ListKind::Tools => "tools",
        ListKind::Prompts => "prompts",
        ListKind::Resources | ListKind::Templates => "resources",
    };
    Members::parse(capabilities.get()).is_ok_and(|all| all.get(member).is_some_and(|raw| raw.get() != "null"))
}

fn of_mut(lists: &mut ServerLists, kind: ListKind) -> &mut Vec<Item> {
    match kind {
        ListKind::Tools => &mut lists.tools,
        ListKind::Prompts => &mut lists.prompts,
        ListKind::Resources => &mut lists.resources,
        ListKind::Templates => &mut lists.templates,
    }
}

async fn read_list(
    link: &dyn Link,
    server: &Server,
    kind: ListKind,
    limits: ListLimits,
) -> Result<Vec<Item>, Unread> {
    let (mut items, mut cursor) = (Vec::new(), None::<String>);
    let (time, mut bytes) = (server.list_timeout, 0);
    let end = Instant::now() + time;
    let late = || format!("it did not come whole within {} s (`listTimeout`)", time.as_secs_f64());
    for _ in 0..limits.pages {
        let params = match &cursor {
            None => "{}".to_owned(),
            Some(cursor) => format!(r#"{{"cursor":{cursor}}}"#),
        };
        let members = Members::parse(&params).map_err(|error| error.to_string())?;
        let request = Request::own(kind.method(), &members, capability::FULL);
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(late().into());
        }
        let page = match ask(link, &request, left).await {
            Ok(page) => page,
            Err(NoResult::Lost(Lost::Silent(_))) if cursor.is_some() => return Err(late().into()),
            Err(NoResult::Lost(Lost::Unauthorized(why))) => return Err(Unread::Barred(why)),
            // Declared as a family but without this list: common for templates.
            Err(NoResult::Error(error)) if is_unknown_method(&error) => return Ok(items),
            Err(other) => return Err(other.to_string().into()),
        };
        let known = items.len();
        let next = read_page(&page, kind, &mut items)?;
        if items.len() > limits.items {
            return Err(
                format!("it has more than {} items; raise `gateway.limits.listItems`", limits.items).into()
            );
        }
        bytes += items[known..].iter().map(|item| item.raw.get().len()).sum::<usize>();
        if bytes > limits.bytes {
            return Err(
                format!("it has more than {} bytes; raise `gateway.limits.listBytes`", limits.bytes).into()
            );
        }
        match next {
            None => return Ok(items),
            next if next == cursor => return Err("it repeats the same cursor".to_owned().into()),
            next => cursor = next,
        }
    }
    Err(format!("it has more than {} pages; raise `gateway.limits.listPages`", limits.pages).into())
}

fn is_unknown_method(error: &str) -> bool {
    Members::parse(error).is_ok_and(|error| error.get("code").is_some_and(|code| code.get() == "-32601"))
}

/// Adds the items of a page; the next cursor as JSON text. The empty string is a cursor, null is none.
fn read_page(page: &RawValue, kind: ListKind, items: &mut Vec<Item>) -> Result<Option<String>, String> {
    let members = Members::parse(page.get()).map_err(|error| format!("its result is {error}"))?;
    let list = members.get(kind.member()).ok_or_else(|| format!("its result has no `{}`", kind.member()))?;
    let list: Vec<&RawValue> =
        serde_json::from_str(list.get()).map_err(|_| format!("`{}` is not an array", kind.member()))?;
    for raw in list {
        // An item without a key cannot be called: it is passed over, the others live.
        if let Some(key) = key_of(raw, kind) {
            let line = one_line(raw.get()).into_owned();
            let raw = RawValue::from_string(line).map_err(|error| error.to_string())?;
            items.push(Item { key, raw });
        }
    }
    Ok(members
        .get("nextCursor")
        .filter(|cursor| cursor.get() != "null")
        .map(|cursor| cursor.get().to_owned()))
}

fn key_of(raw: &RawValue, kind: ListKind) -> Option<String> {
    let members = Members::parse_with_duplicates(raw.get()).ok()?;
    read_text(members.get(kind.key())?).ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_odd_item_does_not_take_the_others_down() {
        let page = RawValue::from_string(
            r#"{"tools":[{"name":"a","x":1e2},{"title":"no name"},7,{"name":"b"}],"nextCursor":""}"#.into(),
        );
        let mut items = Vec::new();
        let next = read_page(&page.unwrap(), ListKind::Tools, &mut items).unwrap();
        assert_eq!(items.iter().map(|item| item.key.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(items[0].raw.get(), r#"{"name":"a","x":1e2}"#);
        assert_eq!(next.as_deref(), Some("\"\""));
    }
}
