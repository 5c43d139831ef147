//! The pool: what the rest of the program sees of hashing.

use std::fmt;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;

use super::error::{HashError, StartError, VerifyError};
use super::metrics::PoolMetrics;
use super::pepper::Pepper;
use super::presence::{Claim, Presence};
use super::queue::{Lane, Queue, Source};
use super::self_test::self_test;
use super::worker::{self, Hold, Job, Shared, Tag, Task};
use super::{Engine, Params, Peppers, Phc};
use crate::user::Password;

/// Length of the tags of new hashes, in bytes.
const TAG_LEN: usize = 32;

/// How a pool is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSettings {
    /// Which implementation computes.
    pub engine: Engine,
    /// The cost of new hashes. Whether it is enough is for [`Params::check`] to say, and for the configuration to ask.
    pub params: Params,
    /// How many threads compute, each one hash at a time with a memory of its own.
    pub workers: usize,
    /// How long a hash may wait until it is begun.
    pub deadline: Duration,
}

/// One worker per core unless told otherwise.
pub fn workers(configured: usize) -> usize {
    match configured {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    }
}

/// Worker threads that compute Argon2id, behind a queue that is bounded by time.
///
/// Whatever is asked of it, it computes at most `workers` hashes at once and keeps `workers` x `memory_kib` of memory;
/// a stored hash of higher cost takes its own for as long as it is verified, within the ceilings of
/// [`Params::check_bounds`]. Who might wait longer than the deadline is refused at once; a hash whose asker has left
/// before it begins ([`Presence`]) is never computed. No source of sign-ups can starve another, nor password checks.
/// Dropping the pool closes it and waits for the hashes that are being computed.
pub struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    settings: PoolSettings,
    peppers: Peppers,
}

/// Room that is kept for one sign-up until it is taken or given back.
pub struct Place {
    shared: Arc<Shared>,
    lane: Lane,
    work: u64,
}

impl Place {
    /// It is no longer kept, but about to be taken, before anything is waited for.
    fn taken(mut self) -> Seat {
        Seat { lane: self.lane, kept: std::mem::take(&mut self.work) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.work > 0 {
            self.shared.expected_no_more(self.lane, self.work);
        }
    }
}

/// Where a hash waits, and how much work of room was kept for it there.
struct Seat {
    lane: Lane,
    kept: u64,
}

impl Seat {
    fn unkept(lane: Lane) -> Seat {
        Seat { lane, kept: 0 }
    }
}

/// What a pool is, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Which implementation computes.
    pub engine: Engine,
    /// Its code for this machine, such as "avx512".
    pub back_end: String,
    /// How many threads compute.
    pub workers: usize,
    /// The cost of new hashes.
    pub params: Params,
}

impl Pool {
    /// Tests the engine (RFC 9106, section 5.3) and starts the workers, each of which reserves its memory itself.
    ///
    /// # Errors
    /// [`StartError`]; no thread is left running.
    pub fn start(settings: PoolSettings) -> Result<Pool, StartError> {
        Pool::start_with(settings, Peppers::default())
    }

    /// [`Pool::start`] for hashes into which a pepper goes: the newest into new ones.
    ///
    /// # Errors
    /// [`StartError`]; no thread is left running.
    pub fn start_with(settings: PoolSettings, peppers: Peppers) -> Result<Pool, StartError> {
        settings.params.check_bounds()?;
        if settings.workers == 0 {
            return Err(StartError::NoWorkers);
        }
        self_test(settings.engine)?;
        let queue = Queue::new(settings.workers, settings.deadline, first_guess(settings.engine));
        let mut pool = Pool { shared: Arc::new(Shared::new(queue)), threads: Vec::new(), settings, peppers };
        for number in 1..=settings.workers {
            let shared = Arc::clone(&pool.shared);
            let work = move || worker::work(&shared, settings.engine, settings.params);
            let thread = thread::Builder::new().name(format!("password-{number}")).spawn(work);
            pool.threads.push(thread.map_err(StartError::Thread)?);
        }
        Ok(pool)
    }

    /// A token for one who is about to ask, to be held where they wait.
    pub fn presence(&self) -> Presence {
        Presence::new(&self.shared.left)
    }

    /// Hashes a password with the pool's parameters and `salt`, which must be fresh randomness. The answer is the PHC
    /// string to store, with a tag of 32 bytes. `place` says whose sign-up it is, and `claim` whether they still wait.
    ///
    /// # Errors
    /// [`HashError`].
    pub async fn hash(
        &self,
        password: Password,
        salt: [u8; 16],
        place: Place,
        claim: Claim,
    ) -> Result<String, HashError> {
        self.new_hash(place.taken(), Arc::new(password), salt, self.settings.params, claim).await
    }

