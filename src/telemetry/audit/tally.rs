//! Lines about what may happen very often: the first is written, those of the same kind soon after it are counted.
//!
//! It writes nothing and knows no time: who sweeps decides how often a count becomes a line.

use std::collections::HashMap;
use std::fmt;

/// Most kinds that are counted apart; all others are one.
const MOST: usize = 64;
/// The kind of all others.
const OTHERS: &str = "";

/// Makes the line for so many; one that happened is no count.
pub type Say = Box<dyn Fn(Count) -> String + Send>;

/// What a line stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// One that happened.
    First,
    /// So many of this kind, since the line before.
    More(u64),
    /// So many of several kinds.
    Others(u64),
}

/// The counts.
#[derive(Default)]
pub(super) struct Tallies(HashMap<String, Tally>);

struct Tally {
    say: Say,
    more: u64,
}

impl Tallies {
    /// One more of `kind`; the line to write now, if it is the first.
    pub(super) fn add(&mut self, kind: &str, say: impl FnOnce() -> Say) -> Option<String> {
        let kind = if self.0.contains_key(kind) || self.0.len() < MOST { kind } else { OTHERS };
        if let Some(tally) = self.0.get_mut(kind) {
            tally.more += 1;
            return None;
        }
        let say = say();
        // Of those that have no place of their own each is only counted.
        let (line, more) = if kind == OTHERS { (None, 1) } else { (Some(say(Count::First)), 0) };
        self.0.insert(kind.to_owned(), Tally { say, more });
        line
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The lines for what was counted. What did not happen since the sweep before is first again.
    pub(super) fn sweep(&mut self) -> Vec<String> {
        self.0.retain(|_, tally| tally.more > 0);
        let line = |(kind, tally): (&String, &mut Tally)| {
            let more = std::mem::take(&mut tally.more);
            (tally.say)(if kind == OTHERS { Count::Others(more) } else { Count::More(more) })
        };
        self.0.iter_mut().map(line).collect()
    }
}

impl fmt::Debug for Tallies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tallies").field("kinds", &self.0.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(kind: &str) -> impl FnOnce() -> Say {
        let kind = kind.to_owned();
        || Box::new(move |count| format!("{kind} {count:?}"))
    }

    #[test]
    fn one_line_for_the_first_and_one_for_the_rest() {
        let mut tallies = Tallies::default();
        assert_eq!(tallies.add("a", say("a")).as_deref(), Some("a First"));
        for _ in 0..9 {
            assert_eq!(tallies.add("a", say("a")), None);
        }
        assert_eq!(tallies.add("b", say("b")).as_deref(), Some("b First"));
        assert_eq!(tallies.sweep(), ["a More(9)"]);
        assert_eq!(tallies.add("a", say("a")), None, "one line for each sweep, at most");
        assert_eq!(tallies.sweep(), ["a More(1)"]);
        assert!(tallies.sweep().is_empty() && tallies.is_empty());
        assert_eq!(tallies.add("a", say("a")).as_deref(), Some("a First"));
    }

    #[test]
    fn many_kinds_are_one() {
        let mut tallies = Tallies::default();
        let lines = (0..10_000).filter_map(|n| tallies.add(&n.to_string(), say("x"))).count();
        assert_eq!(lines, MOST);
        assert_eq!(tallies.sweep(), ["x Others(9936)"]);
    }
}
