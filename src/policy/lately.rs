//! A small table that forgets what was not asked for the longest time.
//!
//! It makes nothing itself, and looking one up costs a lock.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::Mutex;
use std::sync::PoisonError;

/// At most `limit` values by key.
pub struct Lately<K, V> {
    limit: usize,
    inner: Mutex<Inner<K, V>>,
}

struct Inner<K, V> {
    clock: u64,
    values: HashMap<K, (u64, V)>,
}

impl<K: Hash + Eq + Clone, V: Clone> Lately<K, V> {
    /// An empty one.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, inner: Mutex::new(Inner { clock: 0, values: HashMap::new() }) }
    }

    /// The value of `key`, made now if it is not known. What makes it must not look at this table.
    pub fn get(&self, key: &K, make: impl FnOnce() -> V) -> V {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.clock += 1;
        let now = inner.clock;
        if let Some((used, value)) = inner.values.get_mut(key) {
            *used = now;
            return value.clone();
        }
        if inner.values.len() >= self.limit {
            let oldest = inner.values.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| key.clone());
            oldest.map(|key| inner.values.remove(&key));
        }
        let value = make();
        inner.values.insert(key.clone(), (now, value.clone()));
        value
    }

    /// How many are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).values.len()
    }

    /// True when none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K, V> fmt::Debug for Lately<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lately").field("limit", &self.limit).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_not_asked_for_goes_first() {
        let table: Lately<String, u32> = Lately::new(2);
        let get = |key: &str, value| table.get(&key.to_owned(), || value);
        assert_eq!((get("a", 1), get("b", 2), get("a", 9)), (1, 2, 1));
        assert_eq!(get("c", 3), 3);
        assert_eq!((table.len(), get("a", 8), get("b", 7)), (2, 1, 7));
    }
}
