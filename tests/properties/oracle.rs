//! Which answers a stream of frames must get, and which it got.
//!
//! What is a request is decided here from the text of the standard, and compared with what the wire makes of it.

use mcp_manifold::wire::batch;
use mcp_manifold::wire::message;
use mcp_manifold::wire::message::MAX_ID;
use mcp_manifold::wire::message::Message;
use serde::Deserialize;
use serde::Deserializer;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Longest frame and deepest nesting.
#[derive(Clone, Copy)]
pub struct Bounds {
    /// In bytes.
    pub bytes: usize,
    /// In levels.
    pub depth: usize,
}

/// How often each id (JSON text) is answered.
type Ids = BTreeMap<String, usize>;

/// What one stream must be answered with.
#[derive(Default)]
pub struct Expected {
    /// Answers to lines that are no batch.
    due: Ids,
    /// Answers that a cancellation may have made needless.
    optional: Ids,
    /// Of each batch: the answers to its entries.
    batches: Vec<Ids>,
}

/// What came out.
#[derive(Default)]
pub struct Answers {
    seen: Ids,
    /// Batches that were refused as a whole.
    refused: usize,
}

fn count(ids: &mut Ids, id: impl Into<String>) {
    *ids.entry(id.into()).or_default() += 1;
}

impl Expected {
    /// Reads the frames of a client.
    pub fn of(stream: &[u8], bounds: Bounds) -> Self {
        let mut expected = Self::default();
        for line in stream.split(|byte| *byte == b'\n') {
            if line.len() > bounds.bytes {
                let id = message::recover_id(&String::from_utf8_lossy(&line[..bounds.bytes]));
                count(&mut expected.due, id.unwrap_or_else(|| "null".into()));
                continue;
            }
            let line = line.trim_ascii();
            if batch::is_batch(line) {
                expected.batch(line, bounds);
            } else if !line.is_empty() {
                let mut due = std::mem::take(&mut expected.due);
                expected.one(line, bounds, &mut due);
                expected.due = due;
            }
        }
        expected
    }

    fn one(&mut self, line: &[u8], bounds: Bounds, due: &mut Ids) {
        let line = &*message::without_breaks(line, bounds.depth);
        let read = message::parse(line, bounds.depth);
        agrees(line, bounds, read.as_ref().ok());
        match read {
            Ok(Message::Request { id, .. }) => count(due, id.get()),
            Ok(Message::Notification { method, params }) if method == "notifications/cancelled" => {
                let params = params.and_then(|raw| Object::read(raw.get().as_bytes()));
                let id = params.and_then(|params| params.get("requestId").map(|id| id.get().to_owned()));
                id.into_iter().for_each(|id| count(&mut self.optional, id));
            }
            Ok(_) => {}
            Err(malformed) => count(due, malformed.id.unwrap_or_else(|| "null".into())),
        }
    }

    fn batch(&mut self, line: &[u8], bounds: Bounds) {
        let mut due = Ids::new();
        match batch::split(line) {
            Ok(entries) => {
                for entry in entries {
                    let text = entry.get().replace(['\r', '\n'], " ");
                    self.one(text.as_bytes(), bounds, &mut due);
                }
            }
            Err(_) => count(&mut due, "null"),
        }
        self.batches.push(due);
    }

    /// Every answer that is due came, and no other.
    pub fn compare(mut self, answers: &Answers) {
        let batches = self.batches.len();
        if answers.refused > 0 && answers.refused < batches {
            // Which of them came before the handshake is not known here.
            return;
        }
        for batch in self.batches.drain(..) {
            match answers.refused {
                0 => batch.into_iter().for_each(|(id, n)| *self.due.entry(id).or_default() += n),
                _ => count(&mut self.due, "null"),
            }
        }
        for (id, due) in &self.due {
            let seen = answers.seen.get(id).copied().unwrap_or_default();
            let least = due.saturating_sub(self.optional.get(id).copied().unwrap_or_default());
            assert!((least..=*due).contains(&seen), "{seen} answers to {id}, {least} to {due} are due");
        }
        let extra: Vec<_> = answers.seen.keys().filter(|id| !self.due.contains_key(*id)).collect();
        assert!(extra.is_empty(), "answers that nobody asked for: {extra:?}");
    }
}

impl Answers {
    /// Reads what was written to the client: one message per line and nothing else.
    pub fn of(written: &[u8]) -> Self {
        let mut answers = Self::default();
        let text = std::str::from_utf8(written).expect("only UTF-8 is written");
        assert!(text.is_empty() || text.ends_with('\n'), "half a line: {text}");
        for line in text.lines() {
            match line.starts_with('[') {
                true => {
                    let all: Vec<&RawValue> = serde_json::from_str(line).expect("a batch of answers");
                    assert!(!all.is_empty(), "an empty batch");
                    all.into_iter().for_each(|one| answers.one(one.get()));
                }
                false => answers.one(line),
            }
        }
        answers
    }

    fn one(&mut self, text: &str) {
        let message = Object::read(text.as_bytes()).unwrap_or_else(|| panic!("not a message: {text}"));
        assert!(message.is("jsonrpc", "\"2.0\"") && !message.repeats(), "not a message: {text}");
        if message.get("method").is_some() {
            return;
        }
        let both = [message.get("result"), message.get("error")];
        assert_eq!(both.iter().flatten().count(), 1, "neither or both: {text}");
        count(&mut self.seen, message.get("id").expect("an answer has an id").get());
        self.refused += usize::from(text.contains("batches are part of revision"));
    }
}

/// The wire sees a request exactly where the standards say that there is one.
fn agrees(line: &[u8], bounds: Bounds, read: Option<&Message<'_>>) {
    let object = Object::read(line).filter(|object| !object.repeats());
    let wanted = object.filter(|object| {
        let number = |text: &str| {
            let digits = text.strip_prefix('-').unwrap_or(text);
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        let id = object.get("id").map(RawValue::get);
        object.is("jsonrpc", "\"2.0\"")
            && id.is_some_and(|id| (id.starts_with('"') || number(id)) && id.len() <= MAX_ID)
            && object.get("method").is_some_and(|raw| serde_json::from_str::<String>(raw.get()).is_ok())
            && object.get("result").is_none()
            && object.get("error").is_none()
            && depth(line) <= bounds.depth
    });
    let wanted = wanted.and_then(|object| object.get("id").map(|id| id.get().to_owned()));
    let seen = match read {
        Some(Message::Request { id, .. }) => Some(id.get().to_owned()),
        _ => None,
    };
    assert_eq!(seen, wanted, "{}", line.escape_ascii());
}

fn depth(line: &[u8]) -> usize {
    let (mut depth, mut most, mut inside, mut escaped) = (0usize, 0, false, false);
    for byte in line {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b'{' | b'[' if !inside => {
                depth += 1;
                most = most.max(depth);
            }
            b'}' | b']' if !inside => depth -= 1,
            _ => {}
        }
    }
    most
}

/// The members of an object in order, the same name as often as it stands there.
struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Object<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    fn is(&self, name: &str, text: &str) -> bool {
        self.get(name).is_some_and(|value| value.get() == text)
    }

    /// A member of the envelope stands there twice.
    fn repeats(&self) -> bool {
        ["jsonrpc", "id", "method", "params", "result", "error"]
            .iter()
            .any(|name| self.0.iter().filter(|(key, _)| key == name).count() > 1)
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}
