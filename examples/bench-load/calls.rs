//! The calls: making requests, checking answers, counting.
//!
//! It neither reads nor writes: the transports do.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;
use tokio::time::Instant;

use crate::text::payload;

/// What is to be done, the same for every connection.
#[derive(Clone)]
pub struct Plan {
    pub in_flight: u32,
    pub warm_up: Duration,
    pub measured: Duration,
    pub most: u64,
    text: Arc<str>,
    /// A request from after its id to its end.
    rest: Arc<[u8]>,
}

/// Calls on one connection: each slot holds one call in flight.
pub struct Calls {
    plan: Plan,
    slots: Vec<Slot>,
    /// A good answer from after its id to its end: all of them must look the same.
    good: Vec<u8>,
    pub tally: Tally,
}

struct Slot {
    id: u64,
    since: Instant,
}

/// What came back.
#[derive(Default)]
pub struct Tally {
    pub answered: u64,
    pub errors: u64,
    pub latency: Histogram,
}

/// Durations, to within three percent.
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    sum: Duration,
}

#[derive(Deserialize)]
struct Answer<'a> {
    id: Option<u64>,
    method: Option<serde::de::IgnoredAny>,
    #[serde(borrow)]
    result: Option<&'a serde_json::value::RawValue>,
}

#[derive(Deserialize)]
struct CallResult {
    content: Vec<Content>,
}

#[derive(Deserialize)]
struct Content {
    text: String,
}

/// What every request of a modern client says of itself: a member of its params.
pub const META: &str = concat!(
    r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","#,
    r#""io.modelcontextprotocol/clientInfo":{"name":"bench-load","version":"1"},"#,
    r#""io.modelcontextprotocol/clientCapabilities":{}}"#
);

const START: &[u8] = br#"{"jsonrpc":"2.0","id":"#;

impl Plan {
    pub fn new(cli: &super::Cli) -> Self {
        let text = payload(cli.size);
        let meta = if cli.modern { format!(",{META}") } else { String::new() };
        let name = serde_json::Value::from(cli.tool.as_str());
        let argument = serde_json::Value::from(cli.argument.as_str());
        let rest = format!(
            r#","method":"tools/call","params":{{"name":{name},"arguments":{{{argument}:"{text}"}}{meta}}}}}"#
        );
        Self {
            in_flight: cli.in_flight,
            warm_up: Duration::from_secs_f64(cli.warm_up),
            measured: Duration::from_secs_f64(cli.seconds),
            most: cli.calls.unwrap_or(u64::MAX),
            text: text.into(),
            rest: rest.into_bytes().into(),
        }
    }
}

impl Calls {
    /// `slots` calls in flight, the first of `in_flight` over all connections being `first`.
    pub fn new(plan: Plan, first: u32, slots: u32) -> Self {
        let now = Instant::now();
        let slots = (first..first + slots).map(|id| Slot { id: u64::from(id), since: now }).collect();
        Self { plan, slots, good: Vec::new(), tally: Tally::default() }
    }

    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Appends the next request of `slot` to `out`.
    pub fn request(&mut self, slot: usize, now: Instant, out: &mut Vec<u8>) {
        // Ids start above the ones of the handshake and never return.
        let call = &mut self.slots[slot];
        call.id += u64::from(self.plan.in_flight);
        call.since = now;
        out.extend_from_slice(START);
        write_number(call.id, out);
        out.extend_from_slice(&self.plan.rest);
    }

    /// Takes an answer, and says which slot is free now; `None` for a message that is no answer.
    ///
    /// # Errors
    /// When the answer belongs to no call in flight.
    pub fn answer(&mut self, message: &[u8], now: Instant) -> anyhow::Result<Option<usize>> {
        let head = leading_id(message);
        let quick = head.filter(|(_, rest)| *rest == self.good);
        let id = match quick {
            Some((id, _)) => id,
            None => match self.inspect(message, head.map(|(_, rest)| rest))? {
                Some(id) => id,
                None => return Ok(None),
            },
        };
        let first = self.slots[0].id % u64::from(self.plan.in_flight);
        let slot = (id % u64::from(self.plan.in_flight)).checked_sub(first).map(|slot| slot as usize);
        let call = slot.and_then(|slot| self.slots.get(slot)).filter(|call| call.id == id);
        let (Some(slot), Some(call)) = (slot, call) else { bail!("an answer to no call in flight: id {id}") };
        self.tally.answered += 1;
        self.tally.latency.add(now - call.since);
        Ok(Some(slot))
    }

    /// Looks at an answer that is not like the ones before.
    fn inspect(&mut self, message: &[u8], rest: Option<&[u8]>) -> anyhow::Result<Option<u64>> {
        let shown = || String::from_utf8_lossy(&message[..message.len().min(300)]).into_owned();
        let answer: Answer<'_> = serde_json::from_slice(message).with_context(shown)?;
        if answer.method.is_some() {
            return Ok(None);
        }
        let id = answer.id.with_context(|| format!("an answer without an id: {}", shown()))?;
        let result = answer.result.and_then(|raw| serde_json::from_str::<CallResult>(raw.get()).ok());
        if result.is_some_and(|result| result.content.len() == 1 && result.content[0].text == *self.plan.text)
        {
            self.good = rest.unwrap_or_default().to_vec();
        } else if self.good.is_empty() {
            bail!("the tool does not echo: {}", shown());
        } else {
            self.tally.errors += 1;
        }
        Ok(Some(id))
    }
}

/// The id of an answer that begins with it, as most do, and what follows.
fn leading_id(message: &[u8]) -> Option<(u64, &[u8])> {
    let digits = message.strip_prefix(START)?;
    let length = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    let id = digits[..length].iter().fold(0, |id, digit| id * 10 + u64::from(digit - b'0'));
    (length > 0).then_some((id, &digits[length..]))
}

fn write_number(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return out.extend_from_slice(&digits[first..]);
        }
    }
}

impl Tally {
    pub fn merge(&mut self, other: &Self) {
        self.answered += other.answered;
        self.errors += other.errors;
        self.latency.merge(&other.latency);
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; 64 * 32], count: 0, sum: Duration::ZERO }
    }
}

impl Histogram {
    fn add(&mut self, duration: Duration) {
        let nanos = duration.as_nanos() as u64 | 32;
        // The highest six bits: 32 buckets to each doubling.
        let shift = nanos.ilog2() - 5;
        self.buckets[(shift as usize) * 32 + (nanos >> shift) as usize - 32] += 1;
        self.count += 1;
        self.sum += duration;
    }

    fn merge(&mut self, other: &Self) {
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(own, other)| *own += other);
        self.count += other.count;
        self.sum += other.sum;
    }

    /// In microseconds.
    pub fn mean(&self) -> f64 {
        self.sum.as_secs_f64() * 1e6 / self.count.max(1) as f64
    }

    /// In microseconds.
    pub fn percentile(&self, percent: f64) -> f64 {
        let rank = (self.count as f64 * percent / 100.0).ceil() as u64;
        let mut seen = 0;
        let bucket = self.buckets.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        let bucket = bucket.unwrap_or_default() as u64;
        ((bucket % 32 + 32) << (bucket / 32)) as f64 / 1000.0
    }
}
