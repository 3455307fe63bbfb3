//! Panics planted where a message passes: each costs at most its own call, which is answered all the same, and the next
//! call works.
//!
//! Not fuzzed, since a fuzzer stops at any panic.

use crate::frames::Bed;
use crate::oracle::Answers;
use crate::oracle::Expected;
use crate::panics;
use crate::peer::Peers;
use mcp_manifold::downstream::connect::BoxFuture;
use mcp_manifold::downstream::connect::Connect;
use mcp_manifold::downstream::connect::Connection;
use mcp_manifold::downstream::connect::Order;
use mcp_manifold::downstream::error::StartError;
use mcp_manifold::downstream::link::Link;
use mcp_manifold::downstream::request::Request;
use mcp_manifold::protocol::version::Era;
use mcp_manifold::wire::pending::Answer;
use mcp_manifold::wire::pending::Owner;
use mcp_manifold::wire::pending::Patience;
use mcp_manifold::wire::pending::Pending;
use mcp_manifold::wire::pending::Question;
use mcp_manifold::wire::pending::Waiter;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::sync::Mutex;

/// Where it goes off next.
#[derive(Clone, Default)]
struct Mine(Arc<Mutex<Option<&'static str>>>);

impl Mine {
    fn pass(&self, place: &str) {
        let mut armed = self.0.lock().expect("released before it goes off");
        if armed.as_deref() == Some(place) {
            *armed = None;
            drop(armed);
            panic!("planted at {place}");
        }
    }
}

struct MinedPeers {
    peers: Peers,
    mine: Mine,
}

impl Connect for MinedPeers {
    fn connect(&self, order: Order) -> BoxFuture<'static, Result<Connection, StartError>> {
        let (mine, connected) = (self.mine.clone(), self.peers.connect(order));
        Box::pin(async move {
            let Connection { link, greeting, lifeline } = connected.await?;
            Ok(Connection { link: Arc::new(Mined { link, mine }), greeting, lifeline })
        })
    }
}

struct Mined {
    link: Arc<dyn Link>,
    mine: Mine,
}

impl Link for Mined {
    fn era(&self) -> Era {
        self.mine.pass("era");
        self.link.era()
    }
    fn call(
        &self,
        request: &Request<'_>,
        waiter: Box<dyn Waiter>,
        patience: Patience,
    ) -> Result<(), Box<dyn Waiter>> {
        self.mine.pass("before the request");
        let waiter = Box::new(MinedWaiter { waiter, mine: self.mine.clone() });
        let sent = self.link.call(request, waiter, patience);
        self.mine.pass("after the request");
        sent
    }
    fn cancel(&self, owner: Owner, call: &str, reason: Option<&str>) -> bool {
        self.mine.pass("cancel");
        self.link.cancel(owner, call, reason)
    }
    fn abandon(&self, id: u64, reason: &str) {
        self.link.abandon(id, reason);
    }
    fn notify(&self, method: &str, params: &str) {
        self.link.notify(method, params);
    }
    fn respond(&self, id: &RawValue, answer: &str) {
        self.link.respond(id, answer);
    }
    fn pending(&self) -> &Pending {
        self.link.pending()
    }
}

struct MinedWaiter {
    waiter: Box<dyn Waiter>,
    mine: Mine,
}

impl Waiter for MinedWaiter {
    fn answer(self: Box<Self>, answer: Answer<'_>) {
        self.mine.pass("answer");
        self.waiter.answer(answer);
    }
    fn progress(&self, params: &str) {
        self.mine.pass("progress");
        self.waiter.progress(params);
    }
    fn notice(&self, method: &str, params: Option<&str>) {
        self.mine.pass("notice");
        self.waiter.notice(method, params);
    }
    fn ask(&self, question: &Question<'_>) -> bool {
        self.waiter.ask(question)
    }
    fn owner(&self) -> Owner {
        self.waiter.owner()
    }
    fn is_background(&self) -> bool {
        self.waiter.is_background()
    }
    fn is(&self, id: &str) -> bool {
        self.mine.pass("is");
        self.waiter.is(id)
    }
}

#[test]
fn a_panic_costs_at_most_its_own_call() {
    let mine = Mine::default();
    let bed = Bed::new(Arc::new(MinedPeers { peers: Peers::default(), mine: mine.clone() }));
    panics::watch();
    for place in
        ["before the request", "after the request", "cancel", "is", "answer", "progress", "notice", "era"]
    {
        panics::take();
        *mine.0.lock().expect("not poisoned") = Some(place);
        let call = |tool: &str, id: &str| {
            let meta = r#""_meta":{"progressToken":"p"}"#;
            format!(
                r#"{{"jsonrpc":"2.0","id":"{id}","method":"tools/call","params":{{"name":"a__{tool}",{meta}}}}}"#
            )
        };
        let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"late"}}"#;
        let lines = [call("notes", "notes"), call("late", "late"), cancel.to_owned(), call("echo", "echo")];
        let stream = lines.join("\n");
        let written = bed.run(stream.as_bytes());
        Expected::of(stream.as_bytes(), crate::frames::BOUNDS).compare(&Answers::of(&written));
        assert_eq!(panics::take().len(), 1, "it went off at {place}");
        let next = bed.run(call("echo", "next").as_bytes());
        assert!(String::from_utf8_lossy(&next).contains("done"), "{place}: {}", next.escape_ascii());
    }
}
