//! Connections to a scripted server over a real socket.

mod again;
mod reuse;
mod rig;

use crate::config::model::EraChoice;
use crate::config::model::StopGrace;
use crate::downstream::connect::LinkLimits;
use crate::downstream::error::StartError;
use crate::protocol::version::Era;
use crate::wire::pending::Lost;
use rig::DISCOVERED;
use rig::Fake;
use rig::GREETING;
use rig::LIMITS;
use rig::Plan;
use rig::Rig;
use rig::Seen;
use rig::Step;
use rig::Told;
use rig::legacy;
use rig::modern;
use rig::server;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use tokio::sync::Notify;

fn ok(seen: &Seen) -> Plan {
    Plan::result(seen, "{\"content\":[]}")
}

fn unreadable(told: &Told) -> &str {
    match told {
        Told::Lost(Lost::Unreadable(why) | Lost::Closed(why) | Lost::NotSent(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_era_is_found_out_by_what_the_server_answers() {
    type Probe = fn(&Seen) -> Plan;
    let table: [(&str, Probe, Era); 12] = [
        ("discovered", |seen| Plan::result(seen, DISCOVERED), Era::Modern),
        ("in a stream", |seen| stream_of(seen, DISCOVERED), Era::Modern),
        ("-32020", |seen| Plan::error(seen, 400, r#"{"code":-32020,"message":"m"}"#), Era::Modern),
        ("-32021", |seen| Plan::error(seen, 400, r#"{"code":-32021,"message":"m"}"#), Era::Modern),
        ("-32022 old", |seen| Plan::error(seen, 400, &unsupported("2025-11-25")), Era::Legacy),
        ("-32022 new", |seen| Plan::error(seen, 400, &unsupported("2026-07-28")), Era::Modern),
        ("shim", |seen| Plan::result(seen, &DISCOVERED.replace("2026-07-28", "2025-11-25")), Era::Legacy),
        ("unknown", |seen| Plan::error(seen, 200, r#"{"code":-32601,"message":"m"}"#), Era::Legacy),
        ("400", |_| Plan::status(400), Era::Legacy),
        ("404", |_| Plan::json(404, "{\"detail\":\"Not Found\"}"), Era::Legacy),
        ("405", |_| Plan::status(405), Era::Legacy),
        ("html", |_| Plan::json(200, "<html>"), Era::Legacy),
    ];
    for (what, probe, era) in table {
        let fake = Fake::start(move |seen| match seen.method().as_str() {
            "server/discover" => probe(seen),
            _ => legacy(seen, ok),
        });
        let fake = fake.await;
        let rig = Rig::to(&fake).await;
        assert_eq!(rig.connection.greeting.era, era, "{what}");
        assert_eq!(rig.connection.link.era(), era, "{what}");
        assert_eq!(fake.count("initialize") == 0, era == Era::Modern, "{what}");
    }
}

fn unsupported(version: &str) -> String {
    format!(r#"{{"code":-32022,"message":"m","data":{{"supported":["{version}"],"requested":"x"}}}}"#)
}

fn stream_of(seen: &Seen, result: &str) -> Plan {
    let answer = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, seen.id());
    Plan::events(&[r#"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#.into(), answer])
}

#[tokio::test]
async fn what_may_pass_says_nothing_about_the_era() {
    for (status, unauthorized) in
        [(401, true), (403, true), (429, false), (500, false), (503, false), (307, false)]
    {
        let fake = Fake::start(move |seen| match seen.method().as_str() {
            "server/discover" => Plan::status(status).with("location", "/elsewhere"),
            _ => legacy(seen, ok),
        });
        let fake = fake.await;
        let error = Rig::try_to(server(&fake.url), LIMITS).await.err().unwrap();
        assert_eq!(matches!(error, StartError::Unauthorized { .. }), unauthorized, "{error}");
        assert_eq!(matches!(error, StartError::Unreachable { .. }), !unauthorized, "{error}");
        assert!(error.to_string().contains(&status.to_string()), "{error}");
        assert_eq!(fake.methods(), ["server/discover"], "{status}");
    }
    let mut fake = Fake::start(|seen| legacy(seen, ok)).await;
    fake.stop();
    tokio::task::yield_now().await;
    let error = Rig::try_to(server(&fake.url), LIMITS).await.err().unwrap();
    assert!(matches!(error, StartError::Unreachable { .. }), "{error}");
    assert!(!error.to_string().contains("hidden"), "the address may hold secrets: {error}");
}

#[tokio::test]
async fn a_refused_handshake_says_what_was_seen() {
    for (plan, expected) in [
        (|_: &Seen| Plan::status(404), "answered HTTP 404; is `url` its MCP endpoint?"),
        (|seen| Plan::error(seen, 200, r#"{"code":-1,"message":"no\nway"}"#), "error -1: noway"),
        (|seen| Plan::result(seen, "{\"x\":1}"), "no result of `initialize`"),
        (
            |seen| Plan::result(seen, &GREETING.replace("2025-06-18", "1999-01-01")),
            "chose the revision `1999-01-01`",
        ),
        (|_| Plan::status(202), "answered HTTP 202 without content"),
        (|seen| Plan::result(seen, GREETING).with("Mcp-Session-Id", "a b"), "session id holds characters"),
    ] as [(fn(&Seen) -> Plan, &str); 6]
    {
        let fake = Fake::start(move |seen| match seen.method().as_str() {
            "initialize" => plan(seen),
            _ => legacy(seen, ok),
        });
        let error = Rig::try_to(server(&fake.await.url), LIMITS).await.err().unwrap();
        assert!(matches!(error, StartError::Refused { method: "initialize", .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn an_entry_can_prescribe_the_era() {
    let fake = Fake::start(|seen| legacy(seen, ok)).await;
    let prescribed = |era| {
        let mut server = server(&fake.url);
        server.era = EraChoice::Always(era);
        server
    };
    Rig::try_to(prescribed(Era::Legacy), LIMITS).await.unwrap();
    assert_eq!(fake.count("server/discover"), 0);
    let error = Rig::try_to(prescribed(Era::Modern), LIMITS).await.err().unwrap();
    assert!(matches!(error, StartError::Refused { method: "server/discover", .. }), "{error}");
    assert_eq!(fake.count("initialize"), 1);
}

#[tokio::test]
async fn legacy_requests_carry_session_and_revision() {
    let fake = Fake::start(|seen| legacy(seen, ok)).await;
    let mut rig = Rig::to(&fake).await;
    assert_eq!(rig.connection.greeting.version, "2025-06-18");
    assert_eq!(rig.tool().told().await, Told::Result("{\"content\":[]}".into()));
    fake.until_seen("GET", 1).await;
    for seen in fake.seen() {
        let first = matches!(seen.method().as_str(), "initialize" | "server/discover");
        assert_eq!(seen.header("mcp-session-id"), (!first).then_some("s-1"), "{seen:?}");
        let version = match seen.method().as_str() {
            "server/discover" => Some("2026-07-28"),
            "initialize" => None,
            _ => Some("2025-06-18"),
        };
        assert_eq!(seen.header("mcp-protocol-version"), version, "{seen:?}");
        assert_eq!((seen.header("authorization"), seen.header("x-own")), (Some("Bearer t"), Some("1")));
        let accept =
            if seen.verb == "GET" { "text/event-stream" } else { "application/json, text/event-stream" };
        assert_eq!(seen.header("accept"), Some(accept));
    }
    let lifeline = std::mem::replace(&mut rig.connection.lifeline, Rig::to(&fake).await.connection.lifeline);
    lifeline.stop(StopGrace::default()).await;
    assert_eq!(fake.count("DELETE"), 1);
    assert!(rig.call_as(1, "1", "tools/list", "{}", None).is_none(), "a stopped link gives the waiter back");
}

#[tokio::test]
async fn modern_requests_name_method_and_target() {
    let fake = Fake::start(|seen| modern(seen, ok)).await;
    let rig = Rig::to(&fake).await;
    assert_eq!(rig.connection.greeting.instructions.as_deref(), Some("hi"));
    assert_eq!(
        rig.connection.greeting.server_info.as_ref().unwrap().get(),
        r#"{"name":"fake","version":"1"}"#
    );
    for (method, target, name) in [
        ("tools/call", Some("lies"), Some("lies")),
        ("resources/read", Some("note://größe"), Some("=?base64?bm90ZTovL2dyw7bDn2U=?=")),
        ("prompts/get", Some("=?base64?YQ==?="), Some("=?base64?PT9iYXNlNjQ/WVE9PT89?=")),
        ("tools/list", None, None),
    ] {
        rig.call(method, "{}", target).told().await;
        let seen = fake.seen().pop().unwrap();
        assert_eq!(seen.header("mcp-method"), Some(method));
        assert_eq!(seen.header("mcp-name"), name);
        assert_eq!(seen.header("mcp-protocol-version"), Some("2026-07-28"));
        assert_eq!(seen.header("mcp-session-id"), None);
        assert!(seen.body.contains("io.modelcontextprotocol/clientCapabilities"), "{}", seen.body);
    }
    assert_eq!(fake.count("GET"), 0);
}

#[tokio::test]
async fn one_connection_serves_calls_one_after_the_other() {
    let fake = Fake::start(|seen| {
        modern(seen, |seen| if seen.id().ends_with('3') { stream_of(seen, "{}") } else { ok(seen) })
    });
    let fake = fake.await;
    let rig = Rig::to(&fake).await;
    for _ in 0..10 {
        assert!(matches!(rig.tool().told().await, Told::Result(_)));
        // The end of a stream is read after its answer was told.
        rig_is_idle(&rig).await;
    }
    assert_eq!((fake.accepted(), fake.count("tools/call")), (1, 10));
}

/// The waiter is told before the task of the call has read the end of the body.
async fn rig_is_idle(rig: &Rig) {
    assert!(rig.connection.link.pending().is_empty());
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_comes_before_the_answer_is_told_in_order() {
    let fake = Fake::start(|seen| {
        legacy(seen, |seen| match seen.method().as_str() {
            "tools/call" => {
                let progress = |n: u32| {
                    let token = seen.id();
                    format!(
                        r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":{n}}}}}"#
                    )
                };
                Plan::events(&[
                    String::new(),
                    progress(1),
                    r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"data":1}}"#.into(),
                    r#"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{}}"#.into(),
                    r#"{"jsonrpc":"2.0","id":5,"method":"ping"}"#.into(),
                    progress(2),
                    format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, seen.id()),
                ])
            }
            _ => Plan::status(202),
        })
    });
    let fake = fake.await;
    let mut rig = Rig::to(&fake).await;
    let mut call = rig.tool();
    for progress in [1, 2] {
        let Told::Progress(params) = call.told().await else { panic!("no progress") };
        assert_eq!(params, format!(r#"{{"progressToken":1,"progress":{progress}}}"#));
    }
    assert_eq!(call.told().await, Told::Result("{}".into()));
    assert_eq!(rig.heard().await, Told::Heard("notifications/message".into(), Some(1)));
    assert_eq!(rig.heard().await, Told::Asked("elicitation/create".into(), Some(1)));
    let answers = || {
        let mut bodies: Vec<String> =
            fake.seen().into_iter().filter(|seen| seen.method() == "POST").map(|seen| seen.body).collect();
        bodies.sort();
        bodies
    };
    fake.until_seen("POST", 2).await;
    assert_eq!(
        answers(),
        [
            r#"{"jsonrpc":"2.0","id":"q","result":{"action":"decline"}}"#,
            r#"{"jsonrpc":"2.0","id":5,"result":{}}"#
        ]
    );
}

#[tokio::test]
async fn a_pretty_printed_body_is_told_on_one_line() {
    let fake = Fake::start(|seen| {
        modern(seen, |seen| {
            let id = seen.id();
            Plan::json(
                200,
                &format!(
                    "{{\n  \"jsonrpc\": \"2.0\",\r\n  \"id\": {id},\n  \"result\": {{\n    \"n\": 1e2,\n \"t\": \"a\\nb\"\n  }}\n}}\n"
                ),
            )
        })
    });
    let fake = fake.await;
    let rig = Rig::to(&fake).await;
    assert_eq!(rig.tool().told().await, Told::Result(r#"{     "n": 1e2,  "t": "a\nb"   }"#.into()));
}

#[tokio::test]
async fn answers_that_cannot_be_read_say_what_was_seen() {
    type Answer = fn(&Seen) -> Plan;
    let table: [(Answer, &str); 13] = [
        (|_| Plan::json(200, &"x".repeat(100_001)), "a body of more than 100000 bytes"),
        (|_| Plan::events(&["x".repeat(100_100)]), "an event of its stream of more than 100000 bytes"),
        (|_| Plan::events(&[]), "ended its answer without a result"),
        (|_| Plan::json(200, "nope"), "not a JSON-RPC object"),
        (
            |_| Plan::json(200, r#"{"jsonrpc":"2.0","id":99,"result":{}}"#),
            "answered to the id 99 instead of 1",
        ),
        (|seen| both(seen), "both `result` and `error`"),
        (
            |seen| Plan::result(seen, &format!("{}1{}", "[".repeat(50), "]".repeat(50))),
            "deeper than 32 levels",
        ),
        (|_| Plan::status(202), "answered HTTP 202 without an answer"),
        (|_| Plan::json(200, "[]"), "batches are not part"),
        (|_| Plan::status(503), "answered HTTP 503"),
        (|_| Plan::status(401), "answered HTTP 401: it wants credentials"),
        (|_| Plan::status(429).with("Retry-After", "7"), "asked again later (`7`)"),
        (
            |_| Plan::status(307).with("Location", "http://127.0.0.1:1/"),
            "HTTP 307, and redirects are not followed",
        ),
    ];
    for (answer, expected) in table {
        let fake = Fake::start(move |seen| modern(seen, answer)).await;
        let told = Rig::to(&fake).await.tool().told().await;
        assert!(unreadable(&told).contains(expected), "{expected}: {told:?}");
        assert_eq!(fake.count("tools/call"), 1, "a call is never run twice");
    }
}

fn both(seen: &Seen) -> Plan {
    Plan::json(200, &format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}},"error":{{}}}}"#, seen.id()))
}

#[tokio::test]
async fn an_error_is_relayed_whatever_its_status() {
    let raw = r#"{"code":-32602,"message":"unknown","data":{"big":12345678901234567890}}"#;
    for status in [200, 400, 404] {
        let fake = Fake::start(move |seen| modern(seen, |seen| Plan::error(seen, status, raw))).await;
        assert_eq!(Rig::to(&fake).await.tool().told().await, Told::Error(raw.into()), "{status}");
    }
    let fake = Fake::start(move |seen| {
        modern(seen, |_| Plan::json(400, &format!("{{\"jsonrpc\":\"2.0\",\n\"id\":null,\"error\":{raw}}}")))
    });
    assert_eq!(Rig::to(&fake.await).await.tool().told().await, Told::Error(raw.into()));
}

/// A server that forgets session `s-1` and knows only what it gave out later.
fn forgetful(refuse: fn() -> Plan, sessions: &Arc<AtomicUsize>) -> impl Fn(&Seen) -> Plan + use<> {
    let sessions = Arc::clone(sessions);
    move |seen| match seen.method().as_str() {
        "initialize" => {
            let number = sessions.fetch_add(1, Ordering::SeqCst) + 1;
            Plan::result(seen, GREETING).with("Mcp-Session-Id", &format!("s-{number}"))
        }
        _ => legacy(
            seen,
            |seen| if seen.header("mcp-session-id") == Some("s-2") { ok(seen) } else { refuse() },
        ),
    }
}

#[tokio::test]
async fn a_lost_session_is_opened_again_once_for_all_calls() {
    let example = || {
        Plan::json(
            400,
            r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"No valid session ID"},"id":null}"#,
        )
    };
    for refuse in [(|| Plan::status(404)) as fn() -> Plan, example] {
        let sessions = Arc::default();
        let fake = Fake::start(forgetful(refuse, &sessions)).await;
        let mut rig = Rig::to(&fake).await;
        let mut calls: Vec<_> = (0..20).map(|_| rig.tool()).collect();
        for call in &mut calls {
            assert_eq!(call.told().await, Told::Result("{\"content\":[]}".into()));
        }
        assert_eq!(sessions.load(Ordering::SeqCst), 2, "one session more, for all of them");
        for list in ["tools", "prompts", "resources"] {
            let method = format!("notifications/{list}/list_changed");
            assert_eq!(rig.heard().await, Told::Heard(method, None));
        }
        assert!(rig.heard.try_recv().is_err(), "told once");
    }
}

#[tokio::test]
async fn a_session_lost_twice_is_an_error_and_not_a_loop() {
    let fake = Fake::start(|seen| legacy(seen, |_| Plan::status(404))).await;
    let rig = Rig::to(&fake).await;
    assert!(unreadable(&rig.tool().told().await).contains("answered HTTP 404"));
    assert_eq!((fake.count("initialize"), fake.count("tools/call")), (2, 2));
}

#[tokio::test]
async fn a_session_that_cannot_be_opened_again_ends_the_connection() {
    let opened = AtomicUsize::new(0);
    let fake = Fake::start(move |seen| match seen.method().as_str() {
        "initialize" if opened.fetch_add(1, Ordering::SeqCst) > 0 => Plan::status(500),
        _ => legacy(seen, |_| Plan::status(404)),
    });
    let fake = fake.await;
    let mut rig = Rig::to(&fake).await;
    let mut call = rig.tool();
    let how = rig.connection.lifeline.ended().await;
    assert!(how.contains("lost its session") && how.contains("500"), "{how}");
    assert_eq!(unreadable(&call.told().await), &*how);
    assert!(rig.call_as(1, "1", "tools/list", "{}", None).is_none());
}

#[tokio::test]
async fn a_server_that_went_away_ends_the_connection_after_three_failures() {
    let mut fake = Fake::start(|seen| modern(seen, |_| Plan::stream(vec![Step::Hang]))).await;
    let mut rig = Rig::to(&fake).await;
    let mut hanging = rig.tool();
    fake.until_seen("tools/call", 1).await;
    fake.stop();
    let why = unreadable(&hanging.told().await).to_owned();
    assert!(why.contains("broke its answer off"), "{why}");
    for _ in 0..3 {
        let told = rig.tool().told().await;
        assert!(
            matches!(&told, Told::Lost(Lost::NotSent(why)) if why.contains("cannot be reached")),
            "{told:?}"
        );
    }
    assert!(rig.connection.lifeline.ended().await.contains("cannot be reached"));
}

#[tokio::test]
async fn a_cancelled_call_closes_its_stream_and_tells_a_legacy_server() {
    let hang = |_: &Seen| Plan::stream(vec![Step::Send(": wait\n\n".into()), Step::Hang]);
    for (script, notified) in [
        ((|seen, rest| modern(seen, rest)) as fn(&Seen, fn(&Seen) -> Plan) -> Plan, 0),
        (|seen, rest| legacy(seen, rest), 1),
    ] {
        let fake = Fake::start(move |seen| script(seen, hang)).await;
        let rig = Rig::to(&fake).await;
        let mut call = rig.tool();
        fake.until_seen("tools/call", 1).await;
        assert!(!rig.connection.link.cancel(8, "\"c\"", None), "somebody else's call");
        assert!(rig.connection.link.cancel(7, "\"c\"", Some("enough")));
        assert_eq!(call.told().await, Told::Lost(Lost::Cancelled));
        fake.until_gone(1).await;
        fake.until_seen("notifications/cancelled", notified).await;
        let told = fake.seen().into_iter().find(|seen| seen.method() == "notifications/cancelled");
        let params = r#""params":{"requestId":1,"reason":"enough"}"#;
        assert_eq!(told.is_some_and(|seen| seen.body.contains(params)), notified == 1);
    }
}

#[tokio::test]
async fn too_much_is_not_sent() {
    let fake = Fake::start(|seen| modern(seen, |_| Plan::stream(vec![Step::Hang]))).await;
    let rig = Rig::to(&fake).await;
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(100_000));
    let told = rig.call("tools/call", &long, None).told().await;
    assert_eq!(unreadable(&told), "the request has more than 100000 bytes");
    let _hanging: Vec<_> = (0..64).map(|_| rig.tool()).collect();
    assert_eq!(unreadable(&rig.tool().told().await), "64 calls are in flight already");

    let limits = LinkLimits { queue_bytes: 10, ..LIMITS };
    let rig = Rig::try_to(server(&fake.url), limits).await.unwrap();
    assert_eq!(unreadable(&rig.tool().told().await), "more than 10 bytes wait for it already");
}

#[tokio::test]
async fn the_stream_of_a_session_is_heard_and_opened_again() {
    let more = Arc::new(Notify::new());
    let (gate, opened) = (Arc::clone(&more), AtomicUsize::new(0));
    let fake = Fake::start(move |seen| match (seen.verb.as_str(), opened.load(Ordering::SeqCst)) {
        ("GET", before) => {
            opened.fetch_add(1, Ordering::SeqCst);
            let changed = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
            let mut steps = vec![Step::Send(format!("id: e{before}\ndata: {changed}\n\n"))];
            steps.extend((before > 0).then(|| Step::Wait(Arc::clone(&gate))));
            Plan::stream(steps)
        }
        _ => legacy(seen, ok),
    });
    let fake = fake.await;
    let mut rig = Rig::to(&fake).await;
    for _ in 0..2 {
        assert_eq!(rig.heard().await, Told::Heard("notifications/tools/list_changed".into(), None));
    }
    let last: Vec<_> = fake
        .seen()
        .iter()
        .filter(|seen| seen.verb == "GET")
        .map(|seen| seen.header("last-event-id").map(str::to_owned))
        .collect();
    assert_eq!(last, [None, Some("e0".into())]);
    more.notify_waiters();
}
