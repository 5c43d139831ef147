//! The queue before the workers. It is bounded by time and not by length: whoever could wait longer than the deadline
//! is told at once and not after it. So only half of the deadline is given away; the rest is for a machine that becomes
//! slower meanwhile.
//!
//! It is fair twice over. Sign-ups and password checks are served in turn, and so are the sources of sign-ups among
//! themselves. When there is no room left, whoever takes up the most of it gives way: its newest item is pushed out
//! for one of a shorter line (longest-queue drop; McKenney, "Stochastic Fairness Queueing", 1990). So a flood from one
//! side fills what nobody else needs, and no more.
//!
//! It is long for a burst and short for a flood. A queue that empties again has done its work; one that stands full
//! makes everybody wait and serves nobody sooner (Nichols and Jacobson, "Controlling Queue Delay", 2012). So when it
//! has not become short for as long as a whole deadline, only a part of the room is given away until it has.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A longer deadline than this one is none, and could not be added to the present time.
const LONGEST_DEADLINE: Duration = Duration::from_secs(24 * 60 * 60);

/// The part of the deadline that is given away: one in so many. A machine that becomes slower by this factor breaks no
/// promise; were all of it given away, who waits at the end of a full queue would be told at the deadline, and not at once.
const SURE: u32 = 2;

/// The part of the room that is given away while the queue stands: one in so many.
const STANDING: u32 = 2;

/// Nobody is sent away for longer. Behind a flood that long, the promise to be let in is not kept any more.
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// Where sign-ups come from, such as the number of a contract. Counted from 0; each has a line of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source(pub usize);

/// A lane of its own for those who sign in, so that a flood of sign-ups cannot lock the users out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    Registration(Source),
    Verification,
}

/// Waiting items, first in first out in each line. `work` is how much each will take, in any unit that is
/// proportional to time. The queue reads no clock.
pub(super) struct Queue<T> {
    /// One line per source, by its number.
    registrations: Vec<Line<T>>,
    verifications: Line<T>,
    /// The source whose turn is next among the registrations.
    next_source: usize,
    verification_is_next: bool,
    workers: f64,
    /// Up to so much waiting is let in.
    room: Duration,
    /// Since when it has not been short.
    standing: Option<Instant>,
    /// After so much waiting an item is no longer worth beginning.
    deadline: Duration,
    seconds_per_work: f64,
    sent_away: SentAway,
}

/// One waiting item.
pub(super) struct Entry<T> {
    pub(super) item: T,
    pub(super) work: u64,
    /// When it was let in.
    pub(super) since: Instant,
    /// When it is no longer worth beginning.
    pub(super) expires: Instant,
}

/// What became of an item that asked to be let in.
pub(super) enum Admission<T> {
    /// It waits.
    Admitted,
    /// It waits, and this one, which was the last of the longest line, had to go for it.
    InsteadOf(Entry<T>),
    /// There is no room.
    Refused(T),
}

struct Line<T> {
    entries: VecDeque<Entry<T>>,
    /// That of the entries.
    work: u64,
    /// That of those for whom room is kept.
    expected: u64,
}

/// Seconds of work that were sent away and may come back, each as soon as those before it have been served.
struct SentAway {
    seconds: f64,
    at: Option<Instant>,
}

impl<T> Queue<T> {
    /// An empty queue before `workers` that serve it in parallel, for what is not worth beginning after it has waited for
    /// `deadline`. `pace` is the time that one unit of work is believed to take until there are measurements.
    pub(super) fn new(workers: usize, deadline: Duration, pace: Duration) -> Queue<T> {
        let deadline = deadline.min(LONGEST_DEADLINE);
        Queue {
            registrations: Vec::new(),
            verifications: Line::new(),
            next_source: 0,
            verification_is_next: false,
            workers: workers as f64,
            room: deadline / SURE,
            standing: None,
            deadline,
            seconds_per_work: pace.as_secs_f64(),
            sent_away: SentAway { seconds: 0.0, at: None },
        }
    }

