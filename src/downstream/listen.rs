//! One long request to a modern server that tells when its lists or wanted resources change.
//!
//! `subscriptions/listen` (2026-07-28, `basic/patterns/subscriptions`) replaces unasked notifications. The stream has
//! no deadline and counts as no call; it is opened again when it drops, and anew when other resources are wanted: the one
//! before ends only when the new one is acknowledged. What comes over it is heard like anything else the server says.

use crate::downstream::link::Link;
use crate::downstream::own_call::Back;
use crate::downstream::own_call::NoResult;
use crate::downstream::own_call::background;
use crate::downstream::request::Request;
use crate::downstream::updates::Updates;
use crate::downstream::updates::of_task;
use crate::downstream::updates::task_of;
use crate::protocol::capability;
use crate::protocol::code;
use crate::wire::members::Members;
use crate::wire::meta;
use crate::wire::pending::Patience;
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio::time::timeout;

/// Longer than any process lives.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// Pauses before a stream is opened again: doubling from the first to the second.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];
/// The id of the request whose stream a message belongs to, in `_meta`.
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";
/// How long a server may take to acknowledge a stream.
const PATIENCE: Duration = Duration::from_secs(30);

/// One open stream.
struct Stream {
    /// What it is known by, to be ended.
    tag: String,
    ended: oneshot::Receiver<Back>,
    uris: BTreeSet<Box<str>>,
}

/// Why a stream is no longer listened to.
enum Next {
    /// It dropped; `true` when the server ended it properly.
    Dropped(bool),
    /// The server does not have it.
    Unknown,
    /// Other resources are wanted, or one is wanted anew.
    Changed,
}

