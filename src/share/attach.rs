//! Finding the gateway of a file, or having it started: exactly one, however many clients come at once.
//!
//! It says hello and hands the link over. What goes over it is `pipe.rs`.

use crate::config::file_lock;
use crate::share::hello::Attach;
use crate::share::hello::Hello;
use crate::share::hello::LINK;
use crate::share::hello::LONGEST;
use crate::share::hello::Welcome;
use crate::share::hello::Wish;
use crate::share::launch::Launch;
use crate::share::launch::Report;
use crate::share::link;
use crate::share::link::Stream;
use crate::share::pipe::Line;
use crate::share::place::Place;
use std::io;
use std::io::Read;
use std::io::Write;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;
use std::time::SystemTime;
use tokio::time::Instant;

/// Between two looks while another client starts the gateway.
const STEP: Duration = Duration::from_millis(2);
/// Of a greeting, in bytes: what is in it besides variables and messages.
const ROOM: usize = 64 << 10;
/// How long a gateway may take for its first line.
const GREETING: Duration = Duration::from_secs(10);

/// Where a gateway is found.
#[derive(Debug, Clone)]
pub struct Door {
    /// The place of its file.
    pub place: Place,
    /// How to start it; `None` to only look for one that runs.
    pub launch: Option<Launch>,
    /// How long to try.
    pub patience: Duration,
}

/// A gateway was found.
#[derive(Debug)]
pub struct Found {
    /// The link to it.
    pub line: Line,
    /// Its version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// How long calls may go on when it ends.
    pub drain: Duration,
    /// Where it logs.
    pub log: Option<PathBuf>,
    /// What it said for the eye of the user when it was started just now.
    pub notes: Vec<String>,
}

/// No gateway can be had.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoWay {
    /// None runs, and none was to be started.
    #[error("no gateway runs for this file")]
    NoneRuns,
    /// This client is to be served alone.
    #[error("{0}")]
    Alone(String),
    /// It was started and ended at once.
    #[error("the gateway cannot start: {}", first_of(.notes))]
    Failed {
        /// Its exit code.
        code: u8,
        /// What it said for the eye of the user.
        notes: Vec<String>,
    },
    /// The client is to end before it has one.
    #[error("it was told to end")]
    Left,
    /// Anything else.
    #[error("the gateway of this user cannot be used: {0}")]
    Broken(String),
}

/// What one try led to.
enum Try {
    Come(Stream, Welcome),
    /// Nobody is there, or nobody any more.
    Nobody,
}

impl Door {
    /// Attaches a client: to the gateway that runs, or to one that is started for it; until it `leaves`.
    ///
    /// # Errors
    /// [`NoWay`]
    pub fn attach(&self, mut attach: Attach, leaves: &dyn Fn() -> bool) -> Result<Found, NoWay> {
        shorten(&mut attach);
        let is_somebody = attach.caller.is_some();
        let wish = Wish::Attach(Box::new(attach));
        let until = Instant::now() + self.patience;
        let mut notes = Vec::new();
        while Instant::now() < until {
            if leaves() {
                return Err(NoWay::Left);
            }
            if let Try::Come(bytes, welcome) = self.knock(&wish)? {
                match self.enter(bytes, welcome, is_somebody)? {
                    Some(found) => return Ok(Found { notes, ..found }),
                    None => sleep(STEP),
                }
                continue;
            }
            let Some(launch) = &self.launch else { return Err(NoWay::NoneRuns) };
            let turn = file_lock::take(&self.place.start_lock(), &owner()).map_err(|why| broken(&why))?;
            match turn {
                // Somebody may have started it between the look and the lock.
                Some(_turn) if link::connect(&self.place).is_err() => {
                    notes.extend(start(launch, leaves)?);
                }
                _ => sleep(STEP),
            }
        }
        Err(NoWay::Broken(format!("none was ready within {} s", self.patience.as_secs())))
    }

    /// Asks the gateway that runs for something else; what it says.
    ///
    /// # Errors
    /// [`NoWay`]
    pub fn ask(&self, wish: &Wish) -> Result<String, NoWay> {
        match self.knock(wish)? {
            Try::Come(_, Welcome::Told { text }) => Ok(text),
            Try::Come(..) => Err(NoWay::Broken("it gave an answer that this version does not know".into())),
            Try::Nobody => Err(NoWay::NoneRuns),
        }
    }

    /// `None` when the gateway ended in this moment.
    fn enter(&self, bytes: Stream, welcome: Welcome, is_somebody: bool) -> Result<Option<Found>, NoWay> {
        let Welcome::Come { version, pid, log, token, knows_callers, drain_ms, .. } = welcome else {
            return Err(NoWay::Broken("it gave an answer that this version does not know".into()));
        };
        if is_somebody && !knows_callers {
            return Err(NoWay::Alone(format!("the gateway is version {version}, which knows no `--as`")));
        }
        let words = match self.knock(&Wish::Watch { token }) {
            Ok(Try::Come(words, _)) => words,
            // Refused is what the next one says, which does not know this client.
            Ok(Try::Nobody) | Err(NoWay::Broken(_)) => return Ok(None),
            Err(other) => return Err(other),
        };
        let drain = Duration::from_millis(drain_ms);
        Ok(Some(Found { line: Line { bytes, words }, version, pid, drain, log, notes: Vec::new() }))
    }

