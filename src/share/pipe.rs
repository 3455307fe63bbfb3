//! The pipe that a client talks through: bytes from it to the gateway and back, as they come, until one of them ends.
//!
//! When the gateway ends first, the client is attached to the next one and notices at most that calls in flight have failed.
//! Plain threads and blocking calls: it must stay small. It never looks into bytes while the gateway lives.

use crate::share::hello::ASK;
use crate::share::hello::Attach;
use crate::share::hello::End;
use crate::share::hello::Last;
use crate::share::hello::Word;
use crate::share::journal::Journal;
use crate::share::journal::Parting;
use crate::share::link::Stream;
use crate::share::refuse::farewell;
use crate::share::refuse::refusals;
use crate::share::trim::trim;
use memchr::memrchr;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::time::Instant;

/// What is moved at once, in bytes.
const PIECE: usize = 32 << 10;
/// Stack of a thread that moves bytes.
const STACK: usize = 256 << 10;
/// So many gateways may die within [`TROUBLED`] before the client is given up.
const ENDINGS: usize = 5;
const TROUBLED: Duration = Duration::from_secs(30);
/// Shortest time between two times that memory is given back.
const TRIM: Duration = Duration::from_secs(5);
/// Beyond the drain of its calls.
const LAST_WRITES: Duration = Duration::from_secs(3);
/// How long a last word may come after the last byte.
const LAST_WORD: Duration = Duration::from_secs(2);

/// A link to a gateway.
#[derive(Debug)]
pub struct Line {
    /// The bytes of the client and of the gateway.
    pub bytes: Stream,
    /// What is said about them.
    pub words: Stream,
}

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// The client left, or was told everything.
    Done,
    /// The gateway has cut it off, because it did not read.
    Cut,
    /// There is no gateway any more, and none can be had.
    NoGateway(String),
}

/// Finds the next gateway for a client, or says why there is none. The program to start may be given.
pub type Finds<'a> = dyn FnMut(Attach, Option<PathBuf>) -> Result<Line, String> + 'a;

/// One client and its way to the gateway. Clones are the same client.
#[derive(Debug, Clone, Default)]
pub struct Pipe(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// How long the gateway lets calls go on when it is told to end, in milliseconds.
    drain_ms: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    journal: Journal,
    line: Option<Arc<Line>>,
    /// The client has said something and waits for a gateway.
    wanted: bool,
    /// There is no gateway for now: what the client says is kept here, to be refused.
    stranded: Option<Vec<u8>>,
    /// The client says nothing any more.
    ended: bool,
}

/// Where it goes what the client said.
enum Heard {
    /// To this gateway.
    For(Arc<Line>),
    /// Nowhere for now.
    Kept,
    /// Nothing more is to be said.
    Ended,
}

impl Pipe {
    /// Moves bytes until the client leaves. `attach` is what each gateway after the first is told.
    pub fn run(
        &self,
        first: Line,
        input: impl Read + Send + 'static,
        output: &mut impl Write,
        attach: impl Fn() -> Attach,
        find: &mut Finds<'_>,
    ) -> Ended {
        let reading = self.clone();
        // It ends with the process: nothing can wake it while the client says nothing.
        let started = spawn(move || reading.read_client(input));
        if let Err(error) = started {
            return Ended::NoGateway(format!("no thread can be started: {error}"));
        }
        trim();
        let (mut line, mut parting) = (first, Parting::default());
        let (mut turn, mut ends) = (0, Vec::new());
        loop {
            let last = match self.link(line, &parting, output) {
                Ok(last) => last,
                Err(_) => return Ended::Done,
            };
            let (why, last, next) =
                last.map_or((None, None, None), |Last { why, last, next }| (Some(why), Some(last), next));
            parting = {
                let mut state = self.lock();
                std::mem::take(&mut state.journal).part(last, state.ended)
            };
            let words = farewell(&parting);
            if output.write_all(words.as_bytes()).and_then(|()| output.flush()).is_err() {
                return Ended::Done;
            }
            if why == Some(End::Cut) {
                return Ended::Cut;
            }
            // What nobody has looked at needs a gateway, even when it was the last that the client said.
            if parting.unheard.is_empty() && self.is_over(why == Some(End::Stop)) {
                return Ended::Done;
            }
            let now = Instant::now();
            ends.retain(|end: &Instant| now.duration_since(*end) < TROUBLED);
            if why.is_none() {
                ends.push(now);
            }
            let mut outcome = if ends.len() > ENDINGS {
                let count = std::mem::take(&mut ends).len();
                Err(format!("it ended {count} times in a short while"))
            } else {
                turn += 1;
                find(Attach { turn, again: parting.again.clone(), ..attach() }, next)
            };
            line = loop {
                let why = match outcome {
                    Ok(next) => break next,
                    Err(why) => why,
                };
                match self.refuse(&mut parting, &why, output) {
                    Ok(true) => {}
                    Ok(false) => return Ended::NoGateway(why),
                    Err(_) => return Ended::Done,
                }
                turn += 1;
                outcome = find(Attach { turn, again: parting.again.clone(), ..attach() }, None);
            };
            parting.unheard.append(&mut self.lock().stranded.take().unwrap_or_default());
        }
    }

    /// The client says nothing any more: the gateway finishes what it has begun.
    pub fn end_input(&self) {
        let mut state = self.lock();
        state.ended = true;
        if let Some(line) = &state.line {
            let _ = line.bytes.shutdown(Shutdown::Write);
        }
        drop(state);
        self.0.changed.notify_all();
    }

