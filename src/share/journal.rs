//! What a client and its gateway said that is not settled yet, so that nothing is lost or run twice when the gateway ends.
//!
//! While the gateway lives bytes are only stored, never looked at; a [`Checkpoint`] of the gateway lets go of them. It does
//! no input or output.

use crate::share::hello::Checkpoint;
use crate::share::hello::Mark;
use crate::share::kept::Kept;
use crate::wire::batch;
use crate::wire::members::Members;
use crate::wire::message;
use crate::wire::message::Message;
use memchr::memchr_iter;
use memchr::memrchr;

/// Bytes stored before a checkpoint is asked for.
const ENOUGH: usize = 32 << 10;
/// Deepest nesting that is read. What is deeper was refused by the gateway, or will be.
pub(super) const DEPTH: usize = 512;
/// Requests that change nothing: they are simply asked again.
const HARMLESS: [&str; 11] = [
    "initialize",
    "server/discover",
    "ping",
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
    "completion/complete",
    "logging/setLevel",
    "resources/subscribe",
    "resources/unsubscribe",
];

/// One link between a client and a gateway.
#[derive(Debug, Default)]
pub struct Journal {
    heard: Stretch,
    said: Stretch,
    /// What holds for the session from the beginning.
    again: Vec<String>,
    settled: Option<Mark>,
    /// A checkpoint that is ahead of what has arrived.
    coming: Option<Mark>,
    asked: bool,
}

/// What is to be done when a gateway has ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parting {
    /// Messages that the next gateway must be told again.
    pub again: Vec<String>,
    /// What the client said that no gateway has seen, or that can be asked twice. It may end within a message.
    pub unheard: Vec<u8>,
    /// Ids of requests that get no answer any more, as JSON text.
    pub lost: Vec<String>,
    /// Ids of questions whose answers nobody waits for any more, as JSON text.
    pub moot: Vec<String>,
}

/// The last part of a stream of bytes.
#[derive(Debug, Default)]
struct Stretch {
    /// Bytes before it.
    before: u64,
    bytes: Vec<u8>,
}

impl Journal {
    /// A link that begins with what the gateway before did not see.
    #[must_use]
    pub fn new(unheard: &[u8], again: Vec<String>) -> Self {
        let mut journal = Self { again, ..Self::default() };
        journal.hear(unheard);
        journal
    }

    /// Bytes of the client, on their way to the gateway.
    pub fn hear(&mut self, bytes: &[u8]) {
        self.heard.bytes.extend_from_slice(bytes);
    }

    /// Whole messages of the gateway, on their way to the client.
    pub fn say(&mut self, lines: &[u8]) {
        self.said.bytes.extend_from_slice(lines);
        if let Some(coming) = self.coming.take_if(|coming| coming.said <= self.said.end()) {
            self.settle(coming);
        }
    }

    /// True when it is time to ask for a checkpoint; once until one has come.
    #[must_use]
    pub fn is_long(&mut self) -> bool {
        let long = self.heard.bytes.len() + self.said.bytes.len() > ENOUGH && !self.asked;
        self.asked |= long;
        long
    }

    /// The gateway says how far it has come.
    pub fn settle(&mut self, mark: Mark) {
        if mark.said > self.said.end() {
            self.coming = Some(mark);
            return;
        }
        self.heard.forget(mark.heard);
        self.said.forget(mark.said);
        self.settled = Some(mark);
        self.asked = false;
    }

