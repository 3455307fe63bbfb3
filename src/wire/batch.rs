//! Several messages in one array, and their answers in one array.
//!
//! Source: JSON-RPC 2.0, section 6. Who may send a batch is not decided here.

use crate::wire::mailbox::Kind;
use crate::wire::message::INVALID_REQUEST;
use crate::wire::message::Malformed;
use crate::wire::message::PARSE_ERROR;
use crate::wire::outbox::Refused;
use crate::wire::sink::Sink;
use serde::Deserializer;
use serde::de::Error as _;
use serde::de::SeqAccess;
use serde::de::Visitor;
use serde_json::value::RawValue;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

/// Messages in one batch.
pub const MOST: usize = 100;

/// True for a text that can only be a batch.
#[must_use]
pub fn is_batch(bytes: &[u8]) -> bool {
    bytes.first() == Some(&b'[')
}

/// The entries of a batch, whatever they are.
///
/// # Errors
/// [`Malformed`] for what is no array, an empty one, and one with more than [`MOST`] entries.
pub fn split(bytes: &[u8]) -> Result<Vec<&RawValue>, Malformed> {
    let refuse = |code, text: String| Err(Malformed { id: None, code, text });
    let Ok(text) = std::str::from_utf8(bytes) else {
        return refuse(PARSE_ERROR, "the batch is not valid UTF-8".into());
    };
    let mut reader = serde_json::Deserializer::from_str(text);
    let entries = reader.deserialize_seq(Entries).and_then(|entries| reader.end().map(|()| entries));
    match entries {
        Ok(entries) if entries.is_empty() => refuse(INVALID_REQUEST, "the batch is empty".into()),
        Ok(entries) => Ok(entries),
        Err(problem) if problem.is_data() => {
            refuse(INVALID_REQUEST, format!("the batch has more than {MOST} messages"))
        }
        Err(problem) => refuse(PARSE_ERROR, format!("the batch is not JSON: {problem}")),
    }
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of messages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = seq.next_element::<&RawValue>()? {
            if entries.len() == MOST {
                return Err(A::Error::custom("too many messages"));
            }
            entries.push(entry);
        }
        Ok(entries)
    }
}

/// The answers of one batch, which leave together when the last one is there.
#[derive(Debug)]
pub struct Gathering {
    sink: Sink,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Answers that are not there yet, and one more while the batch is being read.
    due: usize,
    answers: Vec<u8>,
}

impl Gathering {
    /// For a batch whose answers go to `sink`; to be ended with [`Gathering::leave_out`] once all of it is read.
    #[must_use]
    pub fn new(sink: Sink) -> Arc<Self> {
        Arc::new(Self { sink, state: Mutex::new(State { due: 1, answers: Vec::new() }) })
    }

    /// One more answer is to come.
    pub fn expect(&self) {
        self.lock().due += 1;
    }

    /// Sends a message that is no answer.
    ///
    /// # Errors
    /// [`Refused`] when the client is gone or was cut off.
    pub fn notice(&self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Refused> {
        self.sink.send(Kind::Notice, write)
    }

    /// True while much waits for the client.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.sink.is_behind()
    }

    /// One answer is there.
    ///
    /// # Errors
    /// [`Refused`] when it was the last one and the client is gone or was cut off.
    pub fn answer(&self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Refused> {
        let mut state = self.lock();
        let separator = if state.answers.is_empty() { b'[' } else { b',' };
        state.answers.push(separator);
        write(&mut state.answers);
        self.one_less(state)
    }

    /// One answer will not come.
    pub fn leave_out(&self) {
        // Nobody is there to be told that the client is gone.
        let _ = self.one_less(self.lock());
    }

    fn one_less(&self, mut state: MutexGuard<'_, State>) -> Result<(), Refused> {
        state.due = state.due.saturating_sub(1);
        if state.due > 0 {
            return Ok(());
        }
        let mut answers = std::mem::take(&mut state.answers);
        drop(state);
        if answers.is_empty() {
            self.sink.forget();
            return Ok(());
        }
        answers.push(b']');
        self.sink.send(Kind::Result, |out| out.extend_from_slice(&answers))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::mailbox::mailbox;

    #[test]
    fn only_arrays_of_some_messages_are_batches() {
        let entries = split(br#" [{"a":[1,"]"]} , 7,[]]"#.trim_ascii()).unwrap();
        assert_eq!(
            entries.iter().map(|entry| entry.get()).collect::<Vec<_>>(),
            [r#"{"a":[1,"]"]}"#, "7", "[]"]
        );
        let many = |count: usize| format!("[{}]", vec!["1"; count].join(","));
        assert_eq!(split(many(MOST).as_bytes()).unwrap().len(), MOST);
        for (text, code) in [
            ("[]", INVALID_REQUEST),
            (&*many(MOST + 1), INVALID_REQUEST),
            ("[1", PARSE_ERROR),
            ("[1,]", PARSE_ERROR),
            ("[1] 2", PARSE_ERROR),
        ] {
            assert_eq!(split(text.as_bytes()).unwrap_err().code, code, "{text}");
        }
        assert_eq!(split(b"[\"\xff\"]").unwrap_err().code, PARSE_ERROR);
    }

    #[tokio::test]
    async fn answers_leave_together_and_what_is_left_out_is_not_waited_for() {
        let (mailbox, mut letters) = mailbox(100);
        let gathering = Gathering::new(Sink::Mail(mailbox));
        (0..3).for_each(|_| gathering.expect());
        gathering.answer(|out| out.push(b'1')).unwrap();
        gathering.leave_out();
        gathering.notice(|out| out.push(b'n')).unwrap();
        gathering.answer(|out| out.push(b'2')).unwrap();
        assert_eq!(letters.next().await.unwrap().bytes, b"n");
        gathering.leave_out();
        let last = letters.next().await.unwrap();
        assert_eq!((last.bytes.as_slice(), last.kind), (&b"[1,2]"[..], Kind::Result));
    }

    #[tokio::test]
    async fn a_batch_without_answers_sends_nothing() {
        let (mailbox, mut letters) = mailbox(100);
        Gathering::new(Sink::Mail(mailbox)).leave_out();
        assert_eq!(letters.next().await, None);
    }
}
