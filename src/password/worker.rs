//! The threads that hash, and what they share with those who ask.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::queue::{Entry, Lane, Queue};
use super::{Engine, HashError, Hasher, HasherError, Input, Params};
use crate::user::Password;

/// A computed tag. It is all that is needed to sign in, so it is wiped.
pub(super) type Tag = Zeroizing<Vec<u8>>;

/// One tag to compute, and whom to tell.
pub(super) struct Job {
    pub(super) task: Task,
    pub(super) reply: oneshot::Sender<Result<Tag, HashError>>,
}

/// What a worker does.
pub(super) enum Task {
    /// Compute a tag of `tag_len` bytes.
    Derive { password: Password, salt: Vec<u8>, params: Params, tag_len: usize },
    /// Run this instead, by which tests hold a worker, watch it or break it.
    #[cfg(test)]
    Call(Box<dyn FnOnce() + Send>),
}

/// The queue, and the bell that wakes the workers. The lock is held to put in and to take out, never to hash.
pub(super) struct Shared {
    state: Mutex<State>,
    bell: Condvar,
}

struct State {
    queue: Queue<Job>,
    open: bool,
}

impl Shared {
    pub(super) fn new(queue: Queue<Job>) -> Shared {
        Shared { state: Mutex::new(State { queue, open: true }), bell: Condvar::new() }
    }

    /// Queues a job, or says at once why not.
    pub(super) fn submit(&self, lane: Lane, job: Job) -> Result<(), HashError> {
        let mut state = self.lock();
        if !state.open {
            return Err(HashError::Stopped);
        }
        if !state.queue.has_room(lane) {
            // Those who left stand in the way of those who came.
            state.queue.remove(|job| job.reply.is_closed());
            if !state.queue.has_room(lane) {
                return Err(busy(state.queue.expected_wait(lane)));
            }
        }
        state.queue.push(lane, job.task.work(), job, Instant::now());
        drop(state);
        self.bell.notify_one();
        Ok(())
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
        drop(state);
        self.bell.notify_all();
        for entry in waiting {
            entry.item.answer(Err(HashError::Stopped));
        }
    }

    pub(super) fn queue_len(&self) -> usize {
        self.lock().queue.len()
    }

    /// The next job, as soon as there is one; none when the pool is closed.
    fn take(&self) -> Option<Entry<Job>> {
        let mut state = self.lock();
        while state.open {
            if let Some(entry) = state.queue.pop() {
                return Some(entry);
            }
            state = self.bell.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    fn busy(&self, lane: Lane) -> HashError {
        busy(self.lock().queue.expected_wait(lane))
    }

    /// A panic elsewhere cannot have left the queue half-changed, so a poisoned lock is as good as any.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Works until the pool is closed. `params` have been checked.
pub(super) fn work(shared: &Shared, engine: Engine, params: Params) {
    let mut hasher = fresh(engine, params);
    while let Some(Entry { item: job, lane, work, expires }) = shared.take() {
        if job.reply.is_closed() {
            continue;
        }
        let begun = Instant::now();
        if begun > expires {
            job.answer(Err(shared.busy(lane)));
            continue;
        }
        let Job { task, reply } = job;
        let measurable = task.is_measurable();
        let answer = match catch_unwind(AssertUnwindSafe(|| task.run(&mut hasher))) {
            Ok(Ok(tag)) => {
                if measurable {
                    shared.lock().queue.measured(work, begun.elapsed());
                }
                Ok(tag)
            }
            // The memory may be there again in a moment, as a worker may be.
            Ok(Err(HasherError::OutOfMemory)) => Err(shared.busy(lane)),
            Ok(Err(HasherError::Input)) => Err(HashError::Panicked),
            Err(_) => {
                hasher = fresh(engine, params);
                Err(HashError::Panicked)
            }
        };
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

/// When to come back: after the present queue, in whole seconds as `Retry-After` has them, and at least one.
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
            Task::Derive { password, salt, params, tag_len } => {
                let mut tag = Zeroizing::new(vec![0; tag_len]);
                let input = Input { password: password.as_bytes(), salt: &salt, secret: &[], data: &[] };
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
