//! The tasks of a connection. One makes a call after the other, since making a task costs more than waking one; with a
//! call that is cancelled its task ends.
//!
//! It does not know what a call does: that is `talk.rs`.

use crate::downstream::http::parcel::Asked;
use crate::downstream::http::parcel::Parcel;
use crate::downstream::http::talk::Talk;
use crate::downstream::link::Link;
use crate::wire::guard::unharmed;
use crate::wire::pending::Lost;
use std::collections::HashMap;
use std::future::Future;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::Weak;
use std::task::Poll;
use std::task::Waker;
use tokio::task::AbortHandle;
use tokio::task::JoinSet;

/// Most tasks that wait for a call.
const MOST_IDLE: usize = 64;

/// The tasks, which end with this.
#[derive(Default)]
pub struct Crew(Mutex<Table>);

#[derive(Default)]
struct Table {
    tasks: JoinSet<()>,
    /// Who makes which call.
    busy: HashMap<u64, Arc<Worker>>,
    idle: Vec<Arc<Worker>>,
    closed: bool,
}

/// A call to be made.
pub struct Job {
    /// The connection it is made on.
    pub link: Arc<dyn Link>,
    /// Which call.
    pub asked: Asked,
    /// What is sent.
    pub parcel: Box<Parcel>,
}

/// One task, seen from outside.
#[derive(Default)]
struct Worker {
    desk: Mutex<Desk>,
    task: OnceLock<AbortHandle>,
}

#[derive(Default)]
struct Desk {
    job: Option<Job>,
    waker: Option<Waker>,
}

impl Crew {
    /// Makes a call; after the end none is made any more.
    pub fn call(self: &Arc<Self>, talk: &Arc<Talk>, job: Job) {
        let mut table = self.lock();
        if table.closed {
            return;
        }
        if let Some(worker) = table.idle.pop() {
            table.busy.insert(job.asked.id, Arc::clone(&worker));
            drop(table);
            return worker.give(job);
        }
        let worker = Arc::new(Worker::default());
        table.busy.insert(job.asked.id, Arc::clone(&worker));
        worker.give(job);
        let task = table.spawn(work(Arc::downgrade(self), Arc::clone(talk), Arc::clone(&worker)));
        // Nobody else sets it.
        let _ = worker.task.set(task);
    }

    /// Starts any other task; after the end nothing is started any more.
    pub fn start(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut table = self.lock();
        if !table.closed {
            table.spawn(task);
        }
    }

    /// Ends the call `id` where it is; `false` when it is not being made.
    #[must_use]
    pub fn abort(&self, id: u64) -> bool {
        let worker = self.lock().busy.remove(&id);
        let task = worker.as_ref().and_then(|worker| worker.task.get());
        task.map(AbortHandle::abort).is_some()
    }

    /// Ends everything at once. The tasks are returned to be waited for.
    pub fn close(&self) -> JoinSet<()> {
        let closed = Table { closed: true, ..Table::default() };
        let Table { mut tasks, .. } = std::mem::replace(&mut *self.lock(), closed);
        tasks.abort_all();
        tasks
    }

    /// Notes that `worker` has made the call `id`. `false` when it is not needed any more.
    fn is_needed(&self, worker: &Arc<Worker>, id: u64) -> bool {
        let mut table = self.lock();
        // A worker that was told to end meanwhile must not get another call.
        let goes_on = table.busy.remove(&id).is_some() && table.idle.len() < MOST_IDLE;
        if goes_on {
            table.idle.push(Arc::clone(worker));
        }
        goes_on
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(task)
    }
}

impl Worker {
    fn give(&self, job: Job) {
        let mut desk = self.lock();
        desk.job = Some(job);
        let waker = desk.waker.take();
        drop(desk);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    async fn next(&self) -> Job {
        poll_fn(|cx| {
            let mut desk = self.lock();
            match desk.job.take() {
                Some(job) => Poll::Ready(job),
                None => {
                    desk.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn work(crew: Weak<Crew>, talk: Arc<Talk>, me: Arc<Worker>) {
    loop {
        let Job { link, asked, parcel } = me.next().await;
        if unharmed("a call", talk.call(&link, asked, parcel)).await.is_none() {
            let why = "sent what this gateway failed to read; this is a bug in the gateway";
            talk.give_up(asked.id, Lost::Closed(why.into()));
        }
        drop(link);
        if crew.upgrade().is_none_or(|crew| !crew.is_needed(&me, asked.id)) {
            return;
        }
    }
}
