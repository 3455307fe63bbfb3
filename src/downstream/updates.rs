//! Resources of one server whose updates somebody wants, and the server's word on each. Tasks (2026-07-28) are wanted in
//! the same way, under keys that no URI has.
//!
//! Several gateways may want the same; the last that lets it go ends it. It outlives connections: every new one asks again for all that is wanted. Who wants what is `gateway/updates.rs`.

use crate::downstream::usage::User;
use crate::protocol::code;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use tokio::sync::watch;

/// Before the id of a task.
const TASK: &str = "\u{0}task ";

/// The key of a task.
#[must_use]
pub fn of_task(own_id: &str) -> String {
    format!("{TASK}{own_id}")
}

/// The task that `key` is of.
#[must_use]
pub fn task_of(key: &str) -> Option<&str> {
    key.strip_prefix(TASK)
}

/// What a server says to a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    /// Nothing yet, and it was not asked.
    Awaited,
    /// Nothing yet.
    Asked,
    /// It will tell.
    Given,
    /// It will not; why, as an error object (JSON text).
    Refused(Arc<str>),
}

/// One wanted resource.
#[derive(Debug)]
struct Wanted {
    word: Word,
    /// Who wants it.
    users: Vec<User>,
}

/// The wanted resources of one server.
#[derive(Debug)]
pub struct Updates {
    table: Mutex<BTreeMap<Box<str>, Wanted>>,
    /// The stream that asks for all that is [`Word::Asked`] has an id greater than this.
    asked_after: AtomicU64,
    /// Told when the set or a word changes.
    changes: watch::Sender<u64>,
}

impl Default for Updates {
    fn default() -> Self {
        Self { table: Mutex::default(), asked_after: AtomicU64::new(0), changes: watch::Sender::new(0) }
    }
}

impl Updates {
    /// Somebody of the gateway `user` wants to hear of `uri`.
    pub fn want(&self, user: User, uri: &str) {
        let mut table = self.lock();
        let Some(wanted) = table.get_mut(uri) else {
            table.insert(uri.into(), Wanted { word: Word::Awaited, users: vec![user] });
            drop(table);
            return self.told();
        };
        if !wanted.users.contains(&user) {
            wanted.users.push(user);
        }
        if matches!(wanted.word, Word::Refused(_)) {
            wanted.word = Word::Awaited;
            drop(table);
            self.told();
        }
    }

    /// Nobody of the gateway `user` wants to hear of `uri` any more.
    pub fn unwant(&self, user: User, uri: &str) {
        self.end(user, |wanted| wanted == uri);
    }

    /// The gateway `user` wants nothing any more.
    pub fn leave(&self, user: User) {
        self.end(user, |_| true);
    }

    fn end(&self, user: User, which: impl Fn(&str) -> bool) {
        let mut table = self.lock();
        let before = table.len();
        table.retain(|uri, wanted| {
            if which(uri) {
                wanted.users.retain(|other| *other != user);
            }
            !wanted.users.is_empty()
        });
        let ended = table.len() != before;
        drop(table);
        if ended {
            self.told();
        }
    }

    /// True when nothing is wanted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// What the server should tell of: everything it did not refuse.
    #[must_use]
    pub fn wanted(&self) -> BTreeSet<Box<str>> {
        let table = self.lock();
        let wanted = table.iter().filter(|(_, wanted)| !matches!(wanted.word, Word::Refused(_)));
        wanted.map(|(uri, _)| uri.clone()).collect()
    }

    /// What the server has said no word on yet. It may tell of it all the same: what is let go and wanted again before
    /// anybody looked is wanted anew.
    #[must_use]
    pub fn awaited(&self) -> BTreeSet<Box<str>> {
        let table = self.lock();
        let awaited = table.iter().filter(|(_, wanted)| wanted.word == Word::Awaited);
        awaited.map(|(uri, _)| uri.clone()).collect()
    }