    fn knock(&self, wish: &Wish) -> Result<Try, NoWay> {
        let mut stream = match link::connect(&self.place) {
            Ok(stream) => stream,
            Err(why) if is_silence(&why) => return Err(silent()),
            Err(why) if link::is_forbidden(&why) => return Err(broken(&why)),
            Err(_) => return Ok(Try::Nobody),
        };
        stream.set_write_timeout(Some(GREETING)).map_err(|why| broken(&why))?;
        stream.set_read_timeout(wish.is_short().then_some(GREETING)).map_err(|why| broken(&why))?;
        let mut line = hello(wish).into_bytes();
        line.push(b'\n');
        let answer = match stream.write_all(&line).and_then(|()| read_line(&mut stream)) {
            Ok(answer) => answer,
            Err(why) if is_silence(&why) => return Err(silent()),
            Err(_) => return Ok(Try::Nobody),
        };
        stream.set_write_timeout(None).map_err(|why| broken(&why))?;
        stream.set_read_timeout(None).map_err(|why| broken(&why))?;
        match serde_json::from_slice(&answer) {
            Ok(Welcome::Alone { why }) => Err(NoWay::Alone(why)),
            Ok(Welcome::Refused { why }) => Err(NoWay::Broken(why)),
            Ok(Welcome::Ending) => {
                sleep(STEP);
                Ok(Try::Nobody)
            }
            Ok(welcome) => Ok(Try::Come(stream, welcome)),
            Err(_) if answer.is_empty() => Ok(Try::Nobody),
            Err(_) => Err(NoWay::Alone("another version of it runs, which speaks another link".into())),
        }
    }
}

/// A greeting that is too long is not read. The last of what the client said is left out first: subscriptions.
fn shorten(attach: &mut Attach) {
    let quoted = |text: &String| serde_json::to_string(text).map_or(text.len(), |quoted| quoted.len() + 1);
    let vars: usize = attach.vars.iter().map(|(name, value)| quoted(name) + quoted(value) + 2).sum();
    let mut left = LONGEST.saturating_sub(vars + ROOM);
    attach.again.retain(|line| {
        let fits = quoted(line) <= left;
        left = left.saturating_sub(quoted(line));
        fits
    });
}

/// The first of what a gateway said before it gave up.
fn first_of(notes: &[String]) -> &str {
    notes.first().map_or("it does not say why", String::as_str)
}

fn start(launch: &Launch, leaves: &dyn Fn() -> bool) -> Result<Vec<String>, NoWay> {
    let Some(launched) = launch.run(leaves).map_err(|why| broken(&why))? else { return Err(NoWay::Left) };
    match launched.outcome {
        Report::Alone(why) => Err(NoWay::Alone(why)),
        Report::Failed(code) => Err(NoWay::Failed { code, notes: launched.notes }),
        Report::Ready | Report::Busy => Ok(launched.notes),
    }
}

fn hello(wish: &Wish) -> String {
    let version = env!("CARGO_PKG_VERSION").into();
    let hello = Hello { links: (LINK, LINK), version, pid: std::process::id(), wish };
    serde_json::to_string(&hello).expect("texts and numbers are always JSON")
}

/// Byte by byte: what follows the line belongs to somebody else.
fn read_line(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < LONGEST {
        stream.read_exact(&mut byte)?;
        match byte {
            [b'\n'] => return Ok(line),
            [other] => line.push(other),
        }
    }
    Ok(Vec::new())
}

fn is_silence(why: &io::Error) -> bool {
    matches!(why.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Who holds a lock, for people: the process, when it took it (seconds since 1970), and its version.
#[must_use]
pub fn owner() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| age.as_secs());
    format!("pid {} since {since} version {}", std::process::id(), env!("CARGO_PKG_VERSION"))
}

fn silent() -> NoWay {
    NoWay::Broken(format!("it gave no answer within {} s", GREETING.as_secs()))
}

fn broken(why: &io::Error) -> NoWay {
    NoWay::Broken(why.to_string())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::io::BufRead;
    use std::io::BufReader;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_gateway_that_ends_while_a_client_comes_is_followed_by_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let user = std::os::unix::fs::MetadataExt::uid(&folder.path().metadata().unwrap());
        let place =
            Place::prepare(folder.path().join("runtime"), &folder.path().join("mcp.json"), user).unwrap();
        let listener = UnixListener::bind(place.socket()).unwrap();
        let come = |pid| Welcome::Come {
            link: LINK,
            version: "1".into(),
            pid,
            log: None,
            token: "t".into(),
            drain_ms: 0,
            knows_callers: false,
        };
        let told = |text: &str| Welcome::Told { text: text.into() };
        // The second does not know whom the first let in.
        let answers =
            [come(1), Welcome::Refused { why: "there is no such client".into() }, come(2), told("")];
        let serving = std::thread::spawn(move || {
            answers.map(|answer| {
                let (mut stream, _) = listener.accept().unwrap();
                BufReader::new(&stream).read_line(&mut String::new()).unwrap();
                writeln!(stream, "{}", serde_json::to_string(&answer).unwrap()).unwrap();
                stream
            })
        });
        let door = Door { place, launch: None, patience: Duration::from_secs(20) };
        let me = Attach { folder: "/".into(), vars: Vec::new(), turn: 0, again: Vec::new(), caller: None };
        assert_eq!(door.attach(me, &|| false).unwrap().pid, 2);
        serving.join().unwrap();
    }

    #[test]
    fn only_a_restart_that_waits_for_calls_may_take_its_time() {
        assert!(!Wish::Restart { when_idle: true, binary: None }.is_short());
        assert!(Wish::Restart { when_idle: false, binary: None }.is_short() && Wish::Stop.is_short());
    }
}
