//! How much work a schema can make, before it makes it: how often its parts are looked at on the way to the deepest value.
//!
//! It counts too much rather than too little. It does not know what a keyword asks for.

use serde_json::Value;
use std::collections::HashMap;

/// Parts of a schema that are counted.
const MAX_PARTS: usize = 20_000;
/// Deepest arguments that are checked.
const DEEPEST: usize = 64;
/// Looks that one call may take.
const MAX_LOOKS: u64 = 1_000_000;

/// Keywords whose schemas apply to the same value.
const SAME: [&str; 7] = ["allOf", "anyOf", "oneOf", "not", "if", "then", "else"];
/// Those with a schema for each name, applied to the same value.
const SAME_BY_NAME: [&str; 2] = ["dependentSchemas", "dependencies"];
/// Keywords whose schemas apply to what is in the value.
const BELOW: [&str; 10] = [
    "items",
    "prefixItems",
    "additionalItems",
    "contains",
    "additionalProperties",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
    "extends",
];
/// Those with a schema for each name.
const BELOW_BY_NAME: [&str; 2] = ["properties", "patternProperties"];
/// They look at parts again, or are resolved in ways that are not counted here.
const UNCOUNTED: [&str; 4] = ["$dynamicRef", "$recursiveRef", "unevaluatedItems", "unevaluatedProperties"];

/// The work that a schema makes, by the depth of the arguments.
#[derive(Debug)]
pub(super) struct Bounds {
    looks: Vec<u64>,
}

/// A part of a schema, and the parts that it leads to.
#[derive(Debug, Default)]
struct Part {
    same: Vec<usize>,
    below: Vec<usize>,
}

impl Bounds {
    /// Counts. `None` for a schema that refers to something outside, to itself without an end, or that has too many parts.
    pub(super) fn of(schema: &Value) -> Option<Self> {
        let parts = parts(schema)?;
        let order = innermost_first(&parts)?;
        let (mut looks, mut before) = (Vec::with_capacity(DEEPEST), vec![0u64; parts.len()]);
        for _ in 0..DEEPEST {
            let mut now = vec![1u64; parts.len()];
            for at in &order {
                let same = parts[*at].same.iter().map(|part| now[*part]);
                let below = parts[*at].below.iter().map(|part| before[*part]);
                now[*at] = same.chain(below).fold(1, u64::saturating_add);
            }
            looks.push(now[0]);
            before = now;
        }
        Some(Self { looks })
    }

    /// True when `arguments` can be checked without taking long.
    pub(super) fn allow(&self, arguments: &Value) -> bool {
        let (depth, count) = size(arguments);
        self.looks.get(depth).is_some_and(|looks| looks.saturating_mul(count) <= MAX_LOOKS)
    }
}

/// The depth of a value, and how many values are in it.
fn size(value: &Value) -> (usize, u64) {
    let inner: Vec<(usize, u64)> = match value {
        Value::Array(items) => items.iter().map(size).collect(),
        Value::Object(members) => members.values().map(size).collect(),
        _ => return (0, 1),
    };
    let depth = inner.iter().map(|(depth, _)| depth + 1).max().unwrap_or_default();
    (depth, inner.iter().fold(1, |all, (_, count)| all + count))
}

/// Every part that can be reached; the first is the whole.
fn parts(root: &Value) -> Option<Vec<Part>> {
    let mut places: HashMap<*const Value, usize> = HashMap::new();
    let mut values = vec![root];
    places.insert(root, 0);
    let mut parts: Vec<Part> = Vec::new();
    while let Some(value) = values.get(parts.len()).copied() {
        let mut part = Part::default();
        let (same, below) = led_to(root, value, parts.is_empty())?;
        for (list, found) in [(&mut part.same, same), (&mut part.below, below)] {
            for next in found {
                let at = *places.entry(next).or_insert_with(|| {
                    values.push(next);
                    values.len() - 1
                });
                list.push(at);
            }
        }
        parts.push(part);
        if values.len() > MAX_PARTS {
            return None;
        }
    }
    Some(parts)
}

type LedTo<'v> = (Vec<&'v Value>, Vec<&'v Value>);

fn led_to<'v>(root: &'v Value, value: &'v Value, is_root: bool) -> Option<LedTo<'v>> {
    let (mut same, mut below) = (Vec::new(), Vec::new());
    let Value::Object(members) = value else { return Some((same, below)) };
    for (key, inner) in members {
        let key = key.as_str();
        if UNCOUNTED.contains(&key) && !inner.is_boolean() || key == "$id" && !is_root {
            return None;
        }
        if key == "$ref" {
            same.push(target(root, inner)?);
        }
        let (list, by_name) = match key {
            _ if SAME.contains(&key) => (&mut same, false),
            _ if SAME_BY_NAME.contains(&key) => (&mut same, true),
            _ if BELOW.contains(&key) => (&mut below, false),
            _ if BELOW_BY_NAME.contains(&key) => (&mut below, true),
            _ => continue,
        };
        match inner {
            Value::Array(schemas) => list.extend(schemas),
            Value::Object(schemas) if by_name => list.extend(schemas.values()),
            schema => list.push(schema),
        }
    }
    Some((same, below))
}

/// What a reference within the schema leads to.
fn target<'v>(root: &'v Value, reference: &Value) -> Option<&'v Value> {
    let pointer = reference.as_str()?.strip_prefix('#')?;
    root.pointer(pointer).filter(|_| !pointer.contains('%'))
}

/// The parts, each after all that apply to the same value. `None` when that goes in a circle.
fn innermost_first(parts: &[Part]) -> Option<Vec<usize>> {
    let mut open: Vec<usize> = parts.iter().map(|part| part.same.len()).collect();
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); parts.len()];
    for (at, part) in parts.iter().enumerate() {
        part.same.iter().for_each(|inner| users[*inner].push(at));
    }
    let mut order: Vec<usize> = (0..parts.len()).filter(|at| open[*at] == 0).collect();
    let mut next = 0;
    while let Some(done) = order.get(next).copied() {
        next += 1;
        for user in &users[done] {
            open[*user] -= 1;
            if open[*user] == 0 {
                order.push(*user);
            }
        }
    }
    (order.len() == parts.len()).then_some(order)
}