    /// The gateway has ended. `last` is what it said of how far it came, if it could say so; `over` says that nothing more
    /// comes of the client, so that its last line needs no end.
    #[must_use]
    pub fn part(mut self, last: Option<Checkpoint>, over: bool) -> Parting {
        let seen = match last {
            None if over => self.heard.bytes.len(),
            None => memrchr(b'\n', &self.heard.bytes).map_or(0, |end| end + 1),
            // Not all that it had to say has come: calls that were answered in that have no answer.
            Some(last) if last.said > self.said.end() => self.heard.up_to(last.heard),
            Some(last) => {
                self.settle(Mark::from(&last));
                0
            }
        };
        let begin = || Checkpoint { again: std::mem::take(&mut self.again), ..Checkpoint::default() };
        let Checkpoint { open, asked, again, .. } =
            self.settled.as_ref().map_or_else(begin, Mark::checkpoint);
        let mut review = Review {
            open,
            asked,
            kept: Kept::of(again.iter().map(String::as_str), DEPTH),
            recent: Vec::new(),
            replied: Vec::new(),
        };
        let mut unheard = Vec::new();
        let (lines, rest) = self.heard.bytes.split_at(seen);
        each_line(lines, |line| review.heard(line));
        each_line(&self.said.bytes, |line| review.said(line));
        review.ask_again(&mut unheard);
        unheard.extend_from_slice(rest);
        review.asked.retain(|id| !review.replied.contains(id));
        Parting { again: review.kept.lines(), unheard, lost: review.open, moot: review.asked }
    }
}

impl Parting {
    /// What the client said that nobody has run, and that is not to be said to anybody: whole messages, with the rest if
    /// nothing more comes (`over`).
    #[must_use]
    pub fn take_unheard(&mut self, over: bool) -> Vec<u8> {
        let end = memrchr(b'\n', &self.unheard).map_or(0, |end| end + 1);
        let end = if over { self.unheard.len() } else { end };
        let rest = self.unheard.split_off(end);
        let whole = std::mem::replace(&mut self.unheard, rest);
        let mut kept = Kept::of(self.again.iter().map(String::as_str), DEPTH);
        each_line(&whole, |line| {
            if let (Ok(message @ Message::Notification { .. }), Ok(text)) =
                (message::parse(line, DEPTH), std::str::from_utf8(line))
            {
                kept.note(&message, text);
            }
        });
        self.again = kept.lines();
        whole
    }
}

impl Stretch {
    fn end(&self) -> u64 {
        self.before + self.bytes.len() as u64
    }

    /// How many of its bytes come before the place `until` of the stream.
    fn up_to(&self, until: u64) -> usize {
        let count = usize::try_from(until.saturating_sub(self.before)).unwrap_or(usize::MAX);
        count.min(self.bytes.len())
    }

    fn forget(&mut self, until: u64) {
        let count = self.up_to(until);
        self.bytes.drain(..count);
        self.before += count as u64;
        if self.bytes.capacity() > 2 * ENOUGH && self.bytes.len() < ENOUGH {
            self.bytes.shrink_to(ENOUGH);
        }
    }
}

/// Reads what was said since the last checkpoint, after the end.
struct Review<'a> {
    open: Vec<String>,
    asked: Vec<String>,
    kept: Kept,
    /// Requests whose text is here, with their ids.
    recent: Vec<(String, &'a str)>,
    /// Questions that the client has answered.
    replied: Vec<String>,
}

impl<'a> Review<'a> {
    fn heard(&mut self, line: &'a [u8]) {
        if batch::is_batch(line) {
            // Of a batch nothing is asked again: its answers belong together.
            for entry in batch::split(line).unwrap_or_default() {
                match message::parse(entry.get().as_bytes(), DEPTH) {
                    Ok(Message::Request { id, .. }) => self.owe(id.get()),
                    Ok(Message::Response { id, .. }) => self.replied.push(id.get().to_owned()),
                    _ => {}
                }
            }
            return;
        }
        let (Ok(message), Ok(text)) = (message::parse(line, DEPTH), std::str::from_utf8(line)) else {
            return;
        };
        match &message {
            Message::Request { id, method, .. } => {
                self.owe(id.get());
                if HARMLESS.contains(&&**method) {
                    self.recent.push((id.get().to_owned(), text));
                }
            }
            Message::Response { id, .. } => self.replied.push(id.get().to_owned()),
            Message::Notification { method, params } if method == "notifications/cancelled" => {
                let members = params.and_then(|params| Members::parse(params.get()).ok());
                if let Some(id) = members.and_then(|members| members.get("requestId")) {
                    remove(&mut self.open, id.get());
                }
            }
            Message::Notification { .. } => self.kept.note(&message, text),
        }
    }

