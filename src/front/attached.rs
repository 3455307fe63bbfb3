//! The front for clients that share this gateway: each comes through a pipe of its own, and says hello where only the user of
//! this process can come.
//!
//! What they say is `share/hello.rs`; their messages go the way of `stdio.rs`. It does not know which gateway a client gets:
//! see [`Hosts`].

use crate::auth::caller::Caller;
use crate::config::file_lock;
use crate::config::file_lock::Lock;
use crate::front::course::Course;
use crate::front::stdio::Client;
use crate::front::stdio::Leave;
use crate::gateway::Gateway;
use crate::secret::hex::random;
use crate::share::attach::owner;
use crate::share::hello::ASK;
use crate::share::hello::Attach;
use crate::share::hello::End;
use crate::share::hello::Hello;
use crate::share::hello::LINK;
use crate::share::hello::LONGEST;
use crate::share::hello::Last;
use crate::share::hello::Mark;
use crate::share::hello::Welcome;
use crate::share::hello::Wish;
use crate::share::hello::Word;
use crate::share::link::Guest;
use crate::share::link::Knock;
use crate::share::link::Listener;
use crate::share::place::Place;
use crate::telemetry::throttle::Pass;
use crate::telemetry::throttle::Throttle;
use serde::de::IgnoredAny;
use std::any::Any;
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long somebody who comes may take to say hello.
const GREETING: Duration = Duration::from_secs(10);
/// How long a gateway for one client waits for it.
const SOON: Duration = Duration::from_secs(5);
/// Between two looks whether calls are in flight.
const STEP: Duration = Duration::from_millis(10);

/// The gateways of this process.
pub trait Hosts: Send + Sync {
    /// A seat for a client that works in `folder` and has these variables; `caller` is the one that it wants to be.
    ///
    /// # Errors
    /// Why there is none, for the person at the client.
    fn seat(
        &self,
        folder: PathBuf,
        vars: Vec<(String, String)>,
        caller: Option<&str>,
    ) -> Result<Seat, String>;
    /// The state of everything, as JSON.
    fn status(&self) -> String;
    /// True while a call is in flight. Open subscriptions are none.
    fn is_busy(&self) -> bool;
    /// Has the file read again.
    fn reload(&self);
    /// How long to stay without clients.
    fn linger(&self) -> Duration;
    /// Why it is not to be shared any more.
    fn alone(&self) -> Option<String>;
}

/// A place at a gateway. It is given back by dropping it.
pub struct Seat {
    /// The gateway.
    pub gateway: Gateway,
    /// Who the client is.
    pub caller: Caller,
    /// Says that the client belongs elsewhere: it is to come again.
    pub moves: CancellationToken,
    /// What lives as long as the client is here.
    pub held: Box<dyn Any + Send>,
}

/// A meeting place that listens and serves nobody yet: clients can come and wait.
pub struct Meeting {
    listener: Listener,
    lock: Lock,
    terms: Terms,
}

/// How a meeting is held.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// Where the gateway logs, to tell those who come.
    pub log: Option<PathBuf>,
    /// A person started the process for something else too: it does not end for a wish.
    pub in_foreground: bool,
    /// It is for one client, whether or not the file wants sharing, and ends soon after it.
    pub for_one: bool,
}

/// Opens the meeting place; `None` when another gateway has it.
///
/// # Errors
/// When the socket or the lock cannot be made.
pub fn open(place: &Place, user: u32, terms: Terms) -> io::Result<Option<Meeting>> {
    let Some(lock) = file_lock::take(&place.lock(), &owner())? else { return Ok(None) };
    let listener = Listener::open(place, user)?;
    Ok(Some(Meeting { listener, lock, terms }))
}

/// All who are here.
struct Room {
    hosts: Arc<dyn Hosts>,
    clients: Mutex<HashMap<String, Arc<Course>>>,
    /// How many clients there are.
    count: watch::Sender<usize>,
    /// Why it ends, once it does.
    end: watch::Sender<Option<End>>,
    /// The program that takes its place, if somebody said so.
    next: OnceLock<PathBuf>,
    /// Clients read no more.
    leave: CancellationToken,
    terms: Terms,
}

/// One client, as long as it is here, however that ends.
struct Present<'a> {
    room: &'a Room,
    token: String,
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        let mut clients = self.room.lock();
        clients.remove(&self.token);
        self.room.count.send_replace(clients.len());
    }
}

