//! Calls in flight on one connection: our id → who waits for the answer, until when.
//!
//! Ids are ours and are never used twice on a connection; the client's id stays with the waiter. An entry is all that a
//! warm call costs here: no task, no channel. It does not know how anything is written.

use crate::wire::message::Outcome;
use crate::wire::unauthorized::Unauthorized;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::time::Instant;

/// Who started a call; 0 is the gateway itself.
pub type Owner = u64;

/// Somebody who waits for one answer.
pub trait Waiter: Send {
    /// Takes the answer. Called once, and nothing after it.
    fn answer(self: Box<Self>, answer: Answer<'_>);
    /// Takes the raw params of a progress notification for this call.
    fn progress(&self, params: &str);
    /// Takes another notification that came because of this call.
    fn notice(&self, method: &str, params: Option<&str>);
    /// Passes a request of the server on to whoever made this call. `false` when there is no way to them.
    fn ask(&self, question: &Question<'_>) -> bool;
    /// The server no longer wants the answer to its question `id` (JSON text).
    fn retract(&self, id: &str) {
        let _ = id;
    }
    /// The session this call belongs to.
    fn owner(&self) -> Owner;
    /// True for a request that is meant to stay open: it counts as no call, and no unreadable answer is taken for its.
    fn is_background(&self) -> bool {
        false
    }
    /// True when the caller knows this call as `id` (JSON text).
    fn is(&self, id: &str) -> bool;
    /// True while it is the caller who has to say something first: the server's patience is not at stake.
    fn waits_for_client(&self) -> bool {
        false
    }
}

/// A request of the other side, with the way to answer it.
pub struct Question<'a> {
    /// The id that the other side gave it, as JSON text; empty for a question that is no request.
    pub id: &'a str,
    /// What is asked for.
    pub method: &'a str,
    /// The params, as JSON text.
    pub params: Option<&'a str>,
    /// Takes the answer: the member `"result":…` or `"error":…`.
    pub reply: Arc<dyn Fn(&str) + Send + Sync>,
}

/// How a call ended.
#[derive(Debug, Clone)]
pub enum Answer<'a> {
    /// The server answered.
    Outcome(Outcome<'a>),
    /// No answer will come.
    Lost(Lost),
}

/// Why no answer will come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// The connection ended; why, in words.
    Closed(Arc<str>),
    /// Nothing came for this long.
    Silent(Duration),
    /// It reported progress and did not finish in this time.
    Endless(Duration),
    /// An answer came and could not be read; why, in words.
    Unreadable(Arc<str>),
    /// The request was not sent; why, in words.
    NotSent(Arc<str>),
    /// The server could not be started; the whole sentence, which names it.
    NotStarted(Arc<str>),
    /// The server wants credentials first.
    Unauthorized(Unauthorized),
    /// What is asked is not as it was approved; the whole sentence, which names the server.
    Held(Arc<str>),
    /// The caller no longer wants it.
    Cancelled,
}

/// Why a call was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotAccepted {
    /// This many calls are in flight already.
    Full(usize),
    /// The connection has ended; why, in words.
    Closed(Arc<str>),
}

/// How long a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Longest time without an answer or progress.
    pub idle: Duration,
    /// Longest time in all.
    pub longest: Duration,
}

impl Patience {
    /// The same time for both: progress changes nothing.
    #[must_use]
    pub fn flat(time: Duration) -> Self {
        Self { idle: time, longest: time }
    }
}

/// A call whose patience has ended.
pub struct Expired {
    /// Our id of it.
    pub id: u64,
    /// What its caller is told.
    pub lost: Lost,
    /// Who waits.
    pub waiter: Box<dyn Waiter>,
}

/// The table of one connection.
pub struct Pending {
    table: Mutex<Table>,
    limit: usize,
}

struct Table {
    calls: HashMap<u64, Entry>,
    next: u64,
    /// Calls of clients that were answered.
    answered: u64,
    closed: Option<Arc<str>>,
}