    async fn new_hash(
        &self,
        seat: Seat,
        password: Arc<Password>,
        salt: [u8; 16],
        params: Params,
        claim: Claim,
    ) -> Result<String, HashError> {
        let pepper = self.peppers.newest().cloned();
        let key_id = pepper.as_ref().map(|pepper| pepper.id.clone());
        let task = Task::Derive { password, pepper, salt: salt.to_vec(), params, tag_len: TAG_LEN };
        let tag = self.run(seat, task, claim).await?;
        Ok(Phc::new(params, key_id, &salt, &tag).to_string())
    }

    /// Whether `password` is the one that was stored as `phc`: any Argon2id PHC string within the ceilings of
    /// [`Phc::parse`]. Compared in constant time. Dropping the future takes the work back if it has not begun.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub async fn verify(&self, password: Arc<Password>, phc: &str) -> Result<bool, VerifyError> {
        let stored = Phc::parse(phc)?;
        let pepper = self.pepper_of(&stored)?;
        let salt = stored.salt().to_vec();
        let (params, tag_len) = (stored.params(), stored.tag_len());
        let task = Task::Derive { password, pepper, salt, params, tag_len };
        let presence = self.presence();
        let tag = self.run(Seat::unkept(Lane::Verification), task, presence.claim()).await?;
        Ok(stored.has_tag(&tag))
    }

    fn pepper_of(&self, stored: &Phc) -> Result<Option<Arc<Pepper>>, VerifyError> {
        let Some(id) = stored.key_id() else { return Ok(None) };
        match self.peppers.find(id) {
            Some(pepper) => Ok(Some(pepper.clone())),
            None => Err(VerifyError::NoPepper(id.clone())),
        }
    }

    /// A new hash in place of `phc`, when that was made with another pepper than the newest, or at less cost than new ones
    /// are; `None` when it is as good. A cost is never lowered, but for one below the floor (many passes over little memory). The
    /// password must have been verified.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub async fn renew(
        &self,
        password: Arc<Password>,
        phc: &str,
        salt: [u8; 16],
    ) -> Result<Option<String>, VerifyError> {
        let stored = Phc::parse(phc)?;
        let newest = self.peppers.newest().map(|pepper| &pepper.id);
        let params = self.settings.params;
        let cheap = params.replace(&stored.params());
        if !cheap && stored.key_id() == newest {
            return Ok(None);
        }
        let params = if cheap { params } else { stored.params() };
        let presence = self.presence();
        let hash = self.new_hash(Seat::unkept(Lane::Verification), password, salt, params, presence.claim());
        Ok(Some(hash.await?))
    }

    /// What this pool is.
    pub fn report(&self) -> Report {
        let PoolSettings { engine, params, workers, .. } = self.settings;
        Report { engine, back_end: engine.back_end(), workers, params }
    }

    /// Keeps a place for a sign-up of this source, whose password is still to be [hashed](Pool::hash): what a full queue
    /// would only find out then, this says before anything is looked up or written. A flood cannot take it meanwhile, but a
    /// machine that becomes slower can.
    ///
    /// # Errors
    /// [`HashError::Busy`], as [`Pool::hash`] would say.
    pub fn place(&self, source: Source) -> Result<Place, HashError> {
        let (lane, work) = (Lane::Registration(source), self.settings.params.work());
        self.shared.expect(lane, work)?;
        Ok(Place { shared: Arc::clone(&self.shared), lane, work })
    }

    /// How much of the waiting that is let in is taken, from 0 to about 1.
    pub fn fullness(&self) -> f64 {
        self.shared.fullness()
    }

    /// How many hashes wait to be begun.
    pub fn queue_len(&self) -> usize {
        self.shared.queue_len()
    }

    /// The pool's live numbers.
    pub fn metrics(&self) -> &PoolMetrics {
        &self.shared.metrics
    }

    /// For tests: holds the workers somewhere, or lets them go.
    #[doc(hidden)]
    pub fn hold(&self, hold: Option<Hold>) {
        self.shared.hold(hold);
    }

    /// Takes no more work, answers what waits with [`HashError::Stopped`], and lets the hashes that are being computed
    /// finish. Does not wait for them.
    pub fn close(&self) {
        self.shared.close();
    }

    async fn run(&self, seat: Seat, task: Task, claim: Claim) -> Result<Tag, HashError> {
        let (reply, answer) = oneshot::channel();
        self.shared.submit(seat.lane, seat.kept, Job { task, claim, reply })?;
        // Every job is answered; one that is not went down with its thread.
        answer.await.unwrap_or(Err(HashError::Panicked))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close();
        for thread in self.threads.drain(..) {
            // A worker catches the panics of its jobs, and its own would have been printed by the hook.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pool").field(&self.settings).finish()
    }
}

/// The time for one block of 1 KiB until there are measurements: what a server processor of 2023 takes. An engine
/// without vector code is slower, which the first hashes show.
fn first_guess(engine: Engine) -> Duration {
    Duration::from_nanos(match engine {
        Engine::Fast => 200,
        Engine::Portable => 450,
    })
}

#[cfg(test)]
mod tests;