    /// Once: a checkpoint may name a request whose text is still here.
    fn owe(&mut self, id: &str) {
        if !self.open.iter().any(|known| known == id) {
            self.open.push(id.to_owned());
        }
    }

    fn said(&mut self, line: &[u8]) {
        if batch::is_batch(line) {
            for entry in batch::split(line).unwrap_or_default() {
                self.said(entry.get().as_bytes());
            }
            return;
        }
        match message::parse(line, DEPTH) {
            Ok(Message::Response { id, .. }) => remove(&mut self.open, id.get()),
            Ok(Message::Request { id, .. }) => self.asked.push(id.get().to_owned()),
            _ => {}
        }
    }

    /// What was answered and holds for the session is kept; what was not and changes nothing is asked again.
    fn ask_again(&mut self, unheard: &mut Vec<u8>) {
        for (id, text) in std::mem::take(&mut self.recent) {
            if self.open.contains(&id) {
                remove(&mut self.open, &id);
                unheard.extend_from_slice(text.as_bytes());
                unheard.push(b'\n');
            } else if let Ok(message) = message::parse(text.as_bytes(), DEPTH) {
                self.kept.note(&message, text);
            }
        }
    }
}

fn remove(ids: &mut Vec<String>, id: &str) {
    if let Some(at) = ids.iter().position(|known| known == id) {
        ids.remove(at);
    }
}

