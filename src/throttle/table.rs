//! Many buckets in bounded memory.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

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
        work(&mut self.part(hash).lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn part(&self, hash: u64) -> &Mutex<Part> {
        // The map below uses other bits of another hash.
        &self.parts[hash as usize % PARTS]
    }
}

/// One try of a key, in its table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) table: &'a Table,
    pub(super) bucket: &'a Bucket,
    pub(super) hash: u64,
}

/// Counts all of these tries, or none of them, in one step: who is refused by one limit leaves no trace in the others.
///
/// # Errors
/// The first that is refused, counted from 0, and why.
pub(super) fn take(asked: &[Asked<'_>], now: Micros) -> Result<(), (usize, Refused)> {
    let mut held = Held::all(asked);
    let mut before = Vec::with_capacity(asked.len());
    for (number, one) in asked.iter().enumerate() {
        match held.part(number).take(one, now) {
            Ok(end) => before.push(end),
            Err(refused) => {
                for (number, end) in before.into_iter().enumerate().rev() {
                    held.part(number).put_back(asked[number].hash, end);
                }
                return Err((number, refused));
            }
        }
    }
    Ok(())
}

/// The locked parts that some tries need.
struct Held<'a> {
    guards: Vec<MutexGuard<'a, Part>>,
    /// Which of them each try needs.
    places: Vec<usize>,
}

impl<'a> Held<'a> {
    /// Locks each part once, and all in one order, by their place in memory, so that nobody waits for whom they hold up.
    fn all(asked: &[Asked<'a>]) -> Held<'a> {
        let needed = asked.iter().map(|one| one.table.part(one.hash));
        let mut parts: Vec<&Mutex<Part>> = needed.clone().collect();
        parts.sort_unstable_by_key(|part| ptr::from_ref(*part));
        parts.dedup_by(|one, other| ptr::eq(*one, *other));
        let place = |part| parts.partition_point(|other| ptr::from_ref(*other) < ptr::from_ref(part));
        let places = needed.map(place).collect();
        let guards = parts.iter().map(|part| part.lock().unwrap_or_else(PoisonError::into_inner)).collect();
        Held { guards, places }
    }

    /// The part of the try of this number.
    fn part(&mut self, number: usize) -> &mut Part {
        &mut self.guards[self.places[number]]
    }
}

impl Part {
    /// Counts a try, and returns how full its bucket was before it; `None` when it had none.
    fn take(&mut self, asked: &Asked<'_>, now: Micros) -> Result<Option<Micros>, Refused> {
        let known = self.ends.get(&asked.hash).copied();
        if known.is_none() {
            self.make_room(now)?;
        }
        let end = asked.bucket.take(known.unwrap_or(now), now).map_err(Refused::Wait)?;
        self.ends.insert(asked.hash, end);
        Ok(known)
    }

    /// Undoes [`Part::take`].
    fn put_back(&mut self, hash: u64, before: Option<Micros>) {
        match before {
            Some(end) => self.ends.insert(hash, end),
            None => self.ends.remove(&hash),
        };
    }

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

    impl Table {
        /// One try of this key alone.
        fn take(&self, key: &impl Hash, bucket: &Bucket, now: Micros) -> Result<(), Refused> {
            take(&[Asked { table: self, bucket, hash: self.hash(key) }], now).map_err(|(_, refused)| refused)
        }
    }

    #[test]
    fn of_several_tries_all_are_counted_or_none_however_many_come_at_once() {
        let (many, one, bucket) = (Table::new(1_000_000), Table::new(16), hourly(10));
        let ask = |table, key: u32| Asked { table, bucket: &bucket, hash: table.hash(&key) };
        let let_in: usize = std::thread::scope(|scope| {
            let tries = |thread: u32| {
                let tries = (0..2000).map(move |number| 10_000 * thread + number);
                tries.filter(|&key| {
                    // In either order, and twice in one table.
                    let mut asked = [ask(&many, key), ask(&one, 0), ask(&many, key + 5000)];
                    asked.rotate_left(key as usize % 3);
                    take(&asked, 0).is_ok()
                })
            };
            let threads: Vec<_> = (0..8).map(|thread| scope.spawn(move || tries(thread).count())).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
        });
        assert_eq!((let_in, many.len(), one.len()), (10, 20, 1));
    }

    #[test]
    fn a_refused_try_leaves_each_bucket_as_it_was() {
        let (first, second) = (Table::new(1000), Table::new(1000));
        let (wide, narrow) = (hourly(3), hourly(1));
        let ask = |key: u32, other: u32| {
            let [hash, last] = [first.hash(&key), second.hash(&other)];
            let asked = [
                Asked { table: &first, bucket: &wide, hash },
                Asked { table: &second, bucket: &narrow, hash: last },
            ];
            take(&asked, 0)
        };
        assert_eq!(ask(1, 1), Ok(()));
        (0..10).for_each(|_| assert!(matches!(ask(1, 1), Err((1, Refused::Wait(_))))));
        assert_eq!([ask(1, 2), ask(1, 3)], [Ok(()); 2], "the two that were left");
        assert!(matches!(ask(1, 4), Err((0, Refused::Wait(_)))));
        assert_eq!((first.len(), second.len()), (1, 3));
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
