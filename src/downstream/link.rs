//! A live connection to one server, as seen by those who send over it and by those who listen to it.
//!
//! It says nothing of how a connection comes to be (`connect.rs`) or who owns it (`task.rs`).

use crate::catalog::lists::ServerLists;
use crate::downstream::private::Key;
use crate::downstream::request::Request;
use crate::name::ServerName;
use crate::protocol::version::Era;
use crate::wire::pending::Owner;
use crate::wire::pending::Patience;
use crate::wire::pending::Pending;
use crate::wire::pending::Waiter;
use serde_json::value::RawValue;
use std::sync::Arc;
use tokio::sync::watch;

/// Sends over one connection. Nothing here waits.
pub trait Link: Send + Sync {
    /// The era spoken on it.
    fn era(&self) -> Era;

    /// Registers `waiter` and sends `request`. A refusal is answered to the waiter.
    ///
    /// # Errors
    /// Gives the waiter back when the connection has ended and nothing was sent, so that the call can wait for the next.
    fn call(
        &self,
        request: &Request<'_>,
        waiter: Box<dyn Waiter>,
        patience: Patience,
    ) -> Result<(), Box<dyn Waiter>>;

    /// Ends the call that `owner` knows as `call`: its waiter is told, and so is the server, with the server's own id.
    /// `false` when there is no such call here.
    fn cancel(&self, owner: Owner, call: &str, reason: Option<&str>) -> bool;

    /// Tells the server that the call with our id `id` is over, without telling anybody else.
    fn abandon(&self, id: u64, reason: &str);

    /// Sends a notification. `params` is JSON text.
    fn notify(&self, method: &str, params: &str);

    /// Answers a request of the server. `answer` is the member `"result":…` or `"error":…`.
    fn respond(&self, id: &RawValue, answer: &str);

    /// Its calls in flight.
    fn pending(&self) -> &Pending;

    /// True when it tells the breaker of failures of single calls, so that its end is no further one.
    fn counts_its_failures(&self) -> bool {
        false
    }

    /// Changes whenever the server has forgotten us and was greeted anew on the same connection, where that happens.
    fn renewals(&self) -> Option<watch::Receiver<u64>> {
        None
    }
}

/// Where something was heard.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The server.
    pub server: &'a ServerName,
    /// The connection it came over.
    pub link: &'a dyn Link,
    /// Our id of the call that it came with, where the transport says so (the response stream of an HTTP request).
    pub call: Option<u64>,
    /// Whose the connection is; `None` for one that all share.
    pub whose: Option<&'a Key>,
}

/// Hears what servers say unasked. Called in the order of the wire, from the task that reads; must not wait.
pub trait Listener: Send + Sync {
    /// A notification other than progress.
    fn notification(&self, source: Source<'_>, method: &str, params: Option<&RawValue>);
    /// All lists of a server were read anew.
    fn lists_read(&self, server: &ServerName, lists: &Arc<ServerLists>);
    /// A connection that is not shared is ready; it is that of `whose`.
    fn private_ready(&self, server: &ServerName, whose: &Key, link: &Arc<dyn Link>) {
        let _ = (server, whose, link);
    }
    /// A request of a legacy server; to be answered with [`Link::respond`].
    fn request(
        &self,
        source: Source<'_>,
        link: Arc<dyn Link>,
        id: &RawValue,
        method: &str,
        params: Option<&RawValue>,
    );
}
