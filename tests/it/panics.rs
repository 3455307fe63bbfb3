//! Bugs planted where the gateway runs code of others: one call gets an error that names the incident, all else goes on.
//!
//! The connection to the server is a test double, because no input is known that makes the gateway panic.

use crate::support::eventually::patience;
use mcp_manifold::App;
use mcp_manifold::app::Options;
use mcp_manifold::auth::caller::Caller;
use mcp_manifold::config;
use mcp_manifold::config::environment::Environment;
use mcp_manifold::config::model::StopGrace;
use mcp_manifold::downstream::connect::BoxFuture;
use mcp_manifold::downstream::connect::Connect;
use mcp_manifold::downstream::connect::Connection;
use mcp_manifold::downstream::connect::Greeting;
use mcp_manifold::downstream::connect::Lifeline;
use mcp_manifold::downstream::connect::Order;
use mcp_manifold::downstream::error::StartError;
use mcp_manifold::downstream::link::Link;
use mcp_manifold::downstream::request::Request;
use mcp_manifold::front::program::Program;
use mcp_manifold::front::program::RequestError;
use mcp_manifold::protocol::version::Era;
use mcp_manifold::wire::message::Outcome;
use mcp_manifold::wire::pending::Answer;
use mcp_manifold::wire::pending::Owner;
use mcp_manifold::wire::pending::Patience;
use mcp_manifold::wire::pending::Pending;
use mcp_manifold::wire::pending::Waiter;
use serde_json::value::RawValue;
use std::future::Future;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

const CONFIG: &str = r#"{ "mcpServers": { "odd": { "command": "nobody-starts-this" } } }"#;
const TOOLS: &str = r#"{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}"#;

/// Where the next bug strikes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Connecting,
    Watching,
    Listing,
    Calling,
    Answering,
}

#[derive(Clone, Default)]
struct Plan(Arc<Mutex<Vec<Place>>>);

impl Plan {
    fn strike(&self, place: Place) {
        let mut planted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = planted.iter().position(|planted| *planted == place) {
            planted.remove(at);
            drop(planted);
            panic!("planted: {place:?}");
        }
    }

    fn plant(&self, place: Place) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(place);
    }

    fn is_spent(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

struct Connector(Plan);

impl Connect for Connector {
    fn connect(&self, _: Order) -> BoxFuture<'static, Result<Connection, StartError>> {
        let plan = self.0.clone();
        Box::pin(async move {
            plan.strike(Place::Connecting);
            let greeting = Greeting {
                era: Era::Legacy,
                version: "2025-11-25".into(),
                capabilities: raw(r#"{"tools":{}}"#),
                server_info: None,
                instructions: None,
            };
            let link = Arc::new(Wire { plan: plan.clone(), pending: Pending::new(99) });
            Ok(Connection { link, greeting, lifeline: Box::new(Life(plan)) })
        })
    }
}

struct Life(Plan);

impl Lifeline for Life {
    fn ended(&mut self) -> BoxFuture<'_, Arc<str>> {
        let plan = self.0.clone();
        Box::pin(std::future::poll_fn(move |_| {
            plan.strike(Place::Watching);
            std::task::Poll::Pending
        }))
    }
    fn stop(self: Box<Self>, _: StopGrace) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
    fn pid(&self) -> Option<u32> {
        None
    }
    fn last_words(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Answers every request where it is made.
struct Wire {
    plan: Plan,
    pending: Pending,
}

impl Link for Wire {
    fn era(&self) -> Era {
        Era::Legacy
    }
    fn call(
        &self,
        request: &Request<'_>,
        waiter: Box<dyn Waiter>,
        time: Patience,
    ) -> Result<(), Box<dyn Waiter>> {
        let client = waiter.owner() != 0;
        self.plan.strike(if client { Place::Calling } else { Place::Listing });
        let id = self.pending.insert(waiter, time).map_err(|(waiter, _)| waiter)?;
        let waiter = self.pending.take_answered(id).expect("it was just registered");
        let result = raw(if request.method == "tools/list" { TOOLS } else { r#"{"content":[]}"# });
        if client {
            self.plan.strike(Place::Answering);
        }
        waiter.answer(Answer::Outcome(Outcome::Result(&result)));
        Ok(())
    }
    fn cancel(&self, owner: Owner, call: &str, _: Option<&str>) -> bool {
        self.pending.take_of(owner, call).is_some()
    }
    fn abandon(&self, _: u64, _: &str) {}
    fn notify(&self, _: &str, _: &str) {}
    fn respond(&self, _: &RawValue, _: &str) {}
    fn pending(&self) -> &Pending {
        &self.pending
    }
}

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.into()).expect("JSON")
}

async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(patience(), work).await.expect("it ends in time")
}

async fn call(program: &Program) -> Result<(), RequestError> {
    soon(program.call_tool("odd__echo", "{}")).await.map(drop)
}

/// Plants a bug; what the call says that meets it, and then the next ones work.
async fn meets(place: Place, warm: bool) -> Option<String> {
    let plan = Plan::default();
    let environment = Environment::new([("HOME", "/home/ann")], "/home/ann");
    let loaded = config::parse(CONFIG, "mcp.json".as_ref(), &environment).expect("a configuration");
    let options = Options { connector: Arc::new(Connector(plan.clone())), ..Options::default() };
    let app = App::from_config(loaded.config, options);
    let program = Program::new(app.gateway().clone(), Caller::Local);
    if warm {
        call(&program).await.expect("nothing is planted yet");
    }
    plan.plant(place);
    let met = call(&program).await.err().map(|error| error.to_string());
    soon(async {
        while !plan.is_spent() || call(&program).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    drop(program);
    soon(app.close()).await;
    met
}

#[tokio::test]
async fn a_bug_while_a_call_is_sent_or_answered_is_an_error_with_an_incident() {
    for place in [Place::Calling, Place::Answering] {
        let met = meets(place, true).await.expect("an error");
        let (_, incident) = met.split_once("incident ").unwrap_or_else(|| panic!("{place:?}: {met}"));
        assert!(incident.len() == 8 && incident.bytes().all(|b| b.is_ascii_hexdigit()), "{met}");
    }
}

#[tokio::test]
async fn a_bug_while_a_server_is_started_or_listed_is_an_error_that_names_it() {
    for place in [Place::Connecting, Place::Listing] {
        let met = meets(place, false).await;
        assert!(met.is_none_or(|met| met.contains("server `odd`") || met.contains("odd__echo")), "{place:?}");
    }
}

#[tokio::test]
async fn a_bug_in_the_life_of_a_server_starts_it_anew() {
    let met = meets(Place::Watching, true).await;
    assert!(met.is_none_or(|met| met.contains("server `odd`")));
}
