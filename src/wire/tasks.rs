//! Tasks with an owner: dropping it ends them.

use std::future::Future;
use std::sync::Mutex;
use std::sync::PoisonError;
use tokio::task::JoinSet;

/// A set of tasks that ends with its owner. Finished ones are cleared away with every new one.
#[derive(Debug, Default)]
pub struct Tasks(Mutex<JoinSet<()>>);

impl Tasks {
    /// Starts `task` on the current runtime.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut set = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while set.try_join_next().is_some() {}
        set.spawn(task);
    }

    /// Waits for the end of all that were started up to here.
    pub async fn finished(&self) {
        let set = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        set.join_all().await;
    }

    /// Ends all of them now.
    pub fn abort_all(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}
