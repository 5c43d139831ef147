//! The threads that hash, and what they share with those who ask.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::metrics::PoolMetrics;
use super::pepper::Pepper;
use super::presence::Claim;
use super::queue::{Admission, Entry, Lane, Queue};
use super::{Engine, HashError, Hasher, HasherError, Input, Params};
use crate::user::Password;

/// A computed tag. It is all that is needed to sign in, so it is wiped.
pub(super) type Tag = Zeroizing<Vec<u8>>;

/// One tag to compute, for whom, and where to tell.
pub(super) struct Job {
    pub(super) task: Task,
    pub(super) claim: Claim,
    pub(super) reply: oneshot::Sender<Result<Tag, HashError>>,
}

/// What a worker does.
pub(super) enum Task {
    /// Compute a tag of `tag_len` bytes.
    Derive {
        /// Shared with one who will need it again.
        password: Arc<Password>,
        pepper: Option<Arc<Pepper>>,
        salt: Vec<u8>,
        params: Params,
        tag_len: usize,
    },
    /// Run this instead, by which tests hold a worker, watch it or break it.
    #[cfg(test)]
    Call(Box<dyn FnOnce() + Send>),
}

/// The queue, and the bell that wakes the workers. The lock is held to put in and to take out, never to hash.
pub(super) struct Shared {
    state: Mutex<State>,
    bell: Condvar,
    /// How many have left the queue since it was last looked through for them.
    pub(super) left: Arc<AtomicUsize>,
    pub(super) metrics: PoolMetrics,
}

struct State {
    queue: Queue<Job>,
    open: bool,
    hold: Option<Hold>,
}

/// Where tests stop the workers, to have events in an order of their own.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// They take no job.
    BeforeTaking,
    /// They have taken one and do not compute yet.
    AfterTaking,
}

impl Shared {
    pub(super) fn new(queue: Queue<Job>) -> Shared {
        let state = Mutex::new(State { queue, open: true, hold: None });
        Shared { state, bell: Condvar::new(), left: Arc::default(), metrics: PoolMetrics::default() }
    }

    /// Queues a job, or says at once why not. Room of so much work was `kept` for it, and is its own now: nobody comes between.
    pub(super) fn submit(&self, lane: Lane, kept: u64, job: Job) -> Result<(), HashError> {
        let mut state = self.lock();
        state.queue.expected_no_more(lane, kept);
        if !state.open {
            return Err(HashError::Stopped);
        }
        if job.claim.is_void() {
            self.metrics.left.inc();
            return Err(HashError::Left);
        }
        let (work, now) = (job.task.work(), Instant::now());
        let gone = self.make_room(&mut state, now);
        let admission = state.queue.admit(lane, work, job, now);
        let retry_after = match &admission {
            Admission::Admitted => Duration::ZERO,
            Admission::InsteadOf(entry) => state.queue.send_away(entry.work, now),
            Admission::Refused(_) => state.queue.send_away(work, now),
        };
        self.metrics.waiting.set(state.queue.len() as i64);
        drop(state);
        for entry in gone {
            self.tell_left(entry.item);
        }
        match admission {
            Admission::Refused(_) => {
                self.metrics.refused.inc();
                return Err(busy(retry_after));
            }
            Admission::InsteadOf(entry) => {
                self.metrics.pushed_out.inc();
                entry.item.answer(Err(busy(retry_after)));
            }
            Admission::Admitted => {}
        }
        self.bell.notify_one();
        Ok(())
    }

    /// Keeps room for a job of this work, or gives the answer that it would get.
    pub(super) fn expect(&self, lane: Lane, work: u64) -> Result<(), HashError> {
        let mut state = self.lock();
        let now = Instant::now();
        let gone = self.make_room(&mut state, now);
        let refused = !state.queue.expect(lane, work, now);
        let retry_after = if refused { state.queue.send_away(work, now) } else { Duration::ZERO };
        drop(state);
        for entry in gone {
            self.tell_left(entry.item);
        }
        if !refused {
            return Ok(());
        }
        self.metrics.refused.inc();
        Err(busy(retry_after))
    }

    /// See [`Queue::expected_no_more`].
    pub(super) fn expected_no_more(&self, lane: Lane, work: u64) {
        self.lock().queue.expected_no_more(lane, work);
    }

    /// See [`Queue::fullness`].
    pub(super) fn fullness(&self) -> f64 {
        self.lock().queue.fullness(Instant::now())
    }

    /// Those who left stand in the way of those who come: takes them out when there is no room otherwise.
    fn make_room(&self, state: &mut State, now: Instant) -> Vec<Entry<Job>> {
        if state.queue.has_room(now) || self.left.swap(0, Ordering::Relaxed) == 0 {
            return Vec::new();
        }
        state.queue.remove(|job| job.claim.is_void())
    }

    fn tell_left(&self, job: Job) {
        self.metrics.left.inc();
        job.answer(Err(HashError::Left));
    }

    /// Queues a job that never expires, whatever the deadline.
    #[cfg(test)]
    pub(super) fn submit_for_ever(&self, lane: Lane, job: Job) {
        let far = Instant::now() + Duration::from_secs(3600);
        self.lock().queue.push(lane, job.task.work(), job, far);
        self.bell.notify_one();
    }

