//! How far one client has come, so that another gateway can take over where this one ends.
//!
//! It looks and counts; who is told is `attached.rs`.

use crate::gateway::session::Session;
use crate::share::hello::Checkpoint;
use crate::share::kept::Kept;
use crate::wire::batch;
use crate::wire::batch::Gathering;
use crate::wire::message;
use crate::wire::message::Message;
use crate::wire::outbox::Outbox;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::Weak;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// One client on its way.
#[derive(Debug)]
pub struct Course {
    session: Arc<Session>,
    outbox: Arc<Outbox>,
    heard: AtomicU64,
    kept: Mutex<Kept>,
    /// Batches whose answers are gathered, with the ids of their requests.
    batches: Mutex<Vec<(Weak<Gathering>, Vec<String>)>>,
    ended: watch::Sender<Option<(Checkpoint, bool)>>,
    gone: CancellationToken,
}

impl Course {
    /// The course of a client that said `again` before.
    #[must_use]
    pub fn new(session: &Arc<Session>, outbox: &Arc<Outbox>, again: &[String], depth: usize) -> Self {
        Self {
            session: Arc::clone(session),
            outbox: Arc::clone(outbox),
            heard: AtomicU64::new(0),
            batches: Mutex::default(),
            kept: Mutex::new(Kept::of(again.iter().map(String::as_str), depth)),
            ended: watch::Sender::new(None),
            gone: CancellationToken::new(),
        }
    }

    /// So many bytes of the client were taken in, up to the end of a message.
    pub fn heard(&self, bytes: u64) {
        self.heard.store(bytes, Ordering::Relaxed);
    }

    /// The client said this; `line` is all of it.
    pub fn note(&self, message: &Message<'_>, line: &[u8]) {
        // Most messages are calls, which hold for nothing but themselves.
        if let Message::Request { method, .. } | Message::Notification { method, .. } = message
            && method != "tools/call"
            && let Ok(line) = std::str::from_utf8(line)
        {
            self.kept().note(message, line);
        }
    }

    /// The client said a batch, whose answers leave together: until then none of them was given.
    pub fn note_batch(&self, batch: &[u8], gathering: Weak<Gathering>) {
        let entries = batch::split(batch).unwrap_or_default();
        let ids =
            entries.iter().filter_map(|entry| match message::parse(entry.get().as_bytes(), usize::MAX) {
                Ok(Message::Request { id, .. }) => Some(id.get().to_owned()),
                _ => None,
            });
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        batches.retain(|(gathering, _)| gathering.strong_count() > 0);
        batches.push((gathering, ids.collect()));
    }

    /// Ids of requests whose answers are there and wait for those to the rest of their batch.
    fn gathered(&self) -> Vec<String> {
        let batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        let open = batches.iter().filter(|(gathering, _)| gathering.strong_count() > 0);
        open.flat_map(|(_, ids)| ids.clone()).collect()
    }

    /// Where it is now. In this order: what is answered meanwhile is seen in the answers.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        let heard = self.heard.load(Ordering::Relaxed);
        let said = self.outbox.total();
        let [mut open, asked] = self.session.unsettled();
        open.extend(self.gathered());
        open.sort_unstable();
        open.dedup();
        Checkpoint { heard, said, open, asked, again: self.kept().lines() }
    }

    /// Nobody is there any more who could read an answer.
    #[must_use]
    pub fn gone(&self) -> &CancellationToken {
        &self.gone
    }

    /// Nothing more of the client is taken in; `cut` because it does not read.
    pub fn end(&self, cut: bool) {
        self.ended.send_replace(Some((self.checkpoint(), cut)));
    }

    /// Where it was when it ended, once it has, and whether it was cut off.
    pub async fn ended(&self) -> (Checkpoint, bool) {
        let mut ended = self.ended.subscribe();
        let last = ended.wait_for(Option::is_some).await.ok().and_then(|last| last.clone());
        last.unwrap_or_else(|| (self.checkpoint(), false))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