impl Meeting {
    /// Serves clients until `shutdown`, a wish, or nobody has been there for a while. `true` when the process has nothing
    /// more to do.
    pub async fn run(self, hosts: Arc<dyn Hosts>, shutdown: CancellationToken) -> bool {
        let Self { listener, lock, terms } = self;
        let room = Arc::new(Room {
            hosts,
            clients: Mutex::default(),
            count: watch::Sender::new(0),
            end: watch::Sender::new(None),
            next: OnceLock::new(),
            leave: CancellationToken::new(),
            terms,
        });
        let (mut tasks, mut refusals) = (JoinSet::new(), Throttle::new(1));
        let wished = loop {
            tokio::select! {
                came = listener.accept() => match came {
                    Ok(knock) => {
                        while tasks.try_join_next().is_some() {}
                        tasks.spawn(Arc::clone(&room).receive(knock));
                    }
                    Err(error) => {
                        if let Pass::Yes { .. } = refusals.ask(Instant::now()) {
                            tracing::warn!(%error, "nobody can attach for now");
                        }
                        sleep(STEP).await;
                    }
                },
                () = room.is_ending() => break true,
                () = room.is_deserted() => break true,
                () = shutdown.cancelled() => break false,
            }
        };
        // First of all: whoever comes now starts the next one.
        drop(listener);
        drop(lock);
        room.end.send_if_modified(|end| end.replace(end.unwrap_or(End::Stop)).is_none());
        room.leave.cancel();
        while tasks.join_next().await.is_some() {}
        wished
    }
}

impl Room {
    async fn receive(self: Arc<Self>, knock: Knock) {
        let Ok(Some(stream)) = timeout(GREETING, knock.admit()).await else {
            tracing::warn!("a process of another user tried to attach and was turned away");
            return;
        };
        let mut stream = BufReader::new(stream);
        let hello = tokio::select! {
            hello = timeout(GREETING, read_hello(&mut stream)) => hello,
            // Who has not said hello by now is served by the next one.
            () = self.leave.cancelled() => return answer(stream.get_mut(), &Welcome::Ending).await,
        };
        let hello = match hello {
            Ok(Ok(hello)) => hello,
            Ok(Err(why)) => return answer(stream.get_mut(), &Welcome::Alone { why }).await,
            Err(_) => return,
        };
        if self.leave.is_cancelled() {
            return answer(stream.get_mut(), &Welcome::Ending).await;
        }
        match hello.wish {
            Wish::Attach(attach) => self.attach(stream.into_inner(), *attach).await,
            Wish::Watch { token } => self.watch(stream.into_inner(), &token).await,
            Wish::Status => tell(stream.get_mut(), self.hosts.status()).await,
            Wish::Reload => {
                self.hosts.reload();
                tell(stream.get_mut(), String::new()).await;
            }
            Wish::Stop => self.finish(stream.get_mut(), End::Stop, false, None).await,
            Wish::Restart { when_idle, binary } => {
                self.finish(stream.get_mut(), End::Again, when_idle, binary).await;
            }
        }
    }

    async fn attach(&self, mut stream: Guest, attach: Attach) {
        if let Some(why) = self.hosts.alone().filter(|_| !self.terms.for_one) {
            return answer(&mut stream, &Welcome::Alone { why }).await;
        }
        let seat = match self.hosts.seat(attach.folder, attach.vars, attach.caller.as_deref()) {
            Ok(seat) => seat,
            Err(why) => return answer(&mut stream, &Welcome::Refused { why }).await,
        };
        let Some(token) = token() else {
            return answer(&mut stream, &Welcome::Refused { why: "there is no randomness".into() }).await;
        };
        let mut client = Client::open(seat.gateway.clone(), seat.caller.clone(), "shared");
        let course = client.follow(attach.turn, &attach.again);
        let _present = self.enter(token.clone(), course);
        let drain = seat.gateway.config().settings.drain_timeout;
        let welcome = Welcome::Come {
            link: LINK,
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            log: self.terms.log.clone(),
            token,
            drain_ms: u64::try_from(drain.as_millis()).unwrap_or(u64::MAX),
            knows_callers: true,
        };
        answer(&mut stream, &welcome).await;
        let (reader, writer) = stream.into_split();
        client.run(reader, writer, Leave { now: self.leave.clone(), soon: seat.moves.clone() }).await;
    }