    /// The gateway lets calls go on for so long when the client leaves.
    pub fn may_take(&self, drain: Duration) {
        self.0.drain_ms.store(u64::try_from(drain.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How long a client that has left may take to end.
    #[must_use]
    pub fn patience(&self) -> Duration {
        Duration::from_millis(self.0.drain_ms.load(Ordering::Relaxed)).saturating_add(LAST_WRITES)
    }

    /// True once [`Pipe::end_input`] was called, or the client has said its last.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.lock().ended
    }

    /// One gateway, from the first byte to the last. The error is that the client no longer reads.
    fn link(&self, line: Line, parting: &Parting, output: &mut impl Write) -> io::Result<Option<Last>> {
        let line = Arc::new(line);
        let words = self.listen(&line);
        // What it does not take is in the journal.
        let _ = (&line.bytes).write_all(&parting.unheard);
        {
            let mut state = self.lock();
            state.journal = Journal::new(&parting.unheard, parting.again.clone());
            state.wanted = false;
            if state.ended {
                let _ = line.bytes.shutdown(Shutdown::Write);
            }
            state.line = Some(Arc::clone(&line));
        }
        self.0.changed.notify_all();
        let moved = self.read_gateway(&line, output);
        // It says its last word at the same time; one that died says none, which is heard at once, too.
        let last = words.ok().and_then(|words| words.recv_timeout(LAST_WORD).ok()).flatten();
        self.lock().line = None;
        let _ = line.bytes.shutdown(Shutdown::Both);
        let _ = line.words.shutdown(Shutdown::Both);
        moved.map(|()| last)
    }

    /// From the gateway to the client, in whole messages: one that is cut off is of no use to anybody.
    fn read_gateway(&self, line: &Line, output: &mut impl Write) -> io::Result<()> {
        let (mut piece, mut begun) = (vec![0; PIECE], Vec::new());
        loop {
            let count = match (&line.bytes).read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Ok(()),
            };
            let Some(end) = memrchr(b'\n', &piece[..count]).map(|end| end + 1) else {
                begun.extend_from_slice(&piece[..count]);
                continue;
            };
            let whole: &[u8] = if begun.is_empty() {
                &piece[..end]
            } else {
                begun.extend_from_slice(&piece[..end]);
                &begun
            };
            self.said(line, whole);
            output.write_all(whole).and_then(|()| output.flush())?;
            begun.clear();
            begun.shrink_to(PIECE);
            begun.extend_from_slice(&piece[end..count]);
        }
    }

    fn read_client(&self, mut input: impl Read) {
        let mut piece = vec![0; PIECE];
        loop {
            match input.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => match self.heard(&piece[..count]) {
                    // Should the gateway be gone, the journal has it.
                    Heard::For(line) => _ = (&line.bytes).write_all(&piece[..count]),
                    Heard::Kept => {}
                    Heard::Ended => break,
                },
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        self.end_input();
    }

    /// There is no gateway: what the client said gets errors, and it may say more. `false` when it has left.
    fn refuse(&self, parting: &mut Parting, why: &str, output: &mut impl Write) -> io::Result<bool> {
        let text = refusals(&parting.take_unheard(self.is_ended()), why);
        output.write_all(text.as_bytes()).and_then(|()| output.flush())?;
        let mut state = self.lock();
        loop {
            let more = state.stranded.get_or_insert_default();
            if !more.is_empty() {
                parting.unheard.append(more);
                return Ok(true);
            }
            if state.ended {
                return Ok(false);
            }
            self.0.changed.notify_all();
            state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Notes what the client said, and says where it goes; waits for a gateway.
    fn heard(&self, bytes: &[u8]) -> Heard {
        let mut state = self.lock();
        loop {
            if state.ended {
                return Heard::Ended;
            }
            if let Some(line) = state.line.clone() {
                state.journal.hear(bytes);
                ask(&mut state, &line);
                return Heard::For(line);
            }
            if let Some(stranded) = &mut state.stranded {
                stranded.extend_from_slice(bytes);
                self.0.changed.notify_all();
                return Heard::Kept;
            }
            state.wanted = true;
            self.0.changed.notify_all();
            state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn said(&self, line: &Line, whole: &[u8]) {
        let mut state = self.lock();
        state.journal.say(whole);
        ask(&mut state, line);
    }

    /// Hears what the gateway says about this client; the last of it, when it ended in an orderly way.
    fn listen(&self, line: &Arc<Line>) -> io::Result<Receiver<Option<Last>>> {
        let (pipe, line) = (self.clone(), Arc::clone(line));
        let words = line.words.try_clone()?;
        let (tell, told) = mpsc::channel();
        spawn(move || {
            let _ = tell.send(pipe.hear_words(words, &line));
        })?;
        Ok(told)
    }

    fn hear_words(&self, words: Stream, line: &Arc<Line>) -> Option<Last> {
        let mut trimmed = None;
        for text in BufReader::new(words).lines() {
            match Word::of(&text.ok()?) {
                Some(Word::Checkpoint(mark)) => {
                    let mut state = self.lock();
                    if state.line.as_ref().is_some_and(|now| Arc::ptr_eq(now, line)) {
                        state.journal.settle(mark);
                    }
                    // Beginning took parts of the program that going on does not need.
                    if trimmed.is_none_or(|when: Instant| when.elapsed() > TRIM) {
                        trim();
                        trimmed = Some(Instant::now());
                    }
                }
                Some(Word::End(last)) => return Some(last),
                // A word of a later version.
                None => {}
            }
        }
        None
    }

    /// True when the client has left. With `until_wanted` it waits for that, or for its next word.
    fn is_over(&self, until_wanted: bool) -> bool {
        let mut state = self.lock();
        while until_wanted && !state.wanted && !state.ended {
            state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.ended
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ask(state: &mut State, line: &Line) {
    if state.journal.is_long() {
        let _ = (&line.words).write_all(&[ASK]);
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().stack_size(STACK).spawn(work)
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
