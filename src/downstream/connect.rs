//! How a connection to a server comes to be.
//!
//! The transport is an argument: programs and tests can bring their own [`Connect`].

use crate::auth::caller::Caller;
use crate::auth::oauth::folder::Stamp;
use crate::auth::oauth::offer::Asked;
use crate::auth::oauth::offer::Offer;
use crate::auth::outbound::personal::Personal;
use crate::config::model::Config;
use crate::config::model::Server;
use crate::config::model::StopGrace;
use crate::downstream::breaker::Breaker;
use crate::downstream::error::StartError;
use crate::downstream::link::Link;
use crate::downstream::link::Listener;
use crate::downstream::process::StderrRing;
use crate::protocol::version::Era;
use serde_json::value::RawValue;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A boxed future, for traits that are used as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Makes connections.
pub trait Connect: Send + Sync {
    /// Connects to `server` and completes the handshake. The caller bounds the time.
    fn connect(&self, order: Order) -> BoxFuture<'static, Result<Connection, StartError>>;

    /// What changes when the principal `whose`, or else the gateway, logs in at `server`, or out; `None` where nobody can.
    fn login_stamp(&self, server: &Server, whose: Option<&str>) -> Option<Stamp> {
        let _ = (server, whose);
        None
    }

    /// A page on which a caller can log in; `None` where nobody can, or too many do.
    fn offer_login(&self, asked: Asked) -> Option<Offer> {
        let _ = asked;
        None
    }

    /// The page that was offered to `caller` under this name, while it is there.
    fn offered_login(&self, id: &str, caller: &Caller) -> Option<Offer> {
        let _ = (id, caller);
        None
    }

    /// Takes the pages away for which `keeps` is false.
    fn keep_offers(&self, keeps: &dyn Fn(&Asked) -> bool) {
        let _ = keeps;
    }

    /// This configuration holds from now on.
    fn configured(&self, config: &Config) {
        let _ = config;
    }
}

/// What is to be connected.
#[derive(Clone)]
pub struct Order {
    /// The entry.
    pub server: Arc<Server>,
    /// The era it spoke last time, or that the entry prescribes.
    pub era: Option<Era>,
    /// Who hears what the server says unasked.
    pub listener: Arc<dyn Listener>,
    /// Longest message, deepest nesting, bytes queued.
    pub limits: LinkLimits,
    /// What a legacy server is told that its client can do, as JSON text.
    pub declared: Arc<str>,
    /// What of the caller goes to the server, on a connection of theirs.
    pub personal: Option<Arc<Personal>>,
    /// Hears of calls that the transport failed, where the connection outlives them.
    pub breaker: Arc<Breaker>,
}

/// Bounds of one connection.
#[derive(Debug, Clone, Copy)]
pub struct LinkLimits {
    /// Longest message in either direction, in bytes.
    pub message_bytes: usize,
    /// Deepest nesting.
    pub depth: usize,
    /// Bytes waiting for a server that does not read.
    pub queue_bytes: usize,
}

/// A connection after its handshake.
pub struct Connection {
    /// For sending.
    pub link: Arc<dyn Link>,
    /// What the server said about itself.
    pub greeting: Greeting,
    /// For ending it, and for knowing when it ended.
    pub lifeline: Box<dyn Lifeline>,
}

/// What a server says about itself in the handshake.
#[derive(Debug, Clone)]
pub struct Greeting {
    /// The era it speaks.
    pub era: Era,
    /// The protocol revision.
    pub version: String,
    /// Its capabilities, raw.
    pub capabilities: Box<RawValue>,
    /// Who it is, raw.
    pub server_info: Option<Box<RawValue>>,
    /// How to use it.
    pub instructions: Option<String>,
}

/// Owns what keeps a connection alive: its tasks and its child.
pub trait Lifeline: Send {
    /// Resolves when the connection has ended by itself, with how it ended: "exited with code 3". Cancel-safe.
    fn ended(&mut self) -> BoxFuture<'_, Arc<str>>;
    /// Ends it: nothing of it is left afterwards.
    fn stop(self: Box<Self>, grace: StopGrace) -> BoxFuture<'static, ()>;
    /// The process id of a child.
    fn pid(&self) -> Option<u32>;
    /// The last lines of a child's stderr.
    fn last_words(&self) -> Vec<String>;
    /// What a child writes on stderr.
    fn stderr(&self) -> Option<StderrRing> {
        None
    }
}
