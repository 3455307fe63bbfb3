//! What keeps a line connection alive: its tasks, and the child behind it.

use crate::config::model::StopGrace;
use crate::downstream::connect::BoxFuture;
use crate::downstream::connect::Lifeline;
use crate::downstream::error::words;
use crate::downstream::line::LineLink;
use crate::downstream::link::Listener;
use crate::downstream::process::ChildTree;
use crate::downstream::process::Spawned;
use crate::downstream::process::StderrRing;
use crate::downstream::process::drain;
use crate::downstream::process::reaper::Entry;
use crate::downstream::process::reaper::Reaper;
use crate::downstream::stdio::read_from;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::process::ChildStderr;
use tokio::process::ChildStdin;
use tokio::process::ChildStdout;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio::time::timeout;
use tokio::time::timeout_at;

/// After a child closed its stdout: how long its exit is waited for, to say how it ended. And the other way round: how
/// long its last answers are read after it ended.
const LAST_MOMENTS: Duration = Duration::from_millis(500);
/// Lines of stderr that errors quote.
const QUOTED_LINES: usize = 5;

/// A child behind a line connection.
pub struct Child {
    tree: ChildTree,
    stderr: StderrRing,
    stderr_pipe: Option<ChildStderr>,
    /// Taken off the reaper's list when the tree is gone: fields are dropped in this order.
    _recorded: Option<Entry>,
}

impl Child {
    /// Takes a fresh child apart into its pipes and the rest, and puts it on the list of `reaper`.
    #[must_use]
    pub fn take(spawned: Spawned, reaper: Option<&Reaper>) -> (ChildStdout, ChildStdin, Self) {
        let Spawned { stdin, stdout, child, stderr, stderr_pipe } = spawned;
        let recorded = reaper.map(|reaper| reaper.record(child.pid()));
        (stdout, stdin, Self { tree: child, stderr, stderr_pipe: Some(stderr_pipe), _recorded: recorded })
    }
}

/// Owns the tasks and the child of one line connection.
pub struct StdioLifeline {
    link: Arc<LineLink>,
    reading: JoinSet<Option<&'static str>>,
    writing: JoinSet<()>,
    draining: JoinSet<()>,
    child: Option<Child>,
    /// What it had taken and said when it was last looked at, and since when there is no more.
    stalled: Option<((u64, u64), Instant)>,
    /// Until when the second sign of the end is waited for, once the first one came.
    last_moment: Option<Instant>,
    /// Why it is no longer read although it goes on writing.
    given_up: Option<&'static str>,
    how: Option<Arc<str>>,
}

impl StdioLifeline {
    pub(super) fn start<R, W>(
        link: &Arc<LineLink>,
        listener: &Arc<dyn Listener>,
        reader: R,
        writer: W,
        mut child: Option<Child>,
    ) -> Self
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let (mut reading, mut writing, mut draining) = (JoinSet::new(), JoinSet::new(), JoinSet::new());
        reading.spawn(read_from(reader, Arc::clone(link), Arc::clone(listener)));
        let outbox = Arc::clone(link.outbox());
        writing.spawn(async move {
            // A failed write means the server is gone; the reader and the child say how.
            let _ = outbox.write_to(writer).await;
        });
        if let Some(child) = &mut child
            && let Some(pipe) = child.stderr_pipe.take()
        {
            draining.spawn(drain(pipe, child.stderr.clone()));
        }
        let link = Arc::clone(link);
        let (stalled, last_moment, given_up, how) = (None, None, None, None);
        Self { link, reading, writing, draining, child, stalled, last_moment, given_up, how }
    }

    /// The longest time that a server may leave its stdin alone and say nothing, if that is over. It is looked at whenever
    /// somebody begins to wait.
    fn stuck(&mut self) -> Option<Duration> {
        let at = self.link.blocked_at();
        let begun = self.stalled.filter(|(before, _)| Some(*before) == at);
        self.stalled = begun.or_else(|| at.map(|at| (at, Instant::now())));
        self.link.stuck_after().filter(|longest| begun.is_some_and(|(_, since)| since.elapsed() >= *longest))
    }

    async fn wait(&mut self) -> Arc<str> {
        if let Some(how) = &self.how {
            return Arc::clone(how);
        }
        let how = match (self.stuck(), &mut self.child) {
            (Some(longest), _) => {
                // What waits for it can be much, and nobody will read it.
                self.link.outbox().abandon();
                self.writing.abort_all();
                format!("neither read its stdin nor said anything for {} s", longest.as_secs_f32())
            }
            (None, None) => {
                let ended = self.reading.join_next().await;
                ended.and_then(Result::ok).flatten().unwrap_or("closed the connection").to_owned()
            }
            (None, Some(child)) => {
                let (reading, tree) = (&mut self.reading, &mut child.tree);
                tokio::select! {
                    _ = tree.wait() => {}
                    ended = reading.join_next() => self.given_up = ended.and_then(Result::ok).flatten().or(self.given_up),
                }
                // Set once: who waits lets go now and then and comes back.
                let until = *self.last_moment.get_or_insert_with(|| Instant::now() + LAST_MOMENTS);
                let both = async {
                    reading.join_next().await;
                    tree.wait().await;
                };
                let _ = timeout_at(until, both).await;
                let how = match timeout(Duration::ZERO, tree.wait()).await {
                    Ok(exit) => exit.to_string(),
                    Err(_) => self.given_up.unwrap_or("closed its stdout").to_owned(),
                };
                let _ = timeout(LAST_MOMENTS / 5, self.draining.join_next()).await;
                how
            }
        };
        let reason: Arc<str> = format!("{how}{}", words(&self.last_words())).into();
        self.link.close(&reason);
        self.how = Some(Arc::clone(&reason));
        how.into()
    }
}

impl Lifeline for StdioLifeline {
    fn ended(&mut self) -> BoxFuture<'_, Arc<str>> {
        Box::pin(self.wait())
    }

    fn stop(mut self: Box<Self>, grace: StopGrace) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.link.close(&"was stopped".into());
            // What is queued goes out first; then stdin closes with the writer. A server that does not read is not waited for.
            let _ = timeout(LAST_MOMENTS, self.writing.join_next()).await;
            self.writing.shutdown().await;
            if let Some(child) = &mut self.child {
                child.tree.stop(grace).await;
            }
            self.reading.shutdown().await;
            self.draining.shutdown().await;
        })
    }

    fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(|child| child.tree.pid())
    }

    fn last_words(&self) -> Vec<String> {
        self.child.as_ref().map(|child| child.stderr.last_lines(QUOTED_LINES)).unwrap_or_default()
    }

    fn stderr(&self) -> Option<StderrRing> {
        self.child.as_ref().map(|child| child.stderr.clone())
    }
}
