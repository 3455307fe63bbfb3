//! Streams that are lost and taken up again.

use crate::auth::caller::Caller;
use crate::front::http::replay::NotResumable;
use crate::front::http::replay::Reading;
use crate::front::http::replay::Streams;
use crate::front::http::stream::Step;
use crate::gateway::load::Loads;
use crate::gateway::session::Session;
use crate::wire::mailbox::Kind;
use crate::wire::mailbox::Mailbox;
use crate::wire::mailbox::mailbox;
use std::future::poll_fn;
use std::sync::Arc;

fn streams(version: &'static str, replay_bytes: usize) -> Streams {
    let session =
        Session::new(Caller::Anonymous, 10, Loads::new(10, 10, Arc::default()).of(&Caller::Anonymous, None));
    session.introduce(version, None, "{}".into());
    session.mark_initialized();
    Streams::new(Arc::new(session), replay_bytes)
}

async fn next(reading: &mut Reading) -> (Step, String) {
    let mut out = Vec::new();
    let step = poll_fn(|cx| reading.poll_event(cx, &mut out)).await;
    (step, String::from_utf8(out).unwrap())
}

fn put(mailbox: &Mailbox, text: &str) {
    mailbox.put(text.as_bytes().to_vec(), Kind::Notice).unwrap();
}

fn begun(streams: &Streams) -> (Mailbox, Reading) {
    let (mailbox, letters) = mailbox(1000);
    (mailbox, streams.begin(letters, None))
}

fn more(number: u64, place: u64, text: &str) -> (Step, String) {
    (Step::More, format!("id: {number}-{place}\ndata: {text}\n\n"))
}

#[tokio::test]
async fn a_lost_stream_is_taken_up_behind_an_event_and_ends_with_its_answer() {
    let streams = streams("2025-11-25", 1000);
    let (_other, _elsewhere) = begun(&streams);
    let (mailbox, mut reading) = begun(&streams);
    for text in ["a", "b", "c"] {
        put(&mailbox, text);
    }
    assert_eq!(next(&mut reading).await, more(2, 1, "a"));
    assert_eq!(next(&mut reading).await, more(2, 2, "b"));
    drop(reading);
    mailbox.put(b"end".to_vec(), Kind::Result).unwrap();
    let mut again = streams.resume("2-1").unwrap();
    assert_eq!(next(&mut again).await, more(2, 2, "b"));
    assert_eq!(next(&mut again).await, more(2, 3, "c"));
    assert_eq!(next(&mut again).await, (Step::Last, "id: 2-4\ndata: end\n\n".into()));
    let mut after = streams.resume("2-4").unwrap();
    assert_eq!(next(&mut after).await.0, Step::End { cut: false });
    let mut whole = streams.resume("2-0").unwrap();
    assert_eq!(next(&mut whole).await, more(2, 1, "a"));
    for unknown in ["2-5", "3-1", "2", "-1", "x-1", "2-x", "", "2-1-1"] {
        assert_eq!(streams.resume(unknown).err(), Some(NotResumable::Unknown), "{unknown:?}");
    }
}

#[tokio::test]
async fn who_takes_a_stream_up_takes_it_away() {
    let streams = streams("2025-11-25", 1000);
    let mut first = streams.listen(1000);
    assert!(streams.is_listened_to());
    let mut second = streams.listen(1000);
    assert!(streams.session().notify("n", None));
    assert_eq!(next(&mut first).await, (Step::End { cut: false }, String::new()));
    assert_eq!(next(&mut second).await, more(1, 1, r#"{"jsonrpc":"2.0","method":"n"}"#));
    drop(first);
    assert!(streams.is_listened_to(), "the one before does not count");
    drop(second);
    assert!(!streams.is_listened_to());
    assert!(streams.session().notify("m", None), "it waits for the next");
    let mut third = streams.listen(1000);
    assert_eq!(next(&mut third).await, more(1, 2, r#"{"jsonrpc":"2.0","method":"m"}"#));
}

#[tokio::test]
async fn what_is_no_longer_kept_is_said() {
    let streams = streams("2025-11-25", 4);
    let (mailbox, mut reading) = begun(&streams);
    for text in ["aa", "bb", "cc"] {
        put(&mailbox, text);
        next(&mut reading).await;
    }
    drop(reading);
    assert_eq!(streams.resume("1-0").err(), Some(NotResumable::Lost));
    assert!(streams.resume("1-1").is_ok());
    put(&mailbox, "too much for nobody");
    mailbox.put(b"end".to_vec(), Kind::Result).unwrap_err();
    assert_eq!(streams.resume("1-3").err(), Some(NotResumable::Lost));
}

#[tokio::test]
async fn a_stream_that_is_not_read_overflows_and_the_next_begins_anew() {
    let streams = streams("2025-11-25", 10);
    drop(streams.listen(1000));
    assert!(streams.session().notify("first", None));
    assert!(!streams.session().notify("second", None));
    assert_eq!(streams.resume("1-0").err(), Some(NotResumable::Lost));
    let mut anew = streams.listen(1000);
    assert!(streams.session().notify("third", None));
    assert_eq!(next(&mut anew).await, more(2, 1, r#"{"jsonrpc":"2.0","method":"third"}"#));
}

#[tokio::test]
async fn old_streams_that_have_ended_are_let_go() {
    let streams = streams("2025-11-25", 1000);
    let (open, _reading) = begun(&streams);
    for _ in 0..40 {
        let (mailbox, mut reading) = begun(&streams);
        mailbox.put(b"end".to_vec(), Kind::Result).unwrap();
        next(&mut reading).await;
    }
    put(&open, "still there");
    assert!(streams.resume("1-0").is_ok() && streams.resume("41-0").is_ok());
    assert_eq!(streams.resume("2-0").err(), Some(NotResumable::Unknown));
}

#[tokio::test]
async fn only_clients_that_know_it_are_told_where_a_stream_begins() {
    for (version, primed) in [("2025-11-25", true), ("2025-06-18", false), ("2025-03-26", false)] {
        let mut out = Vec::new();
        assert_eq!(begun(&streams(version, 10)).1.prime(&mut out), primed, "{version}");
        let expected = if primed { "id: 1-0\nretry: 1000\ndata: \n\n" } else { "" };
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