    /// Takes no more jobs and tells those that wait. What is being computed is still answered.
    pub(super) fn close(&self) {
        let mut waiting = Vec::new();
        let mut state = self.lock();
        state.open = false;
        waiting.extend(std::iter::from_fn(|| state.queue.pop()));
        self.metrics.waiting.set(0);
        drop(state);
        self.bell.notify_all();
        for entry in waiting {
            entry.item.answer(Err(HashError::Stopped));
        }
    }

    pub(super) fn queue_len(&self) -> usize {
        self.lock().queue.len()
    }

    /// The next job that is still wanted and not too late, as soon as there is one; none when the pool is closed.
    fn take(&self) -> Option<(Job, u64)> {
        loop {
            let (Entry { item: job, work, since, expires }, now) = self.pop()?;
            if now > expires {
                self.metrics.late.inc();
                job.answer(Err(self.busy(work)));
            } else if job.claim.begin() {
                self.metrics.wait.observe((now - since).as_secs_f64());
                return Some((job, work));
            } else {
                self.tell_left(job);
            }
        }
    }

    fn pop(&self) -> Option<(Entry<Job>, Instant)> {
        let mut state = self.lock();
        while state.open {
            let held = state.hold == Some(Hold::BeforeTaking);
            if !held && let Some(entry) = state.queue.pop() {
                self.metrics.waiting.set(state.queue.len() as i64);
                return Some((entry, Instant::now()));
            }
            state = self.bell.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    /// Holds the workers, or lets them go.
    pub(super) fn hold(&self, hold: Option<Hold>) {
        self.lock().hold = hold;
        self.bell.notify_all();
    }

    fn wait_while_held(&self) {
        let mut state = self.lock();
        while state.open && state.hold == Some(Hold::AfterTaking) {
            state = self.bell.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn busy(&self, work: u64) -> HashError {
        busy(self.lock().queue.send_away(work, Instant::now()))
    }

    /// A panic elsewhere cannot have left the queue half-changed, so a poisoned lock is as good as any.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Works until the pool is closed. `params` have been checked.
pub(super) fn work(shared: &Shared, engine: Engine, params: Params) {
    let mut hasher = fresh(engine, params);
    while let Some((Job { task, reply, .. }, work)) = shared.take() {
        shared.metrics.working.inc();
        shared.wait_while_held();
        let begun = Instant::now();
        let measurable = task.is_measurable();
        let answer = match catch_unwind(AssertUnwindSafe(|| task.run(&mut hasher))) {
            Ok(Ok(tag)) => {
                if measurable {
                    let time = begun.elapsed();
                    shared.metrics.hash.observe(time.as_secs_f64());
                    shared.lock().queue.measured(work, time);
                }
                Ok(tag)
            }
            // The memory may be there again in a moment, as a worker may be.
            Ok(Err(HasherError::OutOfMemory)) => {
                shared.metrics.no_memory.inc();
                Err(shared.busy(work))
            }
            Ok(Err(HasherError::Input)) => Err(HashError::Panicked),
            Err(_) => {
                hasher = fresh(engine, params);
                Err(HashError::Panicked)
            }
        };
        shared.metrics.working.dec();
        // Whoever left while it was computed does not need it.
        let _ = reply.send(answer);
    }
}

/// A hasher with its memory; when there is none yet, the first tag asks again.
fn fresh(engine: Engine, params: Params) -> Hasher {
    let mut hasher = Hasher::new(engine, params).expect("the pool checked the parameters when it started");
    let _ = hasher.reserve();
    hasher
}

/// When to come back, in whole seconds as `Retry-After` has them, and at least one.
fn busy(wait: Duration) -> HashError {
    let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
    HashError::Busy { retry_after: Duration::from_secs(seconds.max(1)) }
}

impl Job {
    fn answer(self, answer: Result<Tag, HashError>) {
        let _ = self.reply.send(answer);
    }
}

impl Task {
    /// How much there is to do, in blocks of 1 KiB; time follows it closely.
    fn work(&self) -> u64 {
        match self {
            Task::Derive { params, .. } => params.work(),
            #[cfg(test)]
            Task::Call(_) => Params::default().work(),
        }
    }

    /// Whether its time says something about the next one's.
    fn is_measurable(&self) -> bool {
        matches!(self, Task::Derive { .. })
    }

    fn run(self, hasher: &mut Hasher) -> Result<Tag, HasherError> {
        match self {
            Task::Derive { password, pepper, salt, params, tag_len } => {
                let mut tag = Zeroizing::new(vec![0; tag_len]);
                let secret = pepper.as_ref().map_or(&[][..], |pepper| &pepper.secret);
                let input = Input { password: password.as_bytes(), salt: &salt, secret, data: &[] };
                hasher.derive(params, input, &mut tag)?;
                Ok(tag)
            }
            #[cfg(test)]
            Task::Call(call) => {
                call();
                Ok(Tag::default())
            }
        }
    }
}
