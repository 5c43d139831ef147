//! Rate limits that several processes share: tries that are counted and decided upon in one step.

/// One try, held against one bucket of the generic cell rate algorithm. Times are in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Take {
    /// Which bucket; it stands for the rate, too.
    pub digest: [u8; 16],
    /// From one try to the next at the steady rate; above zero.
    pub interval: i64,
    /// How far ahead of the steady rate the tries may be.
    pub tolerance: i64,
}

/// What came of several tries that were made in this order. None behind a refused one was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// All were let in.
    All,
    /// This one, counted from 0, came too soon by so many microseconds.
    TooSoon(usize, i64),
    /// The bucket of this one is new, and there is no room for new ones.
    NoRoom(usize),
}

/// A bucket that is further ahead than its rate allows, by more than this, was written before somebody set the clock
/// back. It counts as empty: to wait for the clock would lock people out.
pub(super) const CLOCK_SLACK: i64 = 1_000_000;

impl Taken {
    /// From what a store tells: how many of the tries were let in, and by how much the next one came too soon, if its
    /// bucket could be read.
    pub(super) fn told(takes: &[Take], let_in: usize, wait: Option<i64>, room: bool) -> Taken {
        let Some(refused) = takes.get(let_in) else { return Taken::All };
        match wait {
            None if !room => Taken::NoRoom(let_in),
            // It was filled at this very moment by others, and is as full as it gets.
            None => Taken::TooSoon(let_in, refused.interval),
            Some(wait) => Taken::TooSoon(let_in, wait.max(1)),
        }
    }
}