    /// A new connection has to be asked for everything.
    pub fn start_over(&self) {
        self.lock().values_mut().for_each(|wanted| wanted.word = Word::Awaited);
    }

    /// A modern server is asked for all of `uris` at once, over a stream whose id is greater than `after`.
    pub fn ask(&self, uris: &BTreeSet<Box<str>>, after: u64) {
        let mut table = self.lock();
        self.asked_after.store(after, Ordering::Relaxed);
        let theirs = table.iter_mut().filter(|(uri, _)| uris.contains(*uri));
        let asked = theirs.filter(|(_, wanted)| wanted.word == Word::Awaited);
        asked.for_each(|(_, wanted)| wanted.word = Word::Asked);
    }

    /// The server acknowledged `stream`: what it was asked for there and said nothing of, it will not tell. Why is an error
    /// object (JSON text).
    pub fn refuse_asked(&self, stream: u64, why: &str) {
        let mut table = self.lock();
        if stream > self.asked_after.load(Ordering::Relaxed) {
            let asked = table.values_mut().filter(|wanted| wanted.word == Word::Asked);
            asked.for_each(|wanted| wanted.word = Word::Refused(why.into()));
        }
        drop(table);
        self.told();
    }

    /// The server's word on `uri`: it will tell, or why not (an error object, JSON text).
    pub fn settle(&self, uri: &str, refused: Option<&str>) {
        if let Some(wanted) = self.lock().get_mut(uri) {
            wanted.word = refused.map_or(Word::Given, |why| Word::Refused(why.into()));
        }
        self.told();
    }

    /// There is no server to say a word: it failed, and `why` says how.
    pub fn refuse_awaited(&self, why: &str) {
        let error = serde_json::json!({ "code": code::INTERNAL_ERROR, "message": why }).to_string();
        let awaited = |wanted: &&mut Wanted| matches!(wanted.word, Word::Awaited | Word::Asked);
        let mut table = self.lock();
        table.values_mut().filter(awaited).for_each(|one| one.word = Word::Refused(error.as_str().into()));
        drop(table);
        self.told();
    }

    /// Waits for the server's word on `uri`.
    ///
    /// # Errors
    /// The error object (JSON text) when it refused; an empty text when nobody wants it any more.
    pub async fn word(&self, uri: &str) -> Result<(), Arc<str>> {
        let mut changes = self.changes.subscribe();
        loop {
            changes.borrow_and_update();
            match self.lock().get(uri).map(|wanted| &wanted.word) {
                Some(Word::Given) => return Ok(()),
                Some(Word::Refused(why)) => return Err(Arc::clone(why)),
                Some(Word::Awaited | Word::Asked) => {}
                None => return Err("".into()),
            }
            if changes.changed().await.is_err() {
                return Err("".into());
            }
        }
    }

    /// Told of every change of the set or of a word.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn told(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Box<str>, Wanted>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_wanted_is_asked_for_on_every_connection() {
        let updates = Updates::default();
        updates.want(1, "a:1");
        updates.want(1, "a:2");
        updates.settle("a:1", None);
        updates.settle("a:2", Some("{}"));
        assert_eq!(updates.word("a:1").await, Ok(()));
        assert_eq!(updates.word("a:2").await, Err("{}".into()));
        assert_eq!(updates.wanted().len(), 1);
        updates.start_over();
        assert_eq!(updates.wanted().len(), 2);
        updates.unwant(1, "a:2");
        assert_eq!(updates.word("a:2").await, Err("".into()));
    }

    #[test]
    fn what_two_gateways_want_ends_with_the_last() {
        let updates = Updates::default();
        updates.want(1, "a:1");
        updates.want(2, "a:1");
        updates.want(2, "a:2");
        updates.settle("a:1", None);
        updates.unwant(1, "a:1");
        assert!(updates.wanted().len() == 2 && !updates.awaited().contains("a:1"), "its word still stands");
        updates.leave(2);
        assert!(updates.is_empty());
    }
}
