//! Several clients at once that use the same ids, some of them twice at a time, over two servers that answer out of
//! order: each call is answered once, to its own client and under its own id.
//!
//! That every single client gets what it must is the business of `frames.rs`.

use crate::answers::CONFIG;
use crate::dice::Dice;
use crate::frames::BOUNDS;
use crate::frames::Bed;
use crate::oracle::Answers;
use crate::oracle::Expected;
use crate::peer::Peers;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

thread_local! {
    static BED: Bed = Bed::of(CONFIG, Arc::new(Peers::default()));
}

/// What one client sends, and the id of each of its calls by its tag.
#[derive(Default)]
struct Client {
    stream: String,
    ids: HashMap<String, Value>,
}

impl Client {
    fn new(number: usize, dice: &mut Dice) -> Self {
        let mut client = Self::default();
        for call in 0..=dice.below(10) {
            let tag = format!("{number}-{call}");
            let id = match dice.below(8) {
                text @ 0..3 => Value::from(text.to_string()),
                number => Value::from(number),
            };
            let (server, tool) = (dice.pick(&["a", "b"]), dice.pick(&["held", "tag"]));
            let params = format!(r#"{{"name":"{server}__{tool}","arguments":{{"tag":"{tag}"}}}}"#);
            client.stream.push_str(&format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{params}}}\n"
            ));
            client.ids.insert(tag, id);
        }
        client
    }

    fn check(&self, written: &[u8]) {
        Expected::of(self.stream.as_bytes(), BOUNDS).compare(&Answers::of(written));
        for line in String::from_utf8_lossy(written).lines() {
            let answer: Value = serde_json::from_str(line).expect("a message");
            if let Some(tag) = answer.pointer("/result/structuredContent/tag").and_then(Value::as_str) {
                assert_eq!(self.ids.get(tag), Some(&answer["id"]), "another's answer: {line}");
            }
        }
    }
}

/// Some clients.
pub fn case(dice: &mut Dice) {
    let clients: Vec<Client> = (0..2 + dice.below(4)).map(|number| Client::new(number, dice)).collect();
    let streams: Vec<&[u8]> = clients.iter().map(|client| client.stream.as_bytes()).collect();
    let written = BED.with(|bed| bed.run_all(&streams));
    clients.iter().zip(written).for_each(|(client, written)| client.check(&written));
}
