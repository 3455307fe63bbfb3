//! When a session is forgotten.

use crate::auth::caller::Caller;
use crate::front::http::backing::Backing;
use crate::front::http::sessions::Bounds;
use crate::front::http::sessions::NoSession;
use crate::front::http::sessions::Sessions;
use crate::front::http::stream::Step;
use crate::front::http::tests::fake::Event;
use crate::front::http::tests::fake::Fake;
use crate::gateway::exchange::Exchange;
use crate::gateway::session::Session;
use crate::protocol::version::Era;
use crate::wire::mailbox::mailbox;
use crate::wire::sink::Sink;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::advance;

const MINUTE: Duration = Duration::from_secs(60);
const WHO: Caller = Caller::Anonymous;
const BOUNDS: Bounds = Bounds { total: 2, per_caller: 1, idle: Duration::from_secs(3600), replay_bytes: 100 };

struct Rig {
    sessions: Arc<Sessions>,
    events: UnboundedReceiver<Event>,
    session: Arc<Session>,
    id: Box<str>,
}

/// One session, in a table for two, forgotten after an hour.
fn rig() -> Rig {
    let (fake, events) = Fake::new();
    let sessions = Arc::new(Sessions::new(fake as Arc<dyn Backing>, BOUNDS));
    let (opening, session) = sessions.open(WHO).unwrap();
    Rig { id: opening.keep(), sessions, events, session }
}

#[tokio::test(start_paused = true)]
async fn a_session_lives_as_long_as_it_is_used() {
    let mut rig = rig();
    for _ in 0..3 {
        advance(59 * MINUTE).await;
        rig.sessions.sweep();
        assert!(rig.sessions.find(&rig.id, &WHO).is_some());
    }
    advance(60 * MINUTE).await;
    assert!(rig.sessions.find(&rig.id, &WHO).is_none(), "even before it is swept away");
    rig.sessions.sweep();
    assert!(rig.sessions.is_empty());
    assert_eq!(rig.events.try_recv(), Ok(Event::Closed));
}

#[tokio::test(start_paused = true)]
async fn a_request_in_flight_or_a_stream_keeps_it() {
    let rig = rig();
    let (sender, _letters) = mailbox(100);
    let exchange = Exchange::open(&rig.session, "1", Era::Legacy, &Sink::Mail(sender)).unwrap();
    advance(120 * MINUTE).await;
    rig.sessions.sweep();
    exchange.result(b"{}");
    advance(59 * MINUTE).await;
    let stream = rig.sessions.listen(&rig.id, &WHO, 100, None).expect("its time begins with the answer");
    advance(120 * MINUTE).await;
    rig.sessions.sweep();
    drop(stream);
    advance(59 * MINUTE).await;
    assert!(rig.sessions.find(&rig.id, &WHO).is_some());
    advance(60 * MINUTE).await;
    rig.sessions.sweep();
    assert!(rig.sessions.is_empty());
}

#[tokio::test(start_paused = true)]
async fn forgotten_sessions_make_room() {
    let rig = rig();
    let (unanswered, _) = rig.sessions.open(WHO).unwrap();
    assert_eq!(rig.sessions.open(WHO).err(), Some(NoSession::Full(2)));
    drop(unanswered);
    let (kept, _) = rig.sessions.open(WHO).expect("one that was never answered takes no room");
    let _id = kept.keep();
    advance(60 * MINUTE).await;
    assert!(rig.sessions.open(WHO).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_known_caller_has_a_bound_of_their_own() {
    let rig = rig();
    let (opening, _) = rig.sessions.open(Caller::token(0)).unwrap();
    let _id = opening.keep();
    rig.sessions.clear();
    let (opening, _) = rig.sessions.open(Caller::token(0)).unwrap();
    let _id = opening.keep();
    assert_eq!(rig.sessions.open(Caller::token(0)).err(), Some(NoSession::FullForCaller(1)));
    assert!(rig.sessions.open(Caller::token(1)).is_ok());
}

#[tokio::test]
async fn a_front_that_goes_down_opens_nothing() {
    let rig = rig();
    rig.sessions.wind_down();
    assert_eq!(rig.sessions.open(WHO).err(), Some(NoSession::Closing));
    let mut stream = rig.sessions.listen(&rig.id, &WHO, 100, None).unwrap().unwrap();
    let step = std::future::poll_fn(|cx| stream.poll_event(cx, &mut Vec::new())).await;
    assert_eq!(step, Step::End { cut: false });
}