    fn enter(&self, token: String, course: Arc<Course>) -> Present<'_> {
        let mut clients = self.lock();
        clients.insert(token.clone(), course);
        self.count.send_replace(clients.len());
        Present { room: self, token }
    }

    /// Tells a pipe how far its client has come.
    async fn watch(&self, mut stream: Guest, token: &str) {
        let Some(course) = self.lock().get(token).cloned() else {
            return answer(&mut stream, &Welcome::Refused { why: "there is no such client".into() }).await;
        };
        tell(&mut stream, String::new()).await;
        let mut asked = [0];
        loop {
            tokio::select! {
                read = stream.read(&mut asked) => match read {
                    Ok(1) if asked[0] == ASK => {
                        write(&mut stream, Word::Checkpoint(Mark::from(&course.checkpoint())).line()).await;
                    }
                    // Its process has ended: a pipe that only hears no more of its client listens on.
                    _ => return course.gone().cancel(),
                },
                (last, cut) = course.ended() => {
                    // A client that moves comes again, too.
                    let next = (*self.end.borrow()).unwrap_or(End::Again);
                    let why = if cut { End::Cut } else { next };
                    let next = self.next.get().cloned();
                    return write(&mut stream, Word::End(Last { why, last, next }).line()).await;
                }
            }
        }
    }

    /// Ends the meeting for a wish, with `when_idle` not before a moment without calls.
    async fn finish(&self, stream: &mut Guest, why: End, when_idle: bool, next: Option<PathBuf>) {
        if self.terms.in_foreground {
            let why = format!(
                "it serves HTTP, too, and was started by somebody for that: end the process {} there",
                std::process::id()
            );
            return answer(stream, &Welcome::Refused { why }).await;
        }
        let mut more = [0];
        while when_idle && self.hosts.is_busy() {
            tokio::select! {
                () = sleep(STEP) => {}
                // Who asked for it waits no more.
                _ = stream.read(&mut more) => return,
            }
        }
        if let Some(next) = next {
            let _ = self.next.set(next);
        }
        self.end.send_replace(Some(why));
        tell(stream, std::process::id().to_string()).await;
    }

    async fn is_ending(&self) {
        let _ = self.end.subscribe().wait_for(Option::is_some).await;
    }

    /// Nobody has been here for as long as the file says.
    async fn is_deserted(&self) {
        if self.terms.in_foreground {
            return std::future::pending().await;
        }
        let mut count = self.count.subscribe();
        loop {
            if count.wait_for(|count| *count == 0).await.is_err() {
                return;
            }
            let linger = if self.terms.for_one { SOON } else { self.hosts.linger() };
            tokio::select! {
                () = sleep(linger) => return,
                _ = count.wait_for(|count| *count > 0) => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Course>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read_hello(stream: &mut BufReader<Guest>) -> Result<Hello, String> {
    let mut line = Vec::new();
    let limit = LONGEST as u64;
    stream.take(limit).read_until(b'\n', &mut line).await.map_err(|error| error.to_string())?;
    let own = env!("CARGO_PKG_VERSION");
    let strange = |_| format!("the gateway is version {own} and does not understand this one");
    // What a later version wants may be unknown here; who it is can be read.
    let Hello { links, version, .. } = serde_json::from_slice::<Hello<IgnoredAny>>(&line).map_err(strange)?;
    if !(links.0..=links.1).contains(&LINK) {
        return Err(format!(
            "the gateway is version {own}, which speaks another link than version {version}"
        ));
    }
    serde_json::from_slice(&line).map_err(strange)
}

async fn tell(stream: &mut Guest, text: String) {
    answer(stream, &Welcome::Told { text }).await;
}

async fn answer(stream: &mut Guest, welcome: &Welcome) {
    write(stream, serde_json::to_string(welcome).unwrap_or_default()).await;
}

/// Who does not read it has left, and is noticed there.
async fn write(stream: &mut Guest, mut line: String) {
    line.push('\n');
    if let Err(error) = stream.write_all(line.as_bytes()).await {
        tracing::debug!(%error, "somebody who came has left");
    }
}

/// What only the pipe of one client knows: 32 hex digits.
fn token() -> Option<String> {
    random::<16>()
}
