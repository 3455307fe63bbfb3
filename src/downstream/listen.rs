//! One long request to a modern server that tells when its lists change.
//!
//! `subscriptions/listen` (2026-07-28, `basic/patterns/subscriptions`) replaces unasked notifications. The stream has
//! no deadline, counts as no call, and is opened again when it drops. What comes over it is heard like anything else
//! the server says; updates of resources are not asked for.

use crate::catalog::lists::ServerLists;
use crate::downstream::link::Link;
use crate::downstream::own_call::NoResult;
use crate::downstream::own_call::background;
use crate::downstream::request::Request;
use crate::protocol::capability;
use crate::protocol::code;
use crate::wire::members::Members;
use std::time::Duration;
use tokio::time::sleep;

/// Longer than any process lives.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// Pauses before a stream is opened again: doubling from the first to the second.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// Keeps a stream open. `opened_again` is told after each gap, in which changes may have been missed. Never ends.
pub async fn keep_listening(link: &dyn Link, lists: &ServerLists, opened_again: impl Fn()) {
    let Some(params) = params(lists) else { return std::future::pending().await };
    let mut pause = PAUSES[0];
    loop {
        let Ok(members) = Members::parse(&params) else { return std::future::pending().await };
        let (waiter, ended) = background();
        let request = Request::own("subscriptions/listen", &members, capability::FULL);
        if link.call(&request, waiter, FOR_EVER).is_err() {
            return std::future::pending().await;
        }
        match ended.await {
            // It does not have it: then its lists are read again with every start only.
            Ok(Err(NoResult::Error(error))) if is_unknown(&error) => return std::future::pending().await,
            Ok(Ok(_)) => pause = PAUSES[0],
            _ => {}
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSES[1]);
        opened_again();
    }
}

/// What is asked for: the changes that the server says it tells. `None` when it tells none.
fn params(lists: &ServerLists) -> Option<String> {
    let capabilities = Members::parse(lists.capabilities.get()).ok()?;
    let tells = |family: &str| {
        let family = capabilities.get(family).and_then(|raw| Members::parse(raw.get()).ok());
        family.is_some_and(|family| family.get("listChanged").is_some_and(|raw| raw.get() == "true"))
    };
    let wanted = [
        ("tools", "toolsListChanged"),
        ("prompts", "promptsListChanged"),
        ("resources", "resourcesListChanged"),
    ];
    let wanted: Vec<String> =
        wanted.iter().filter(|(family, _)| tells(family)).map(|(_, key)| format!("\"{key}\":true")).collect();
    (!wanted.is_empty()).then(|| format!(r#"{{"notifications":{{{}}}}}"#, wanted.join(",")))
}

fn is_unknown(error: &str) -> bool {
    let code =
        Members::parse(error).ok().and_then(|error| error.get("code").and_then(|raw| raw.get().parse().ok()));
    code == Some(code::METHOD_NOT_FOUND)
}
