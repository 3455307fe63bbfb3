//! Connections seen by the server: when one is used again, when it is closed, and that no call is made twice.

use crate::downstream::http::direct::idle::LONGEST_IDLE;
use crate::downstream::http::direct::idle::SWEEP;
use crate::downstream::http::tests::ok;
use crate::downstream::http::tests::rig::Fake;
use crate::downstream::http::tests::rig::Plan;
use crate::downstream::http::tests::rig::Rig;
use crate::downstream::http::tests::rig::Step;
use crate::downstream::http::tests::rig::Told;
use crate::downstream::http::tests::rig::modern;
use crate::downstream::http::tests::rig_is_idle;
use crate::downstream::http::tests::unreadable;
use crate::wire::pending::Lost;
use std::sync::Arc;
use tokio::sync::Barrier;

#[tokio::test]
async fn a_connection_that_the_server_closed_is_not_used_again() {
    let fake = Fake::start(|seen| modern(seen, |seen| ok(seen).and(Step::Close))).await;
    let rig = Rig::to(&fake).await;
    for calls in 1..=5 {
        assert_eq!(rig.tool().told().await, Told::Result("{\"content\":[]}".into()));
        fake.until_ended(calls).await;
        rig_is_idle(&rig).await;
    }
    assert_eq!((fake.accepted(), fake.count("tools/call")), (5, 5), "the handshake used the first one");
}

#[tokio::test]
async fn a_server_that_hangs_up_within_an_answer_is_not_asked_again() {
    let half = |head: &str| Plan::raw(head, vec![Step::Send("{\"jsonrpc\"".into()), Step::Close]);
    for head in ["content-length: 50\r\n", "transfer-encoding: chunked\r\n"] {
        let fake = Fake::start(move |seen| modern(seen, |_| half(head))).await;
        let rig = Rig::to(&fake).await;
        let told = rig.tool().told().await;
        assert!(unreadable(&told).contains("broke its answer off: the connection was closed"), "{told:?}");
        assert_eq!(fake.count("tools/call"), 1);
    }
    for head in ["content-length: 1\r\ncontent-length: 2\r\n", "no header\r\n"] {
        let fake = Fake::start(move |seen| modern(seen, |_| half(head))).await;
        let rig = Rig::to(&fake).await;
        let told = rig.tool().told().await;
        assert!(unreadable(&told).contains("broke the connection before it answered"), "{told:?}");
        assert_eq!(fake.count("tools/call"), 1);
    }
}

#[tokio::test]
async fn an_answer_may_end_with_its_connection() {
    let fake = Fake::start(|seen| {
        modern(seen, |seen| {
            let body = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"n":1}}}}"#, seen.id());
            Plan::raw("", vec![Step::Send(body), Step::Close])
        })
    });
    let fake = fake.await;
    let rig = Rig::to(&fake).await;
    for _ in 0..2 {
        assert_eq!(rig.tool().told().await, Told::Result("{\"n\":1}".into()));
    }
}

#[tokio::test]
async fn idle_connections_are_closed_after_a_while() {
    let fake = Fake::start(|seen| modern(seen, ok)).await;
    let rig = Rig::to(&fake).await;
    assert!(matches!(rig.tool().told().await, Told::Result(_)));
    rig_is_idle(&rig).await;
    tokio::time::pause();
    tokio::time::advance(LONGEST_IDLE + SWEEP).await;
    tokio::time::resume();
    fake.until_ended(1).await;
    assert!(matches!(rig.tool().told().await, Told::Result(_)));
    assert_eq!((fake.accepted(), fake.count("tools/call")), (2, 2));
}

#[tokio::test]
async fn each_call_in_flight_has_one_connection_and_all_are_used_again() {
    let together = Arc::new(Barrier::new(40));
    let fake =
        Fake::start(move |seen| modern(seen, |seen| ok(seen).after(Step::Meet(Arc::clone(&together)))));
    let fake = fake.await;
    let rig = Rig::to(&fake).await;
    for _ in 0..3 {
        let mut calls: Vec<_> = (0..40).map(|_| rig.tool()).collect();
        for call in &mut calls {
            assert_eq!(call.told().await, Told::Result("{\"content\":[]}".into()));
        }
        rig_is_idle(&rig).await;
    }
    assert_eq!((fake.accepted(), fake.count("tools/call")), (40, 120));
}

#[tokio::test]
async fn calls_after_cancelled_ones_get_their_own_answers() {
    let fake = Fake::start(|seen| {
        modern(seen, |seen| match seen.body.contains("slow") {
            true => Plan::stream(vec![Step::Send(": wait\n\n".into()), Step::Hang]),
            false => Plan::result(seen, &format!("{{\"id\":{}}}", seen.id())),
        })
    });
    let fake = fake.await;
    let rig = Rig::to(&fake).await;
    for round in 0..5 {
        let mut slow = rig.call_as(7, "\"slow\"", "tools/call", r#"{"name":"slow"}"#, None).unwrap();
        let mut quick = rig.tool();
        fake.until_seen("tools/call", 2 * round + 2).await;
        assert!(rig.connection.link.cancel(7, "\"slow\"", None));
        assert_eq!(slow.told().await, Told::Lost(Lost::Cancelled));
        assert_eq!(quick.told().await, Told::Result(format!("{{\"id\":{}}}", 2 * round + 2)));
        fake.until_gone(round + 1).await;
    }
}
