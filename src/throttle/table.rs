//! Many buckets in bounded memory.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, PoisonError};

use super::bucket::{Bucket, Micros};

/// As many locks, so that a sweep of one part holds nobody up for long.
const PARTS: usize = 16;
/// A part this small is not worth a sweep.
const SMALL: usize = 64;
/// A full part is swept this often at the most: a sweep costs what it looks at, and strangers choose when.
const PAUSE: Micros = 1_000_000;

/// Up to when the tries of each key fill the time. Keys are kept as keyed hashes, 16 bytes a key with its moment.
#[derive(Debug)]
pub(super) struct Table {
    hasher: RandomState,
    parts: Vec<Mutex<Part>>,
}

#[derive(Debug, Default)]
struct Part {
    ends: HashMap<u64, Micros>,
    most: usize,
    /// Swept when it has become this large.
    sweep_at: usize,
    swept: Option<Micros>,
}

/// Why a try is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// There were too many; after this long there is room for one.
    Wait(Micros),
    /// The key is new, and there is no room to remember it.
    Full,
}

impl Table {
    /// An empty table of at most `most` keys, in equal parts of at least one.
    pub(super) fn new(most: usize) -> Table {
        let most = (most / PARTS).max(1);
        let part = || Mutex::new(Part { most, sweep_at: SMALL.min(most), ..Part::default() });
        Table { hasher: RandomState::new(), parts: std::iter::repeat_with(part).take(PARTS).collect() }
    }

    /// One try of this key.
    pub(super) fn take(&self, key: &impl Hash, bucket: &Bucket, now: Micros) -> Result<(), Refused> {
        let hash = self.hash(key);
        self.with(hash, |part| {
            match part.ends.get_mut(&hash) {
                Some(end) => *end = bucket.take(*end, now).map_err(Refused::Wait)?,
                None => {
                    part.make_room(now)?;
                    let end = bucket.take(now, now).map_err(Refused::Wait)?;
                    part.ends.insert(hash, end);
                }
            }
            Ok(())
        })
    }

    /// What stands for a key here.
    pub(super) fn hash(&self, key: &impl Hash) -> u64 {
        self.hasher.hash_one(key)
    }

    /// The tries of a known key fill the time up to `end`, as somebody knows who counts those of others, too.
    pub(super) fn learn(&self, hash: u64, end: Micros) {
        self.with(hash, |part| {
            if let Some(known) = part.ends.get_mut(&hash) {
                *known = end;
            }
        });
    }

    /// How many keys are remembered, expired ones among them.
    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(|part| part.lock().unwrap_or_else(PoisonError::into_inner).ends.len()).sum()
    }

    fn with<T>(&self, hash: u64, work: impl FnOnce(&mut Part) -> T) -> T {
        // The map below uses other bits of another hash.
        let part = &self.parts[hash as usize % PARTS];
        work(&mut part.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Part {
    /// Sees to it that one more key fits. Sweeping at twice what was left the last time costs each key a constant share.
    fn make_room(&mut self, now: Micros) -> Result<(), Refused> {
        let full = self.ends.len() >= self.most;
        let rested = self.swept.is_none_or(|swept| now.saturating_sub(swept) >= PAUSE);
        if self.ends.len() >= self.sweep_at && (!full || rested) {
            self.ends.retain(|_, end| *end > now);
            self.swept = Some(now);
            self.sweep_at = (2 * self.ends.len()).clamp(SMALL.min(self.most), self.most);
            if self.ends.capacity() > 4 * self.sweep_at {
                self.ends.shrink_to(self.sweep_at);
            }
        }
        if self.ends.len() < self.most { Ok(()) } else { Err(Refused::Full) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Rate;

    fn hourly(count: u32) -> Bucket {
        Bucket::new(Rate { count, per: Duration::from_secs(3600), burst: count })
    }

    #[test]
    fn a_full_table_refuses_strangers_and_nobody_else_until_it_is_swept() {
        let (table, bucket) = (Table::new(100), hourly(2));
        let known: Vec<u32> = (0..1000).filter(|key| table.take(key, &bucket, 0).is_ok()).collect();
        assert!(known.len() <= 100 && table.len() == known.len(), "{}", table.len());
        assert_eq!(table.take(&u32::MAX, &bucket, 0), Err(Refused::Full));
        for key in &known {
            assert_eq!(table.take(key, &bucket, 0), Ok(()), "somebody known");
            assert!(matches!(table.take(key, &bucket, 0), Err(Refused::Wait(_))));
        }
        let hours = 3 * 3_600_000_000;
        assert_eq!(table.take(&u32::MAX, &bucket, hours), Ok(()));
        (0..1000u32).for_each(|key| {
            let _ = table.take(&key, &bucket, 2 * hours);
        });
        assert!(table.len() <= 100, "{}", table.len());
    }

    #[test]
    fn what_has_expired_goes_by_itself() {
        let (table, bucket) = (Table::new(1_000_000), hourly(3600));
        for second in 0..100_000u64 {
            table.take(&second, &bucket, second * 1_000_000).expect("a new key in every second");
        }
        assert!(table.len() <= PARTS * SMALL, "{} keys for 1 that counts", table.len());
    }
}
