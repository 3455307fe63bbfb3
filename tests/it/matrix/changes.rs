//! Lists and resources that change: legacy clients are told, modern ones listen.
//!
//! Reconnecting, restarts and many subscribers are in `subscribe.rs`.

use crate::matrix::cell::Cell;
use crate::support::driver::Era;
use crate::support::eventually::eventually;
use crate::support::message::Message;
use serde_json::Value;
use serde_json::json;

/// Opens a subscription of a modern client; a legacy one is told without.
fn listen(cell: &Cell<'_>, wanted: Value) -> Option<Value> {
    if !cell.modern_client() {
        return None;
    }
    let id = cell.client().begin("subscriptions/listen", json!({ "notifications": wanted }));
    let ack = cell.client().wait("acknowledgement", |one| {
        one.method() == "notifications/subscriptions/acknowledged" && is_tagged(one, Some(&id))
    });
    assert_eq!(ack.json["params"]["notifications"], wanted, "all of it is honoured");
    Some(id)
}

fn is_tagged(message: &Message, id: Option<&Value>) -> bool {
    message.json.pointer("/params/_meta/io.modelcontextprotocol~1subscriptionId") == id
}

pub fn list_changed(cell: &Cell<'_>) {
    let wanted =
        json!({ "toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true });
    let id = listen(cell, wanted);
    let told = |kind: &str| {
        let all = cell.client().notifications(&format!("notifications/{kind}/list_changed"));
        all.iter().filter(|one| is_tagged(one, id.as_ref())).count()
    };
    let before = ["tools", "prompts", "resources"].map(told);
    cell.call("mutate_tools", json!({ "add": "fresh" })).result();
    let kind = if cell.peer.era == Era::Modern {
        r#""resultType":"complete","ttlMs":0,"cacheScope":"public","#
    } else {
        ""
    };
    let uri = format!("fresh-{}:x", cell.peer.name);
    crate::support::bed::Bed::play(
        &cell.bed.conf,
        cell.peer,
        &json!({
            "prompts/list": format!(r#""result":{{{kind}"prompts":[{{"name":"fresh"}}]}}"#),
            "resources/list": format!(r#""result":{{{kind}"resources":[{{"uri":"{uri}","name":"fresh"}}]}}"#),
        }),
    );
    let steps = json!([
        { "announce": "", "method": "notifications/prompts/list_changed" },
        { "announce": "", "method": "notifications/resources/list_changed" },
    ]);
    cell.call("play", json!({ "steps": steps })).result();
    for (kind, before) in ["tools", "prompts", "resources"].into_iter().zip(before) {
        eventually(&format!("the client is told of changed {kind}"), || told(kind) > before);
    }
    let listed =
        |method: &str, member: &str, key: &str| cell.client().request(method, json!({})).keys(member, key);
    assert!(listed("tools/list", "tools", "name").contains(&cell.peer.name_of("fresh")));
    assert!(listed("prompts/list", "prompts", "name").contains(&cell.peer.name_of("fresh")));
    assert!(listed("resources/list", "resources", "uri").contains(&uri));
    id.iter().for_each(|id| cell.client().cancel(id));
}

pub fn subscribe(cell: &Cell<'_>) {
    let (ours, other) =
        (format!("fake-{}://item/0", cell.peer.name), format!("fake-{}://item/1", cell.peer.name));
    if !cell.modern_client() {
        cell.client().request("resources/subscribe", json!({ "uri": ours })).result();
    }
    let id = listen(cell, json!({ "resourceSubscriptions": [ours] }));
    let method = if cell.peer.era == Era::Modern { "subscriptions/listen" } else { "resources/subscribe" };
    eventually("the server is asked for it", || {
        cell.seen().iter().any(|one| one.method() == method && one.raw.contains(&ours))
    });
    let updated = || {
        let all = cell.client().notifications("notifications/resources/updated");
        let tagged = all.into_iter().filter(|one| is_tagged(one, id.as_ref()));
        tagged
            .map(|one| one.json["params"]["uri"].as_str().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    let announce = |uri: &str| {
        let members = format!(r#""uri":"{uri}","x-unknown":1e2"#);
        json!({ "announce": members, "method": "notifications/resources/updated" })
    };
    let steps = json!({ "steps": [announce(&other), announce(&ours)] });
    eventually("the client hears of it", || {
        cell.call("play", steps.clone()).result();
        updated().contains(&ours)
    });
    assert!(!updated().contains(&other), "only what was subscribed to");
    let all = cell.client().notifications("notifications/resources/updated");
    assert!(all.iter().all(|one| one.raw.contains(r#""x-unknown":1e2"#)), "{all:?}");
    match &id {
        Some(id) => cell.client().cancel(id),
        None => drop(cell.client().request("resources/unsubscribe", json!({ "uri": ours })).result()),
    }
}