pub(super) fn each_line<'a>(bytes: &'a [u8], mut then: impl FnMut(&'a [u8])) {
    let mut begin = 0;
    for end in memchr_iter(b'\n', bytes) {
        then(bytes[begin..end].trim_ascii());
        begin = end + 1;
    }
    if begin < bytes.len() {
        then(bytes[begin..].trim_ascii());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#;
    const READY: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

    fn call(id: u32) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"x"}}}}"#) + "\n"
    }

    fn answer(id: u32) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#) + "\n"
    }

    #[test]
    fn after_a_crash_calls_are_lost_and_questions_about_lists_are_asked_again() {
        let list = "{\"jsonrpc\":\"2.0\",\"id\":\"l\",\"method\":\"tools/list\"}\n";
        let mut journal = Journal::default();
        journal.hear(format!("{HELLO}\n{READY}\n").as_bytes());
        journal.say(answer(0).as_bytes());
        journal.hear(format!("{}{list}{}{}", call(1), call(2), &call(3)[..20]).as_bytes());
        journal.say(answer(1).as_bytes());
        let parting = journal.part(None, false);
        assert_eq!(parting.again, [HELLO, READY]);
        assert_eq!(parting.lost, ["2"]);
        assert_eq!(parting.unheard, format!("{list}{}", &call(3)[..20]).as_bytes());
    }

    #[test]
    fn a_handshake_that_was_not_answered_is_made_with_the_next_one() {
        let mut journal = Journal::default();
        journal.hear(format!("{HELLO}\n").as_bytes());
        let parting = journal.part(None, false);
        assert_eq!((parting.again.len(), parting.lost.len()), (0, 0));
        assert_eq!(parting.unheard, format!("{HELLO}\n").as_bytes());
    }

    #[test]
    fn a_checkpoint_lets_go_of_what_is_settled() {
        let mut journal = Journal::default();
        journal.hear((call(1) + &call(2)).as_bytes());
        journal.say(answer(1).as_bytes());
        let (heard, said) = (journal.heard.end(), journal.said.end() + answer(2).len() as u64);
        journal.settle(Mark::from(&Checkpoint {
            heard,
            said,
            open: vec!["9".into()],
            ..Checkpoint::default()
        }));
        assert!(!journal.heard.bytes.is_empty(), "the answer to 2 is on its way");
        journal.say(answer(2).as_bytes());
        assert!(journal.heard.bytes.is_empty() && journal.said.bytes.is_empty());
        journal.hear(call(3).as_bytes());
        let parting = journal.part(None, false);
        assert_eq!(parting.lost, ["9", "3"]);
    }

    #[test]
    fn after_an_orderly_end_nothing_is_lost() {
        let mut journal = Journal::default();
        journal.hear(call(1).as_bytes());
        let heard = journal.heard.end();
        journal.say(answer(1).as_bytes());
        journal.hear((call(2) + "{\"js").as_bytes());
        let last = Checkpoint {
            heard,
            said: journal.said.end(),
            again: vec![HELLO.into()],
            ..Checkpoint::default()
        };
        let parting = journal.part(Some(last), false);
        assert_eq!(parting.unheard, (call(2) + "{\"js").as_bytes());
        assert_eq!((parting.again, parting.lost.len()), (vec![HELLO.to_owned()], 0));
    }

    #[test]
    fn what_was_announced_at_an_end_and_did_not_come_is_lost_and_not_said_again() {
        let mut journal = Journal::default();
        journal.hear((call(1) + &call(2)).as_bytes());
        let heard = journal.heard.end();
        journal.hear(call(3).as_bytes());
        journal.say(answer(1).as_bytes());
        let said = journal.said.end() + answer(2).len() as u64;
        let parting = journal.part(Some(Checkpoint { heard, said, ..Checkpoint::default() }), false);
        assert_eq!(parting.lost, ["2"]);
        assert_eq!(parting.unheard, call(3).as_bytes(), "1 and 2 may have run");
    }

    #[test]
    fn a_last_line_without_an_end_may_have_run_too() {
        let mut journal = Journal::default();
        journal.hear((call(1) + call(2).trim()).as_bytes());
        let parting = journal.part(None, true);
        assert_eq!((parting.lost, parting.unheard.len()), (vec!["1".to_owned(), "2".into()], 0));
    }

    #[test]
    fn a_call_that_a_checkpoint_names_is_answered_once() {
        let mut journal = Journal::default();
        journal.hear((call(1) + &call(2)).as_bytes());
        let open = vec!["1".into(), "2".into()];
        journal.settle(Mark::from(&Checkpoint { open, ..Checkpoint::default() }));
        journal.say(answer(1).as_bytes());
        assert_eq!(journal.part(None, false).lost, ["2"]);
    }

    #[test]
    fn questions_and_batches_and_cancelled_calls_are_understood() {
        let question = "{\"jsonrpc\":\"2.0\",\"id\":\"ask-1\",\"method\":\"roots/list\"}\n";
        let other = question.replace("ask-1", "ask-2");
        let mut journal = Journal::default();
        journal.say((question.to_owned() + &other).as_bytes());
        journal.hear(b"{\"jsonrpc\":\"2.0\",\"id\":\"ask-1\",\"result\":{}}\n");
        journal.hear(format!("[{},{}]\n", call(1).trim(), call(2).trim()).as_bytes());
        journal.hear(call(3).as_bytes());
        journal.hear(
            b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":3}}\n",
        );
        let parting = journal.part(None, false);
        assert_eq!(
            (parting.lost, parting.moot),
            (vec!["1".to_owned(), "2".into()], vec!["\"ask-2\"".into()])
        );
        assert!(parting.unheard.is_empty());
    }

    #[test]
    fn a_checkpoint_is_asked_for_once() {
        let mut journal = Journal::default();
        journal.hear(&vec![b' '; ENOUGH + 1]);
        assert!(journal.is_long() && !journal.is_long());
        journal.settle(Mark::from(&Checkpoint { heard: ENOUGH as u64, ..Checkpoint::default() }));
        assert!(!journal.is_long());
        journal.hear(&vec![b' '; ENOUGH]);
        assert!(journal.is_long());
    }
}
