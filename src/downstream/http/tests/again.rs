//! What is tried once more: answers that break off, sessions and eras that no longer hold.

use crate::downstream::http::tests::ok;
use crate::downstream::http::tests::rig::DISCOVERED;
use crate::downstream::http::tests::rig::Fake;
use crate::downstream::http::tests::rig::Plan;
use crate::downstream::http::tests::rig::Rig;
use crate::downstream::http::tests::rig::Seen;
use crate::downstream::http::tests::rig::Step;
use crate::downstream::http::tests::rig::Told;
use crate::downstream::http::tests::rig::legacy;
use crate::downstream::http::tests::rig::modern;
use crate::downstream::http::tests::unreadable;
use crate::downstream::http::tests::unsupported;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

fn part(text: &str) -> Plan {
    Plan::stream(vec![Step::Send(text.into())])
}

/// A legacy server whose answers break off after `began`; `resumed` answers the GET that goes on after an event.
fn breaking(
    began: &'static str,
    resumed: impl Fn(&str, usize) -> Plan + Send + Sync + 'static,
) -> impl Fn(&Seen) -> Plan {
    let resumptions = AtomicUsize::new(0);
    move |seen| match (seen.verb.as_str(), seen.header("last-event-id")) {
        ("GET", Some(last)) => resumed(last, resumptions.fetch_add(1, Ordering::SeqCst)),
        _ => legacy(seen, |_| part(began)),
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_goes_on_after_the_last_event() {
    let progress = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1}}"#;
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{"n":1e2}}"#;
    let script = breaking("id: a\nretry: 1\ndata:\n\nid: lost\ndata: half", move |last, number| {
        match number {
            0 => assert_eq!(last, "a", "an event that was cut off did not come"),
            _ => assert_eq!(last, "b"),
        }
        match number {
            0 => part(&format!("id: b\ndata: {progress}\n\n")),
            1..8 => part(": nothing yet\n\n"),
            _ => part(&format!("id: c\ndata: {answer}\n\n")),
        }
    });
    let fake = Fake::start(script).await;
    let rig = Rig::to(&fake).await;
    let mut call = rig.tool();
    assert!(matches!(call.told().await, Told::Progress(_)));
    assert_eq!(call.told().await, Told::Result("{\"n\":1e2}".into()));
    assert_eq!(fake.count("tools/call"), 1, "a call is never run twice");
}

#[tokio::test]
async fn an_answer_that_cannot_go_on_is_one_error() {
    for (began, status, expected) in [
        ("data: {\"half", 405, "ended its answer without a result"),
        ("id: a\nretry: 1\ndata:\n\n", 405, "broke its answer off, and then answered HTTP 405"),
        ("id: a\nretry: 1\ndata:\n\n", 404, "broke its answer off, and then answered HTTP 404"),
        ("id: a\nretry: 1\ndata:\n\n", 503, "broke its answer off 5 times"),
    ] {
        let fake = Fake::start(breaking(began, move |_, _| Plan::status(status))).await;
        let rig = Rig::to(&fake).await;
        let told = rig.tool().told().await;
        assert!(unreadable(&told).contains(expected), "{expected}: {told:?}");
        assert_eq!(fake.count("tools/call"), 1);
    }
}

const TOOLS: &str = r#"{"tools":[{"name":"t","inputSchema":{"type":"object","properties":{"r":{"type":"string","x-mcp-header":"Region"}}}}]}"#;
const MISMATCH: &str = r#"{"code":-32020,"message":"m","data":{"x":1}}"#;

#[tokio::test]
async fn a_call_whose_headers_are_outdated_is_sent_once_more_with_those_of_the_list() {
    let fake = Fake::start(|seen| {
        modern(seen, |seen| match seen.method().as_str() {
            "tools/list" => Plan::result(seen, TOOLS),
            _ if seen.header("mcp-param-region") == Some("north") => ok(seen),
            _ => Plan::error(seen, 400, MISMATCH),
        })
    });
    let fake = fake.await;
    let mut rig = Rig::to(&fake).await;
    let call = |params| rig.call("tools/call", params, Some("t"));
    let mut fits = call(r#"{"name":"t","arguments":{"r":"north"}}"#);
    assert_eq!(fits.told().await, Told::Result("{\"content\":[]}".into()));
    let mut does_not = call(r#"{"name":"t","arguments":{"r":"south"}}"#);
    assert_eq!(does_not.told().await, Told::Error(MISMATCH.into()));
    assert_eq!(fake.count("tools/call"), 4, "each of the two was sent twice");
    assert_eq!(rig.heard().await, Told::Heard("notifications/tools/list_changed".into(), None));
}

#[tokio::test]
async fn errors_of_the_revision_pass_while_the_server_still_speaks_it() {
    for raw in [
        unsupported("2026-07-28"),
        r#"{"code":-32021,"message":"m","data":{"requiredCapabilities":{"sampling":{}}}}"#.into(),
    ] {
        let error = raw.clone();
        let fake = Fake::start(move |seen| modern(seen, |seen| Plan::error(seen, 400, &error))).await;
        let rig = Rig::to(&fake).await;
        assert_eq!(rig.tool().told().await, Told::Error(raw));
        assert!(rig.call_as(1, "1", "tools/list", "{}", None).is_some(), "the connection lives");
    }
}

#[tokio::test]
async fn a_server_that_changed_its_era_ends_the_connection() {
    type Answer = fn(&Seen) -> Plan;
    let gone: [Answer; 3] = [
        |_| Plan::status(400),
        |seen| Plan::error(seen, 400, &unsupported("2025-11-25")),
        |seen| Plan::error(seen, 404, r#"{"code":-32001,"message":"no session"}"#),
    ];
    for refuse in gone {
        let asked = AtomicUsize::new(0);
        let fake = Fake::start(move |seen| match seen.method().as_str() {
            "server/discover" if asked.fetch_add(1, Ordering::SeqCst) == 0 => Plan::result(seen, DISCOVERED),
            "server/discover" => Plan::status(400),
            _ => refuse(seen),
        });
        ends_with_another_revision(fake.await).await;
    }
    let now_modern = |seen: &Seen| Plan::error(seen, 400, &unsupported("2026-07-28"));
    ends_with_another_revision(Fake::start(move |seen| legacy(seen, now_modern)).await).await;
}

async fn ends_with_another_revision(fake: Fake) {
    let mut rig = Rig::to(&fake).await;
    let told = rig.tool().told().await;
    assert!(unreadable(&told).contains("speaks another revision"), "{told:?}");
    assert!(rig.connection.lifeline.ended().await.contains("speaks another revision"));
    assert_eq!(fake.count("tools/call"), 1);
}
