//! The sending side of a connection: tasks send what it is given, so that nothing here waits.
//!
//! It does not know what is said on the way: that is `talk.rs`.

use crate::downstream::http::crew::Crew;
use crate::downstream::http::crew::Job;
use crate::downstream::http::listen;
use crate::downstream::http::parcel::Asked;
use crate::downstream::http::parcel::Parcel;
use crate::downstream::http::parcel::Weight;
use crate::downstream::http::session::Session;
use crate::downstream::http::talk::Talk;
use crate::downstream::link::Link;
use crate::downstream::request::Request;
use crate::protocol::param_header::ParamHeader;
use crate::protocol::version::Era;
use crate::wire::members::write_string;
use crate::wire::pending::Answer;
use crate::wire::pending::Lost;
use crate::wire::pending::NotAccepted;
use crate::wire::pending::Owner;
use crate::wire::pending::Patience;
use crate::wire::pending::Pending;
use crate::wire::pending::Waiter;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::sync::Weak;
use std::sync::atomic::AtomicUsize;
use tokio::sync::watch;
use tokio::task::JoinSet;

const CANCELLED: &str = "notifications/cancelled";

/// A connection to one server over HTTP.
pub struct HttpLink {
    talk: Arc<Talk>,
    crew: Arc<Crew>,
    waiting: Arc<AtomicUsize>,
    me: Weak<Self>,
}

impl HttpLink {
    /// A connection over `talk`; a legacy one listens at once.
    #[must_use]
    pub fn open(talk: Talk) -> Arc<Self> {
        let talk = Arc::new(talk);
        let link = Arc::new_cyclic(|me| Self {
            talk: Arc::clone(&talk),
            crew: Arc::default(),
            waiting: Arc::default(),
            me: Weak::clone(me),
        });
        if talk.session.is_some() {
            let me: Weak<dyn Link> = Arc::<Self>::downgrade(&link);
            link.crew.start(listen::listen(talk, me));
        }
        link
    }

    /// What its requests share.
    #[must_use]
    pub fn talk(&self) -> &Arc<Talk> {
        &self.talk
    }

    /// Ends everything at once: who waits is told why, and tasks are aborted. They are returned to be waited for.
    pub fn close(&self, why: &str) -> JoinSet<()> {
        self.talk.end(&Arc::from(why));
        self.crew.close()
    }

    fn parcel(&self, method: &str, target: Option<&str>, body: Vec<u8>) -> Result<Box<Parcel>, String> {
        let limits = self.talk.endpoint.limits;
        if body.len() > limits.message_bytes {
            return Err(format!("the request has more than {} bytes", limits.message_bytes));
        }
        let Some(weight) = Weight::add(&self.waiting, body.len(), limits.queue_bytes) else {
            return Err(format!("more than {} bytes wait for it already", limits.queue_bytes));
        };
        let (method, target) = (method.to_owned(), target.map(str::to_owned));
        Ok(Box::new(Parcel { method, target, params: Vec::new(), body: body.into(), weight }))
    }

    fn tell(&self, method: &str, body: Vec<u8>) {
        match self.parcel(method, None, body) {
            Ok(parcel) => {
                let talk = Arc::clone(&self.talk);
                self.crew.start(async move { talk.tell(parcel).await });
            }
            Err(why) => tracing::debug!(server = %self.talk.endpoint.server, method, why, "not sent"),
        }
    }
}

impl Link for HttpLink {
    fn era(&self) -> Era {
        self.talk.era
    }

    fn call(
        &self,
        request: &Request<'_>,
        waiter: Box<dyn Waiter>,
        patience: Patience,
    ) -> Result<(), Box<dyn Waiter>> {
        let Some(link) = self.me.upgrade() else { return Err(waiter) };
        let owner = waiter.owner();
        let id = match self.talk.pending.insert(waiter, patience) {
            Ok(id) => id,
            Err((waiter, NotAccepted::Closed(_))) => return Err(waiter),
            Err((waiter, NotAccepted::Full(limit))) => {
                let why = format!("{limit} calls are in flight already");
                waiter.answer(Answer::Lost(Lost::NotSent(why.into())));
                return Ok(());
            }
        };
        let mut body = Vec::with_capacity(256 + request.params.raw().len());
        request.write(&mut body, self.talk.era, id);
        match self.parcel(request.method, request.target, body) {
            Ok(mut parcel) => {
                parcel.params = repeated(request);
                self.crew.call(&self.talk, Job { link, asked: Asked { id, owner }, parcel });
            }
            Err(why) => {
                if let Some(waiter) = self.talk.pending.take(id) {
                    waiter.answer(Answer::Lost(Lost::NotSent(why.into())));
                }
            }
        }
        Ok(())
    }

    fn cancel(&self, owner: Owner, call: &str, reason: Option<&str>) -> bool {
        let Some((id, waiter)) = self.talk.pending.take_of(owner, call) else { return false };
        waiter.answer(Answer::Lost(Lost::Cancelled));
        self.abandon(id, reason.unwrap_or("cancelled by the client"));
        true
    }

    /// The response stream is closed; that is how a modern server is told. A legacy one is told in words.
    fn abandon(&self, id: u64, reason: &str) {
        if self.crew.abort(id) && self.talk.era == Era::Legacy {
            let mut params = format!(r#"{{"requestId":{id},"reason":"#).into_bytes();
            write_string(&mut params, reason);
            params.push(b'}');
            self.notify(CANCELLED, &String::from_utf8_lossy(&params));
        }
    }

    fn notify(&self, method: &str, params: &str) {
        let mut body = br#"{"jsonrpc":"2.0","method":"#.to_vec();
        write_string(&mut body, method);
        body.extend_from_slice(b",\"params\":");
        body.extend_from_slice(params.as_bytes());
        body.push(b'}');
        self.tell(method, body);
    }

    fn respond(&self, id: &RawValue, answer: &str) {
        // A modern server asks nothing, and would not know what to do with an answer.
        if self.talk.era == Era::Legacy {
            let body = format!(r#"{{"jsonrpc":"2.0","id":{id},{answer}}}"#);
            self.tell("an answer", body.into_bytes());
        }
    }

    fn pending(&self) -> &Pending {
        &self.talk.pending
    }

    fn counts_its_failures(&self) -> bool {
        true
    }

    fn renewals(&self) -> Option<watch::Receiver<u64>> {
        self.talk.session.as_ref().map(Session::renewals)
    }
}

/// What headers repeat of the arguments; legacy servers are not told.
fn repeated(request: &Request<'_>) -> Vec<(String, String)> {
    let arguments = request.params.get("arguments");
    let said = |header: &ParamHeader| Some((header.name().to_owned(), header.value(arguments)?));
    request.param_headers.iter().filter_map(said).collect()
}
