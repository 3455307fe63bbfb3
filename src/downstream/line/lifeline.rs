//! What keeps a connection of lines over the network alive: the task that reads and the task that writes.
//!
//! It starts nothing and knows no transport.

use crate::config::model::StopGrace;
use crate::downstream::connect::BoxFuture;
use crate::downstream::connect::Lifeline;
use crate::downstream::line::LineLink;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long what is queued may take to go out at the end.
const LAST_MOMENTS: Duration = Duration::from_millis(500);

/// Owns the two tasks of one connection: dropping it ends them.
pub struct LineLifeline {
    link: Arc<LineLink>,
    reading: JoinSet<Arc<str>>,
    writing: JoinSet<()>,
    how: Option<Arc<str>>,
}

impl LineLifeline {
    /// Starts both. `reading` resolves with how the connection ended, `writing` when everything was sent.
    pub fn start(
        link: &Arc<LineLink>,
        read: impl Future<Output = Arc<str>> + Send + 'static,
        write: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        let (mut reading, mut writing) = (JoinSet::new(), JoinSet::new());
        reading.spawn(read);
        writing.spawn(write);
        Self { link: Arc::clone(link), reading, writing, how: None }
    }
}

impl Lifeline for LineLifeline {
    fn ended(&mut self) -> BoxFuture<'_, Arc<str>> {
        Box::pin(async move {
            if let Some(how) = &self.how {
                return Arc::clone(how);
            }
            let how = match self.reading.join_next().await {
                Some(Ok(how)) => how,
                _ => "closed the connection".into(),
            };
            self.link.close(&how);
            self.how = Some(Arc::clone(&how));
            how
        })
    }

    fn stop(mut self: Box<Self>, _: StopGrace) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.link.close(&"was stopped".into());
            let _ = timeout(LAST_MOMENTS, self.writing.join_next()).await;
            self.writing.shutdown().await;
            self.reading.shutdown().await;
        })
    }

    fn pid(&self) -> Option<u32> {
        None
    }

    fn last_words(&self) -> Vec<String> {
        Vec::new()
    }
}