struct Entry {
    waiter: Box<dyn Waiter>,
    idle: Duration,
    longest: Duration,
    /// When the server must have said something.
    deadline: Instant,
    /// When the answer must be there.
    end: Instant,
}

impl Entry {
    fn renew(&mut self, now: Instant) {
        self.deadline = (now + self.idle).min(self.end);
    }

    fn lost(&self) -> Lost {
        match self.deadline < self.end || self.idle == self.longest {
            true => Lost::Silent(self.idle),
            false => Lost::Endless(self.longest),
        }
    }
}

impl Table {
    /// Calls in flight, without those in the background.
    fn count(&self) -> usize {
        self.calls.values().filter(|entry| !entry.waiter.is_background()).count()
    }

    /// The call of `owner` that a message most likely belongs to: the newest, but not one whose server has nothing to say
    /// because it waits for the client.
    fn likeliest_of(&self, owner: Owner) -> Option<&dyn Waiter> {
        let theirs = self.calls.iter().filter(|(_, entry)| entry.waiter.owner() == owner);
        let likeliest = theirs.max_by_key(|(id, entry)| (!entry.waiter.waits_for_client(), **id));
        likeliest.map(|(_, entry)| &*entry.waiter)
    }
}

impl Pending {
    /// A table for at most `limit` calls at once.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { table: Mutex::new(Table { calls: HashMap::new(), next: 1, answered: 0, closed: None }), limit }
    }

    /// Registers a waiter before its request is written, and returns the id to write.
    ///
    /// # Errors
    /// Gives the waiter back with the reason when the table is full or closed.
    pub fn insert(
        &self,
        waiter: Box<dyn Waiter>,
        patience: Patience,
    ) -> Result<u64, (Box<dyn Waiter>, NotAccepted)> {
        let mut table = self.lock();
        if let Some(reason) = &table.closed {
            return Err((waiter, NotAccepted::Closed(Arc::clone(reason))));
        }
        // What stays open counts as no call; counted only where it matters.
        if table.calls.len() >= self.limit && !waiter.is_background() && table.count() >= self.limit {
            return Err((waiter, NotAccepted::Full(self.limit)));
        }
        let id = table.next;
        table.next += 1;
        let (now, Patience { idle, longest }) = (Instant::now(), patience);
        let (deadline, end) = (now + idle.min(longest), now + longest);
        table.calls.insert(id, Entry { waiter, idle, longest, deadline, end });
        Ok(id)
    }

    /// Removes the waiter of an answer that the server gave. `None` for an id that is not (or no longer) in flight.
    pub fn take_answered(&self, id: u64) -> Option<Box<dyn Waiter>> {
        let mut table = self.lock();
        let waiter = table.calls.remove(&id)?.waiter;
        // The gateway's own calls say nothing of how those of clients fare.
        table.answered += u64::from(waiter.owner() != 0);
        Some(waiter)
    }

    /// Removes the waiter of a call that will get another answer. `None` for an id that is not (or no longer) in flight.
    pub fn take(&self, id: u64) -> Option<Box<dyn Waiter>> {
        self.lock().calls.remove(&id).map(|entry| entry.waiter)
    }

    /// How many calls of clients were answered so far.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.lock().answered
    }

    /// True once the server answered a call that was not the gateway's own.
    #[must_use]
    pub fn has_served(&self) -> bool {
        self.answered() != 0
    }

    /// True once no more calls are accepted.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.lock().closed.is_some()
    }

    /// True for an id that was given out at some time.
    #[must_use]
    pub fn has_issued(&self, id: u64) -> bool {
        (1..self.lock().next).contains(&id)
    }

    /// How many ids were given out so far.
    #[must_use]
    pub fn issued(&self) -> u64 {
        self.lock().next - 1
    }

    /// Removes the call that `owner` knows as `call`, and tells our id of it.
    pub fn take_of(&self, owner: Owner, call: &str) -> Option<(u64, Box<dyn Waiter>)> {
        let mut table = self.lock();
        let found =
            table.calls.iter().find(|(_, entry)| entry.waiter.owner() == owner && entry.waiter.is(call));
        let id = *found?.0;
        table.calls.remove(&id).map(|entry| (id, entry.waiter))
    }

    /// The only call in flight, if there is exactly one: the owner of an answer whose id cannot be read.
    pub fn take_only(&self) -> Option<Box<dyn Waiter>> {
        let mut table = self.lock();
        let mut calls = table.calls.iter().filter(|(_, entry)| !entry.waiter.is_background());
        let id = *calls.next()?.0;
        if calls.next().is_some() {
            return None;
        }
        drop(calls);
        table.calls.remove(&id).map(|entry| entry.waiter)
    }

    /// Tells the waiter of `id` about progress and starts its patience anew, but for the longest time in all. After the
    /// answer nobody is told.
    pub fn progress(&self, id: u64, params: &str) {
        if let Some(entry) = self.lock().calls.get_mut(&id) {
            entry.renew(Instant::now());
            entry.waiter.progress(params);
        }
    }

    /// Removes the calls whose patience has ended.
    #[must_use]
    pub fn expired(&self) -> Vec<Expired> {
        let now = Instant::now();
        let mut table = self.lock();
        if table.calls.values().all(|entry| entry.deadline > now) {
            return Vec::new();
        }
        let over = table.calls.extract_if(|_, entry| {
            if entry.deadline > now {
                return false;
            }
            // A person may take long, and the server gets its whole time after that.
            let waits = entry.end > now && entry.waiter.waits_for_client();
            if waits {
                entry.renew(now);
            }
            !waits
        });
        over.map(|(id, entry)| Expired { id, lost: entry.lost(), waiter: entry.waiter }).collect()
    }

    /// Removes every call and accepts no more; `reason` is told to those who come later.
    #[must_use]
    pub fn close(&self, reason: &Arc<str>) -> Vec<Box<dyn Waiter>> {
        let mut table = self.lock();
        table.closed.get_or_insert_with(|| Arc::clone(reason));
        table.calls.drain().map(|(_, entry)| entry.waiter).collect()
    }

    /// Calls in flight, without those in the background.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().count()
    }

    /// True when nothing is in flight.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The session that all calls in flight belong to, if it is one and the same; the gateway's own calls do not count.
    #[must_use]
    pub fn sole_owner(&self) -> Option<Owner> {
        let table = self.lock();
        let mut owners = table.calls.values().map(|entry| entry.waiter.owner()).filter(|owner| *owner != 0);
        let first = owners.next()?;
        owners.all(|owner| owner == first).then_some(first)
    }

    /// The owner of the call `id`, when it is in flight and somebody's.
    #[must_use]
    pub fn owner_of(&self, id: u64) -> Option<Owner> {
        self.lock().calls.get(&id).map(|entry| entry.waiter.owner()).filter(|owner| *owner != 0)
    }

    /// As [`Pending::sole_owner`], of the calls that do not wait for their client: they have asked already.
    #[must_use]
    pub fn sole_active_owner(&self) -> Option<Owner> {
        let table = self.lock();
        let active = table.calls.values().filter(|entry| !entry.waiter.waits_for_client());
        let mut owners = active.map(|entry| entry.waiter.owner()).filter(|owner| *owner != 0);
        let first = owners.next()?;
        owners.all(|owner| owner == first).then_some(first)
    }

    /// Tells the call `id` about a notification that came because of it. `false` when it is not in flight.
    pub fn notice_call(&self, id: u64, method: &str, params: Option<&str>) -> bool {
        self.lock().calls.get(&id).map(|entry| entry.waiter.notice(method, params)).is_some()
    }

    /// Passes a question on through the call `id`. `false` when nobody takes it.
    pub fn ask_call(&self, id: u64, question: &Question<'_>) -> bool {
        self.lock().calls.get(&id).is_some_and(|entry| entry.waiter.ask(question))
    }

    /// Tells one call of `owner` about a notification that came because of it. `false` when it has none in flight.
    pub fn notice(&self, owner: Owner, method: &str, params: Option<&str>) -> bool {
        self.lock().likeliest_of(owner).map(|waiter| waiter.notice(method, params)).is_some()
    }

    /// Takes the question `id` of the server back, through whichever call it went.
    pub fn retract(&self, id: &str) {
        self.lock().calls.values().for_each(|entry| entry.waiter.retract(id));
    }

    /// Passes a question on through one call of `owner`. `false` when nobody takes it.
    pub fn ask(&self, owner: Owner, question: &Question<'_>) -> bool {
        self.lock().likeliest_of(owner).is_some_and(|waiter| waiter.ask(question))
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody(Owner);
    impl Waiter for Nobody {
        fn answer(self: Box<Self>, _: Answer<'_>) {}
        fn progress(&self, _: &str) {}
        fn notice(&self, _: &str, _: Option<&str>) {}
        fn ask(&self, _: &Question<'_>) -> bool {
            false
        }
        fn owner(&self) -> Owner {
            self.0
        }
        fn is(&self, _: &str) -> bool {
            false
        }
    }

    fn insert(pending: &Pending, owner: Owner, seconds: u64) -> Result<u64, NotAccepted> {
        let patience = Patience { idle: Duration::from_secs(seconds), longest: Duration::from_secs(100) };
        pending.insert(Box::new(Nobody(owner)), patience).map_err(|(_, why)| why)
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends_and_progress_renews_it() {
        let pending = Pending::new(9);
        let (short, long) = (insert(&pending, 1, 5).unwrap(), insert(&pending, 1, 50).unwrap());
        tokio::time::advance(Duration::from_secs(4)).await;
        pending.progress(short, "{}");
        tokio::time::advance(Duration::from_secs(4)).await;
        assert!(pending.expired().is_empty());
        tokio::time::advance(Duration::from_secs(2)).await;
        let expired = pending.expired();
        assert_eq!(expired.iter().map(|call| call.id).collect::<Vec<_>>(), [short]);
        assert_eq!(expired[0].lost, Lost::Silent(Duration::from_secs(5)));
        assert!(pending.take(short).is_none() && pending.take(long).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn progress_renews_patience_up_to_the_longest_time() {
        let pending = Pending::new(9);
        let id = insert(&pending, 1, 30).unwrap();
        for _ in 0..9 {
            tokio::time::advance(Duration::from_secs(11)).await;
            pending.progress(id, "{}");
            assert!(pending.expired().is_empty());
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        let expired = pending.expired();
        assert_eq!(expired.len(), 1);
        assert_eq!(expired[0].lost, Lost::Endless(Duration::from_secs(100)));
    }

    #[tokio::test]
    async fn only_answers_to_clients_are_counted() {
        let pending = Pending::new(9);
        let ids = [0, 1, 1].map(|owner| insert(&pending, owner, 5).unwrap());
        assert!(pending.take_answered(ids[0]).is_some() && pending.take(ids[1]).is_some());
        assert_eq!(pending.answered(), 0);
        assert!(pending.take_answered(ids[2]).is_some());
        assert_eq!(pending.answered(), 1);
    }

    #[tokio::test]
    async fn a_full_or_closed_table_gives_the_waiter_back() {
        let pending = Pending::new(1);
        assert_eq!(insert(&pending, 1, 5), Ok(1));
        assert_eq!(insert(&pending, 1, 5), Err(NotAccepted::Full(1)));
        assert_eq!(pending.close(&"it exited".into()).len(), 1);
        assert_eq!(insert(&pending, 1, 5), Err(NotAccepted::Closed("it exited".into())));
    }

    #[tokio::test]
    async fn one_owner_is_told_from_many() {
        let pending = Pending::new(9);
        assert_eq!(pending.sole_owner(), None);
        insert(&pending, 0, 5).unwrap();
        insert(&pending, 7, 5).unwrap();
        insert(&pending, 7, 5).unwrap();
        assert_eq!(pending.sole_owner(), Some(7));
        insert(&pending, 8, 5).unwrap();
        assert_eq!(pending.sole_owner(), None);
    }
}
