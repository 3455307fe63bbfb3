//! Hears a server on a connection that is not shared, and says whose it is.
//!
//! It answers nothing. What the server asks before its first calls were sent is kept until then, so that there is a way
//! to the client.

use crate::catalog::lists::ServerLists;
use crate::downstream::link::Link;
use crate::downstream::link::Listener;
use crate::downstream::link::Source;
use crate::downstream::private::Key;
use crate::name::ServerName;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

/// So many early questions are kept; more are passed on at once.
const EARLY: usize = 16;

/// The ears of one connection.
pub(super) struct PrivateEars {
    inner: Arc<dyn Listener>,
    server: ServerName,
    whose: Key,
    early: Mutex<Option<Vec<Early>>>,
}

/// A question that came before the first calls were sent.
struct Early {
    link: Arc<dyn Link>,
    call: Option<u64>,
    id: Box<RawValue>,
    method: String,
    params: Option<Box<RawValue>>,
}

impl PrivateEars {
    /// Ears that tell `inner`, for the connection of `whose`.
    pub(super) fn new(inner: Arc<dyn Listener>, server: ServerName, whose: Key) -> Self {
        Self { inner, server, whose, early: Mutex::new(Some(Vec::new())) }
    }

    /// The first calls were sent: questions pass from here on.
    pub(super) fn open(&self) {
        let early = self.early.lock().unwrap_or_else(PoisonError::into_inner).take();
        for question in early.into_iter().flatten() {
            let Early { link, call, id, method, params } = question;
            let source = Source { server: &self.server, link: &*link, call, whose: Some(&self.whose) };
            self.inner.request(source, Arc::clone(&link), &id, &method, params.as_deref());
        }
    }

    fn of<'a>(&'a self, source: Source<'a>) -> Source<'a> {
        Source { whose: Some(&self.whose), ..source }
    }
}

impl Listener for PrivateEars {
    fn notification(&self, source: Source<'_>, method: &str, params: Option<&RawValue>) {
        self.inner.notification(self.of(source), method, params);
    }

    fn lists_read(&self, server: &ServerName, lists: &Arc<ServerLists>) {
        self.inner.lists_read(server, lists);
    }

    fn request(
        &self,
        source: Source<'_>,
        link: Arc<dyn Link>,
        id: &RawValue,
        method: &str,
        params: Option<&RawValue>,
    ) {
        let source = self.of(source);
        let mut early = self.early.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(early) = early.as_mut().filter(|early| early.len() < EARLY) {
            let (method, params) = (method.to_owned(), params.map(RawValue::to_owned));
            return early.push(Early { link, call: source.call, id: id.to_owned(), method, params });
        }
        drop(early);
        self.inner.request(source, link, id, method, params);
    }
}
