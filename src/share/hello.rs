//! What is said where clients meet their gateway: one line each way, then the bytes of the client, or words about them.
//!
//! Lines are JSON. The number of the link counts breaking changes; whoever finds no common one says so and stands alone.

use serde::Deserialize;
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

/// The link that this version speaks.
pub const LINK: u32 = 1;
/// Longest line, in bytes: variables of a process may be large.
pub const LONGEST: usize = 4 << 20;
/// Asks for a [`Word::Checkpoint`].
pub const ASK: u8 = b'?';

/// The first line of whoever comes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hello<W = Wish> {
    /// The links it speaks: the first and the last.
    pub links: (u32, u32),
    /// Its version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// What it wants.
    pub wish: W,
}

/// What somebody wants of a gateway.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Wish {
    /// To be one of its clients: bytes follow both ways.
    Attach(Box<Attach>),
    /// To be told how far a client has come, for the case that the gateway ends: [`ASK`]s go, [`Word`]s come.
    #[serde(rename_all = "camelCase")]
    Watch {
        /// What the client was given.
        token: String,
    },
    /// Its state.
    Status,
    /// That it reads the file again.
    Reload,
    /// That it ends. Its clients start the next one when they need it.
    Stop,
    /// That its clients start another in its place.
    #[serde(rename_all = "camelCase")]
    Restart {
        /// Not before no call is in flight.
        when_idle: bool,
        /// The program to start, of whoever asks for it.
        #[serde(default)]
        binary: Option<PathBuf>,
    },
}

impl Wish {
    /// True when the answer comes at once. Other gateways are taken for dead that do not give it.
    #[must_use]
    pub fn is_short(&self) -> bool {
        !matches!(self, Self::Restart { when_idle: true, .. })
    }
}

/// A client.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attach {
    /// The folder it works in.
    pub folder: PathBuf,
    /// Its variables.
    pub vars: Vec<(String, String)>,
    /// How many gateways it had before.
    pub turn: u32,
    /// What it said to the one before and must be said again: messages, one per text.
    pub again: Vec<String>,
    /// Who it is, one of `gateway.callers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
}

impl fmt::Debug for Attach {
    /// Shows no variable: any may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attach")
            .field("folder", &self.folder)
            .field("turn", &self.turn)
            .finish_non_exhaustive()
    }
}

/// The first line of the gateway.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Welcome {
    /// The wish is granted.
    #[serde(rename_all = "camelCase")]
    Come {
        /// The link that is spoken from here on.
        link: u32,
        /// Version of the gateway.
        version: String,
        /// Its process.
        pid: u32,
        /// Where it logs.
        log: Option<PathBuf>,
        /// For [`Wish::Watch`].
        token: String,
        /// How long calls may go on when it ends, in milliseconds.
        #[serde(default)]
        drain_ms: u64,
        /// Whether it heard of [`Attach::caller`]: versions before that take every client for the owner.
        #[serde(default)]
        knows_callers: bool,
    },
    /// What was asked for, in words or as JSON.
    #[serde(rename_all = "camelCase")]
    Told {
        /// It.
        text: String,
    },
    /// It serves, but not this client: stand alone.
    #[serde(rename_all = "camelCase")]
    Alone {
        /// Why.
        why: String,
    },
    /// It is ending: come again.
    Ending,
    /// The wish cannot be granted.
    #[serde(rename_all = "camelCase")]
    Refused {
        /// Why.
        why: String,
    },
}

/// What a gateway tells about one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// How far it has come.
    Checkpoint(Mark),
    /// It reads no more of this client, and the link ends when what it has for it is written.
    End(Last),
}

/// The last word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Last {
    /// Why it ends.
    pub why: End,
    /// How far it has come: what came after it was never looked at.
    pub last: Checkpoint,
    /// The program that is to take its place, when it is not the client's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<PathBuf>,
}

/// A [`Checkpoint`] as it came: while all is well only its two places are needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// [`Checkpoint::heard`]
    pub heard: u64,
    /// [`Checkpoint::said`]
    pub said: u64,
    text: Box<str>,
}

impl Word {
    /// As a line.
    #[must_use]
    pub fn line(&self) -> String {
        match self {
            Self::Checkpoint(mark) => format!("{} {} {}", mark.heard, mark.said, mark.text),
            Self::End(last) => format!("end {}", json(last)),
        }
    }

    /// From a line; `None` for a word of a later version.
    #[must_use]
    pub fn of(line: &str) -> Option<Self> {
        let (first, rest) = line.split_once(' ')?;
        if first == "end" {
            return serde_json::from_str(rest).ok().map(Self::End);
        }
        let (second, text) = rest.split_once(' ')?;
        let (heard, said) = (first.parse().ok()?, second.parse().ok()?);
        Some(Self::Checkpoint(Mark { heard, said, text: text.into() }))
    }
}

impl Mark {
    /// All of it.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

impl From<&Checkpoint> for Mark {
    fn from(checkpoint: &Checkpoint) -> Self {
        Self { heard: checkpoint.heard, said: checkpoint.said, text: json(checkpoint).into() }
    }
}

fn json(said: &impl Serialize) -> String {
    serde_json::to_string(said).expect("texts and numbers are always JSON")
}

/// Why a gateway ends a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum End {
    /// It was told to stop, or ends with its system: the next one is started when it is needed.
    Stop,
    /// Another takes its place now, or the client belongs elsewhere.
    Again,
    /// The client did not read what it was sent: it gets no other.
    Cut,
}

/// What is settled between a client and its gateway. All before these two places is either answered or named here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// Bytes of the client that were read, up to the end of a message.
    pub heard: u64,
    /// Bytes for the client that were queued.
    pub said: u64,
    /// Ids of its requests that are not answered in them, as JSON text.
    pub open: Vec<String>,
    /// Ids of questions that it has not answered in them, as JSON text.
    pub asked: Vec<String>,
    /// What the next gateway must be told again.
    pub again: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_one_line_and_come_back_as_they_went() {
        let attach = Attach {
            folder: "/w".into(),
            vars: vec![("A".into(), "1\n2".into())],
            turn: 3,
            again: vec!["{}".into()],
            caller: None,
        };
        let hello =
            Hello { links: (1, LINK), version: "1".into(), pid: 7, wish: Wish::Attach(Box::new(attach)) };
        let line = serde_json::to_string(&hello).unwrap();
        assert!(!line.contains('\n'));
        let back: Hello = serde_json::from_str(&line).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), line);
        assert!(!format!("{back:?}").contains("1\\n2"), "variables are not shown");
        assert!(!line.contains("caller"), "versions that know no callers see what they always saw");
        let checkpoint =
            Checkpoint { heard: 1, said: 2, open: vec!["\"a b\"".into()], ..Checkpoint::default() };
        let last = Last { why: End::Again, last: checkpoint.clone(), next: Some("/bin/x".into()) };
        for word in [Word::End(last), Word::Checkpoint(Mark::from(&checkpoint))] {
            assert_eq!(Word::of(&word.line()), Some(word));
        }
        assert_eq!(Mark::from(&checkpoint).checkpoint(), checkpoint);
        assert!(
            ["", "end", "end {}", "1 2", "x y {}", "later word"].iter().all(|line| Word::of(line).is_none())
        );
    }
}