    /// How long it takes until all that waits is begun, and so the most that a new item waits while nobody overtakes
    /// it. The items that are being worked on are left out: all of them together add less than the time of one.
    pub(super) fn backlog(&self) -> Duration {
        let seconds = self.seconds((self.registered() + self.verifications.work) as f64);
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// Whether a new item of any line would be begun in time, behind all who wait and all who are expected.
    pub(super) fn has_room(&self, now: Instant) -> bool {
        self.room_taken() <= self.given_away(now)
    }

    /// The backlog, were all who are expected here.
    fn room_taken(&self) -> Duration {
        let lines = self.registrations.iter().chain([&self.verifications]);
        let seconds = self.seconds(lines.map(Line::length).sum::<u64>() as f64);
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    fn given_away(&self, now: Instant) -> Duration {
        let stands = self.standing.is_some_and(|since| now.saturating_duration_since(since) > self.deadline);
        if stands { self.room / STANDING } else { self.room }
    }

    /// How much of the room that is given away now is taken: 1 is all of it.
    pub(super) fn fullness(&self, now: Instant) -> f64 {
        let seconds = self.given_away(now).as_secs_f64();
        if seconds > 0.0 { self.room_taken().as_secs_f64() / seconds } else { 0.0 }
    }

    /// Keeps room for a new item of this line, if it would be let in: until it comes, those who ask later find that room
    /// taken. Whether one came or not, [`Queue::expected_no_more`] has to follow.
    pub(super) fn expect(&mut self, lane: Lane, work: u64, now: Instant) -> bool {
        self.watch(now);
        let welcome = self.has_room(now) || self.longer_than(lane, work).is_some();
        if welcome {
            self.line(lane).expected += work;
        }
        welcome
    }

    /// One who was expected in this line is here, or will not come.
    pub(super) fn expected_no_more(&mut self, lane: Lane, work: u64) {
        self.line(lane).expected -= work;
    }

    /// Notes whether the queue is short: half of what is given away while it stands.
    fn watch(&mut self, now: Instant) {
        let short = self.backlog() <= self.room / STANDING / 2;
        self.standing = if short { None } else { self.standing.or(Some(now)) };
    }

    /// Lets an item in at the end of its line if there is room, or if a longer line can give way.
    pub(super) fn admit(&mut self, lane: Lane, work: u64, item: T, now: Instant) -> Admission<T> {
        self.watch(now);
        if self.has_room(now) {
            self.push(lane, work, item, now);
            return Admission::Admitted;
        }
        let Some(longer) = self.longer_than(lane, work) else { return Admission::Refused(item) };
        let given_way = self.line(longer).drop_last();
        self.push(lane, work, item, now);
        given_way.map_or(Admission::Admitted, Admission::InsteadOf)
    }

    /// Puts an item at the end of its line, whether there is room or not. The deadline runs from `now`.
    pub(super) fn push(&mut self, lane: Lane, work: u64, item: T, now: Instant) {
        let expires = now + self.deadline;
        let line = self.line(lane);
        line.work += work;
        line.entries.push_back(Entry { item, work, since: now, expires });
    }

    /// Takes the item whose turn it is.
    pub(super) fn pop(&mut self) -> Option<Entry<T>> {
        let checked = if self.verification_is_next { self.verifications.take_first() } else { None };
        if let Some(entry) = checked {
            self.verification_is_next = false;
            return Some(entry);
        }
        if let Some(source) = self.next_with_work() {
            self.next_source = source + 1;
            self.verification_is_next = true;
            return self.registrations[source].take_first();
        }
        self.verifications.take_first()
    }

    /// Takes out every item for which `gone` holds.
    pub(super) fn remove(&mut self, gone: impl Fn(&T) -> bool) -> Vec<Entry<T>> {
        let lines = self.registrations.iter_mut().chain([&mut self.verifications]);
        lines.flat_map(|line| line.remove(&gone)).collect()
    }

    /// When an item that is turned away now should come back to be let in: when all that waits has been begun, and all
    /// who were turned away before it and may come back too. It assumes that they do, and that nobody new comes.
    pub(super) fn send_away(&mut self, work: u64, now: Instant) -> Duration {
        let outside = self.sent_away.add(self.seconds(work as f64), now);
        let outside = Duration::try_from_secs_f64(outside).unwrap_or(LONGEST_RETRY);
        self.backlog().saturating_add(outside).min(LONGEST_RETRY)
    }

    /// Learns from one item that `work` took `time`. Each measurement counts an eighth, so that the estimate follows
    /// a machine that gets slower within some hashes and does not jump at one.
    pub(super) fn measured(&mut self, work: u64, time: Duration) {
        let sample = time.as_secs_f64() / work.max(1) as f64;
        self.seconds_per_work += (sample - self.seconds_per_work) / 8.0;
    }

    /// How many items wait.
    pub(super) fn len(&self) -> usize {
        let registrations: usize = self.registrations.iter().map(|line| line.entries.len()).sum();
        registrations + self.verifications.entries.len()
    }

    fn seconds(&self, work: f64) -> f64 {
        work * self.seconds_per_work / self.workers
    }

    fn registered(&self) -> u64 {
        self.registrations.iter().map(|line| line.work).sum()
    }

    fn next_with_work(&self) -> Option<usize> {
        let count = self.registrations.len();
        (0..count)
            .map(|i| (self.next_source + i) % count)
            .find(|&i| !self.registrations[i].entries.is_empty())
    }

    /// The line that should give way to another item of `lane`: the longest one of the lane that takes up more. No
    /// line gives way to one that would then be as long.
    fn longer_than(&mut self, lane: Lane, work: u64) -> Option<Lane> {
        let registered: u64 = self.registrations.iter().map(Line::length).sum();
        let verified = self.verifications.length();
        let source = |queue: &Self| {
            let lines = queue.registrations.iter().enumerate().max_by_key(|(_, line)| line.length());
            lines.map(|(source, _)| Lane::Registration(Source(source)))
        };
        match lane {
            Lane::Verification if verified + work < registered => source(self),
            Lane::Registration(_) if registered + work < verified => Some(Lane::Verification),
            Lane::Verification => None,
            Lane::Registration(_) => {
                let mine = self.line(lane).length();
                source(self).filter(|&longest| mine + work < self.line(longest).length())
            }
        }
    }

    fn line(&mut self, lane: Lane) -> &mut Line<T> {
        match lane {
            Lane::Verification => &mut self.verifications,
            Lane::Registration(Source(source)) => {
                while self.registrations.len() <= source {
                    self.registrations.push(Line::new());
                }
                &mut self.registrations[source]
            }
        }
    }
}

impl<T> Line<T> {
    fn new() -> Line<T> {
        Line { entries: VecDeque::new(), work: 0, expected: 0 }
    }

    /// How much room it takes up: the work of those who wait and of those for whom room is kept.
    fn length(&self) -> u64 {
        self.work + self.expected
    }

    fn take_first(&mut self) -> Option<Entry<T>> {
        let entry = self.entries.pop_front()?;
        self.work -= entry.work;
        Some(entry)
    }

    fn drop_last(&mut self) -> Option<Entry<T>> {
        let entry = self.entries.pop_back()?;
        self.work -= entry.work;
        Some(entry)
    }

    fn remove(&mut self, gone: impl Fn(&T) -> bool) -> Vec<Entry<T>> {
        let (removed, kept) = self.entries.drain(..).partition(|entry| gone(&entry.item));
        let removed: VecDeque<Entry<T>> = removed;
        self.entries = kept;
        self.work = self.entries.iter().map(|entry| entry.work).sum();
        removed.into()
    }
}

impl SentAway {
    /// Adds to the line outside, which gets shorter by a second each second, and says how long it is.
    fn add(&mut self, seconds: f64, now: Instant) -> f64 {
        let passed = self.at.map_or(0.0, |at| now.saturating_duration_since(at).as_secs_f64());
        self.at = Some(now);
        self.seconds = ((self.seconds - passed).max(0.0) + seconds).min(LONGEST_RETRY.as_secs_f64());
        self.seconds
    }
}

#[cfg(test)]
mod tests;