/// Keeps a stream open to a server with these `capabilities`. `opened_again` is told after each gap, in which changes may have been missed. Never ends.
pub async fn keep_listening(
    link: &dyn Link,
    capabilities: &RawValue,
    updates: &Updates,
    opened_again: impl Fn(),
) {
    let mut changes = updates.changes();
    let (mut pause, mut number, mut before) = (PAUSES[0], 0_u64, None::<Stream>);
    loop {
        changes.borrow_and_update();
        number += 1;
        let Some(mut stream) = open(link, capabilities, updates, number) else {
            end(link, before.take());
            if changes.changed().await.is_err() {
                return std::future::pending().await;
            }
            continue;
        };
        if before.is_some() || !stream.uris.is_empty() {
            acknowledged(updates, &mut stream).await;
        }
        end(link, before.take());
        match next(&mut stream, updates, &mut changes).await {
            Next::Changed => {
                before = Some(stream);
                continue;
            }
            Next::Unknown => return refuse_all(updates, &mut changes).await,
            Next::Dropped(properly) => {
                if properly {
                    pause = PAUSES[0];
                }
                updates.start_over();
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSES[1]);
        opened_again();
    }
}

/// Sends the request; `None` when there is nothing to listen for.
fn open(link: &dyn Link, capabilities: &RawValue, updates: &Updates, number: u64) -> Option<Stream> {
    let uris = updates.wanted();
    let params = params(capabilities, &uris)?;
    let members = Members::parse(&params).ok()?;
    let tag = format!("listen-{number}");
    let (waiter, ended) = background(&tag);
    updates.ask(&uris, link.pending().issued());
    let request = Request::own("subscriptions/listen", &members, capability::FULL);
    // A connection that has ended says so through `ended`, because the waiter is dropped.
    let _ = link.call(&request, waiter, Patience::flat(FOR_EVER));
    Some(Stream { tag, ended, uris })
}

fn end(link: &dyn Link, stream: Option<Stream>) {
    if let Some(stream) = stream {
        link.cancel(0, &stream.tag, Some("another subscription takes its place"));
    }
}

/// Waits until the server has acknowledged every resource, or the stream ends. What it says nothing of counts as refused.
async fn acknowledged(updates: &Updates, stream: &mut Stream) {
    let words = async {
        for uri in &stream.uris {
            let _ = updates.word(uri).await;
        }
    };
    tokio::select! {
        said = timeout(PATIENCE, words) => if said.is_err() { refuse(updates, &stream.uris) },
        ended = &mut stream.ended => {
            // Looked at once more by whoever waits for the end.
            let (sender, again) = oneshot::channel();
            let _ = sender.send(ended.unwrap_or(Err(NoResult::Closed)));
            stream.ended = again;
        }
    }
}

async fn next(stream: &mut Stream, updates: &Updates, changes: &mut watch::Receiver<u64>) -> Next {
    loop {
        tokio::select! {
            ended = &mut stream.ended => return match ended {
                Ok(Err(NoResult::Error(error))) if is_unknown(&error) => Next::Unknown,
                Ok(Err(NoResult::Error(error))) => {
                    stream.uris.iter().for_each(|uri| updates.settle(uri, Some(&error)));
                    Next::Dropped(false)
                }
                Ok(Ok(_)) => Next::Dropped(true),
                _ => Next::Dropped(false),
            },
            changed = changes.changed() => {
                if changed.is_err() {
                    return std::future::pending().await;
                }
                if updates.wanted() != stream.uris || !updates.awaited().is_empty() {
                    return Next::Changed;
                }
            }
        }
    }
}

fn refuse(updates: &Updates, uris: &BTreeSet<Box<str>>) {
    uris.iter().for_each(|uri| updates.settle(uri, Some(&not_told())));
}

/// The server has no streams: whoever comes is told. Never ends.
async fn refuse_all(updates: &Updates, changes: &mut watch::Receiver<u64>) {
    loop {
        changes.borrow_and_update();
        refuse(updates, &updates.wanted());
        if changes.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

/// An error object, as JSON text.
fn not_told() -> String {
    let message = "the server does not tell of updates of this resource";
    format!(r#"{{"code":{},"message":"{message}"}}"#, code::INVALID_PARAMS)
}

/// The server has said what it will tell of; `params` is of `notifications/subscriptions/acknowledged`.
pub fn hear_acknowledged(updates: &Updates, params: &str) {
    let Ok(params) = Members::parse_with_duplicates(params) else { return };
    let Some(honoured) = params.get("notifications") else { return };
    let Ok(honoured) = Members::parse_with_duplicates(honoured.get()) else { return };
    let list = honoured.get("resourceSubscriptions");
    let list: Vec<String> = list.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    list.iter().for_each(|uri| updates.settle(uri, None));
    let tasks = honoured.get("taskIds");
    let tasks: Vec<String> = tasks.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    tasks.iter().for_each(|id| updates.settle(&of_task(id), None));
    let meta = meta::of(&params).ok().flatten();
    let stream = meta.and_then(|meta| meta.get(SUBSCRIPTION)?.get().parse().ok());
    if let Some(stream) = stream {
        updates.refuse_asked(stream, &not_told());
    }
}

/// What is asked for: the changes that the server says it tells, and the wanted resources. `None` when that is nothing.
fn params(capabilities: &RawValue, uris: &BTreeSet<Box<str>>) -> Option<String> {
    let capabilities = Members::parse(capabilities.get()).ok()?;
    let tells = |family: &str| {
        let family = capabilities.get(family).and_then(|raw| Members::parse(raw.get()).ok());
        family.is_some_and(|family| family.get("listChanged").is_some_and(|raw| raw.get() == "true"))
    };
    let wanted = [
        ("tools", "toolsListChanged"),
        ("prompts", "promptsListChanged"),
        ("resources", "resourcesListChanged"),
    ];
    let mut wanted: Vec<String> =
        wanted.iter().filter(|(family, _)| tells(family)).map(|(_, key)| format!("\"{key}\":true")).collect();
    let tasks: Vec<&str> = uris.iter().filter_map(|key| task_of(key)).collect();
    let uris: Vec<&str> = uris.iter().filter(|key| task_of(key).is_none()).map(|uri| &**uri).collect();
    if !uris.is_empty() {
        wanted.push(format!("\"resourceSubscriptions\":{}", serde_json::to_string(&uris).ok()?));
    }
    if !tasks.is_empty() {
        wanted.push(format!("\"taskIds\":{}", serde_json::to_string(&tasks).ok()?));
    }
    (!wanted.is_empty()).then(|| format!(r#"{{"notifications":{{{}}}}}"#, wanted.join(",")))
}

fn is_unknown(error: &str) -> bool {
    let code =
        Members::parse(error).ok().and_then(|error| error.get("code").and_then(|raw| raw.get().parse().ok()));
    code == Some(code::METHOD_NOT_FOUND)
}
