//! The queue before the workers. It is bounded by time and not by length: whoever would wait longer than the deadline
//! is told at once and not after it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A longer deadline than this one is none, and could not be added to the present time.
const LONGEST_DEADLINE: Duration = Duration::from_secs(24 * 60 * 60);

/// A lane of its own for those who sign in, so that a flood of sign-ups cannot lock the users out. When both lanes
/// wait, they are served in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    Registration,
    Verification,
}

/// Waiting items, first in first out in each lane. `work` is how much each will take, in any unit that is
/// proportional to time. The queue reads no clock.
pub(super) struct Queue<T> {
    registrations: Waiting<T>,
    verifications: Waiting<T>,
    next: Lane,
    workers: f64,
    deadline: Duration,
    seconds_per_work: f64,
}

/// One waiting item.
pub(super) struct Entry<T> {
    pub(super) item: T,
    pub(super) lane: Lane,
    pub(super) work: u64,
    /// When it is no longer worth beginning.
    pub(super) expires: Instant,
}

struct Waiting<T> {
    entries: VecDeque<Entry<T>>,
    work: u64,
}

impl Lane {
    fn other(self) -> Lane {
        match self {
            Lane::Registration => Lane::Verification,
            Lane::Verification => Lane::Registration,
        }
    }
}

impl<T> Queue<T> {
    /// An empty queue before `workers` that serve it in parallel. `pace` is the time that one unit of work is
    /// believed to take until there are measurements.
    pub(super) fn new(workers: usize, deadline: Duration, pace: Duration) -> Queue<T> {
        Queue {
            registrations: Waiting::new(),
            verifications: Waiting::new(),
            next: Lane::Registration,
            workers: workers as f64,
            deadline: deadline.min(LONGEST_DEADLINE),
            seconds_per_work: pace.as_secs_f64(),
        }
    }

    /// How long a new item of `lane` would wait before it is begun. The items that are being worked on are left out:
    /// all of them together add less than the time of one.
    pub(super) fn expected_wait(&self, lane: Lane) -> Duration {
        let (mine, others) = (self.lane(lane), self.lane(lane.other()));
        // Served in turn, no more of the other lane go first than there are in this one, and one. Their share of the
        // other lane's work stands for theirs.
        let before = others.entries.len().min(mine.entries.len() + 1) as f64;
        let share = if others.entries.is_empty() { 0.0 } else { before / others.entries.len() as f64 };
        let work = mine.work as f64 + others.work as f64 * share;
        Duration::try_from_secs_f64(work * self.seconds_per_work / self.workers).unwrap_or(Duration::MAX)
    }

    /// Whether a new item of `lane` would be begun before its deadline.
    pub(super) fn has_room(&self, lane: Lane) -> bool {
        self.expected_wait(lane) <= self.deadline
    }

    /// Puts an item at the end of its lane, whether there is room or not. The deadline runs from `now`.
    pub(super) fn push(&mut self, lane: Lane, work: u64, item: T, now: Instant) {
        let expires = now + self.deadline;
        let waiting = self.lane_mut(lane);
        waiting.work += work;
        waiting.entries.push_back(Entry { item, lane, work, expires });
    }

    /// Takes the item whose turn it is.
    pub(super) fn pop(&mut self) -> Option<Entry<T>> {
        let lane = if self.lane(self.next).entries.is_empty() { self.next.other() } else { self.next };
        let waiting = self.lane_mut(lane);
        let entry = waiting.entries.pop_front()?;
        waiting.work -= entry.work;
        self.next = lane.other();
        Some(entry)
    }

    /// Takes out every item for which `gone` holds.
    pub(super) fn remove(&mut self, gone: impl Fn(&T) -> bool) {
        for waiting in [&mut self.registrations, &mut self.verifications] {
            waiting.entries.retain(|entry| !gone(&entry.item));
            waiting.work = waiting.entries.iter().map(|entry| entry.work).sum();
        }
    }

    /// Learns from one item that `work` took `time`. Each measurement counts an eighth, so that the estimate follows
    /// a machine that gets slower within some hashes and does not jump at one.
    pub(super) fn measured(&mut self, work: u64, time: Duration) {
        let sample = time.as_secs_f64() / work.max(1) as f64;
        self.seconds_per_work += (sample - self.seconds_per_work) / 8.0;
    }

    /// How many items wait.
    pub(super) fn len(&self) -> usize {
        self.registrations.entries.len() + self.verifications.entries.len()
    }

    fn lane(&self, lane: Lane) -> &Waiting<T> {
        match lane {
            Lane::Registration => &self.registrations,
            Lane::Verification => &self.verifications,
        }
    }

    fn lane_mut(&mut self, lane: Lane) -> &mut Waiting<T> {
        match lane {
            Lane::Registration => &mut self.registrations,
            Lane::Verification => &mut self.verifications,
        }
    }
}

impl<T> Waiting<T> {
    fn new() -> Waiting<T> {
        Waiting { entries: VecDeque::new(), work: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::Lane::{Registration, Verification};
    use super::*;

    /// Two workers, a deadline of one second, and 10 ms for each unit of work.
    fn queue() -> Queue<u32> {
        Queue::new(2, Duration::from_secs(1), Duration::from_millis(10))
    }

    fn fill(queue: &mut Queue<u32>, lane: Lane, items: std::ops::Range<u32>) {
        for item in items {
            queue.push(lane, 1, item, Instant::now());
        }
    }

    fn milliseconds(queue: &Queue<u32>, lane: Lane) -> u128 {
        (queue.expected_wait(lane) + Duration::from_micros(500)).as_millis()
    }

    #[test]
    fn room_ends_where_the_deadline_does() {
        let mut queue = queue();
        fill(&mut queue, Registration, 0..200);
        assert_eq!((milliseconds(&queue, Registration), queue.has_room(Registration)), (1000, true));
        fill(&mut queue, Registration, 200..201);
        assert_eq!((milliseconds(&queue, Registration), queue.has_room(Registration)), (1005, false));
        queue.pop();
        assert!(queue.has_room(Registration));
    }

    #[test]
    fn a_full_lane_leaves_the_other_its_room_and_its_turns() {
        let mut queue = queue();
        fill(&mut queue, Registration, 0..1000);
        assert_eq!(milliseconds(&queue, Verification), 5);
        fill(&mut queue, Verification, 1000..1003);
        assert_eq!(milliseconds(&queue, Verification), 35);
        assert_eq!(milliseconds(&queue, Registration), 5015);
        let order: Vec<u32> = (0..8).map(|_| queue.pop().unwrap().item).collect();
        assert_eq!(order, [0, 1000, 1, 1001, 2, 1002, 3, 4]);
        fill(&mut queue, Verification, 2000..2001);
        assert_eq!(queue.pop().unwrap().item, 2000, "whoever was not served last is next");
    }

    #[test]
    fn the_pace_follows_the_measurements() {
        let mut queue = queue();
        fill(&mut queue, Registration, 0..2);
        assert_eq!(milliseconds(&queue, Registration), 10);
        for _ in 0..100 {
            queue.measured(5, Duration::from_millis(500));
        }
        assert_eq!(milliseconds(&queue, Registration), 100);
    }

    #[test]
    fn what_is_removed_no_longer_counts() {
        let mut queue = queue();
        fill(&mut queue, Registration, 0..10);
        fill(&mut queue, Verification, 10..12);
        queue.remove(|item| item % 2 == 0);
        assert_eq!((queue.len(), milliseconds(&queue, Verification)), (6, 15));
        while queue.pop().is_some() {}
        assert_eq!((queue.len(), milliseconds(&queue, Registration)), (0, 0));
    }
}
