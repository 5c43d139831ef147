//! Workers are held at a gate and let go, so every order of events is the test's own and none needs a sleep.

use std::pin::{Pin, pin};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll, Waker};

use super::super::{ParamsError, PhcError};
use super::*;

const HOUR: Duration = Duration::from_secs(3600);
const KNOWN: &str = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

fn pool(deadline: Duration) -> Pool {
    let params = Params::weak_for_tests();
    Pool::start(PoolSettings { engine: Engine::Fast, params, workers: 1, deadline }).unwrap()
}

fn password(text: &str) -> Password {
    Password::parse(text).unwrap()
}

const SIGN_UP: Lane = Lane::Registration(Source(0));

/// Asks for a call instead of a hash. Dropping the future is leaving.
async fn call(pool: &Pool, lane: Lane, call: impl FnOnce() + Send + 'static) -> Result<Tag, HashError> {
    let presence = pool.presence();
    pool.run(Seat::unkept(lane), Task::Call(Box::new(call)), presence.claim()).await
}

/// Hashes a sign-up's password. Dropping the future is leaving.
async fn hash(pool: &Pool) -> Result<String, HashError> {
    let presence = pool.presence();
    pool.hash(password("a"), [0; 16], pool.place(Source(0))?, presence.claim()).await
}

/// Runs a future until it waits for a worker.
fn begin<F: Future>(future: &mut Pin<&mut F>) {
    assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

fn now<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Holds the only worker of a pool until [`Gate::open`].
struct Gate {
    _presence: Presence,
    open: Sender<()>,
    answer: oneshot::Receiver<Result<Tag, HashError>>,
}

impl Gate {
    fn shut(pool: &Pool) -> Gate {
        let ((open, opened), (arrived, arrival)) = (channel(), channel());
        let (reply, answer) = oneshot::channel();
        let task = Task::Call(Box::new(move || {
            arrived.send(()).unwrap();
            opened.recv().unwrap();
        }));
        let presence = pool.presence();
        pool.shared.submit_for_ever(SIGN_UP, Job { task, claim: presence.claim(), reply });
        arrival.recv().unwrap();
        Gate { _presence: presence, open, answer }
    }

    fn open(self) {
        self.open.send(()).unwrap();
        self.answer.blocking_recv().unwrap().unwrap();
    }
}

#[test]
fn what_was_hashed_verifies_and_nothing_else_does() {
    for engine in [Engine::Fast, Engine::Portable] {
        let params = Params::weak_for_tests();
        let pool = Pool::start(PoolSettings { engine, params, workers: 2, deadline: HOUR }).unwrap();
        let verify = |text: &str, phc: &str| now(pool.verify(password(text).into(), phc));
        let phc = {
            let presence = pool.presence();
            let place = pool.place(Source(0)).unwrap();
            let hash = pool.hash(password("caf\u{e9}"), *b"0123456789abcdef", place, presence.claim());
            now(hash).unwrap()
        };
        assert!(phc.starts_with("$argon2id$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$"), "{phc}");
        assert_eq!(verify("cafe\u{301}", &phc), Ok(true));
        assert_eq!(verify("Caf\u{e9}", &phc), Ok(false));
        assert_eq!(verify("password", KNOWN), Ok(true));
        assert_eq!(verify("passwore", KNOWN), Ok(false));
        let huge = KNOWN.replace("m=256", "m=4194304");
        assert_eq!(verify("password", &huge), Err(PhcError::Params(ParamsError::TooCostly).into()));
        assert_eq!(verify("password", ""), Err(PhcError::Malformed.into()));
    }
}

#[test]
fn the_report_says_what_computes() {
    let report = pool(HOUR).report();
    assert_eq!((report.engine, report.workers, report.params), (Engine::Fast, 1, Params::weak_for_tests()));
    assert_eq!(report.back_end, argon2_rust::detected_backend().to_string());
}

#[test]
fn a_pool_that_could_not_work_does_not_start() {
    let good = PoolSettings { engine: Engine::Fast, params: Params::default(), workers: 1, deadline: HOUR };
    let start = |settings| Pool::start(settings).unwrap_err();
    assert!(matches!(start(PoolSettings { workers: 0, ..good }), StartError::NoWorkers));
    let params = Params { memory_kib: u32::MAX, ..good.params };
    assert!(matches!(start(PoolSettings { params, ..good }), StartError::Params(ParamsError::TooCostly)));
}

#[test]
fn o2_who_would_wait_too_long_is_told_at_once_and_when_to_come_back() {
    let pool = pool(Duration::from_secs(2));
    let gate = Gate::shut(&pool);
    // A gate's work is that of a default hash: 38,912 blocks of 200 ns, 7.8 ms. 129 of them are more than the second that is given away.
    let mut waiting = Vec::new();
    let busy = loop {
        let mut one = Box::pin(call(&pool, SIGN_UP, || ()));
        match one.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => waiting.push(one),
            Poll::Ready(answer) => break answer.unwrap_err(),
        }
    };
    assert_eq!(busy, HashError::Busy { retry_after: Duration::from_secs(2) });
    assert_eq!((waiting.len(), pool.queue_len()), (129, 129));
    assert_eq!(now(hash(&pool)).unwrap_err(), busy);
    // Another line may still come in, and the newest of this one gives way to it.
    let mut check = pin!(pool.verify(password("password").into(), KNOWN));
    begin(&mut check);
    assert!(matches!(now(waiting.pop().unwrap()), Err(HashError::Busy { .. })));
    let other = Lane::Registration(Source(1));
    let mut sign_up = pin!(call(&pool, other, || ()));
    begin(&mut sign_up);
    assert_eq!(pool.queue_len(), 130, "a check of 512 blocks took the place of 38,912");
    let metrics = pool.metrics();
    assert_eq!((metrics.refused.get(), metrics.pushed_out.get(), metrics.waiting.get()), (2, 1, 130));
    gate.open();
    assert_eq!((now(check), now(sign_up).is_ok()), (Ok(true), true));
}

#[test]
fn who_waited_too_long_is_told_instead_of_hashed() {
    let pool = pool(Duration::ZERO);
    let gate = Gate::shut(&pool);
    let (ran, runs) = channel();
    let mut late = pin!(call(&pool, SIGN_UP, move || ran.send(()).unwrap()));
    begin(&mut late);
    gate.open();
    assert_eq!(now(late).unwrap_err(), HashError::Busy { retry_after: Duration::from_secs(1) });
    assert!(runs.recv().is_err(), "it was dropped without being run");
}

#[test]
fn who_left_is_not_hashed_for_and_takes_no_room() {
    let pool = pool(Duration::ZERO);
    let gate = Gate::shut(&pool);
    let (ran, runs) = channel();
    {
        let mut left = pin!(call(&pool, SIGN_UP, move || ran.send(()).unwrap()));
        begin(&mut left);
        let refused = now(hash(&pool));
        assert!(matches!(refused, Err(HashError::Busy { .. })), "one waits, and nobody may wait for another");
    }
    let mut stayed = pin!(hash(&pool));
    begin(&mut stayed);
    assert_eq!(pool.queue_len(), 1, "the one who left made room");
    assert!(runs.recv().is_err(), "and was dropped without being run");
    gate.open();
}

#[test]
fn a_job_whose_asker_leaves_the_queue_is_skipped_however_its_answer_is_awaited() {
    let pool = pool(HOUR);
    let gate = Gate::shut(&pool);
    let (ran, runs) = channel();
    let presence = pool.presence();
    let task = Task::Call(Box::new(move || ran.send(()).unwrap()));
    let mut waits_on = pin!(pool.run(Seat::unkept(SIGN_UP), task, presence.claim()));
    begin(&mut waits_on);
    drop(presence);
    assert_eq!(pool.queue_len(), 1);
    gate.open();
    assert_eq!(now(waits_on).unwrap_err(), HashError::Left);
    assert!(runs.recv().is_err());
    assert_eq!((pool.metrics().left.get(), pool.metrics().refused.get()), (1, 0));
}

#[test]
fn who_left_before_asking_is_not_let_in() {
    let pool = pool(HOUR);
    let claim = pool.presence().claim();
    let asked = pool.hash(password("a"), [0; 16], pool.place(Source(0)).unwrap(), claim);
    assert_eq!(now(asked), Err(HashError::Left));
}

#[test]
fn nobody_comes_between_a_place_and_its_hash() {
    let pool = pool(Duration::ZERO);
    let gate = Gate::shut(&pool);
    // It is over when the guard is gone, also by a panic.
    let over = Arc::new(());
    std::thread::scope(|scope| {
        let (guard, seen) = (over.clone(), Arc::downgrade(&over));
        drop(over);
        let pool = &pool;
        for _ in 0..8 {
            let seen = seen.clone();
            scope.spawn(move || {
                while seen.strong_count() > 0 {
                    drop(pool.place(Source(0)));
                }
            });
        }
        let _guard = guard;
        for _ in 0..2000 {
            let place = std::iter::repeat_with(|| pool.place(Source(0))).find_map(Result::ok).unwrap();
            let presence = pool.presence();
            // There is room for one, and it is ours until we leave.
            begin(&mut pin!(pool.hash(password("a"), [0; 16], place, presence.claim())));
        }
    });
    gate.open();
}

#[test]
fn who_leaves_while_a_worker_computes_is_finished_for() {
    let pool = pool(HOUR);
    let ((arrived, arrival), (open, opened)) = (channel(), channel());
    let presence = pool.presence();
    let task = Task::Call(Box::new(move || {
        arrived.send(()).unwrap();
        opened.recv().unwrap()
    }));
    let mut answer = pin!(pool.run(Seat::unkept(SIGN_UP), task, presence.claim()));
    begin(&mut answer);
    arrival.recv().unwrap();
    drop(presence);
    open.send(()).unwrap();
    assert!(now(answer).is_ok());
}

#[test]
fn a_panic_is_an_answer_and_the_worker_lives() {
    let pool = pool(HOUR);
    let panicked = now(call(&pool, SIGN_UP, || panic!("on purpose, for a test")));
    assert_eq!(panicked.unwrap_err(), HashError::Panicked);
    let phc = now(hash(&pool)).unwrap();
    assert_eq!(now(pool.verify(password("a").into(), &phc)), Ok(true));
}

#[test]
fn the_lanes_are_served_in_turn() {
    let pool = pool(HOUR);
    let gate = Gate::shut(&pool);
    let (ran, runs): (Sender<&str>, Receiver<&str>) = channel();
    let plan = [(SIGN_UP, "r1 r2 r3"), (Lane::Verification, "v1 v2")];
    let jobs = plan.into_iter().flat_map(|(lane, names)| names.split(' ').map(move |name| (lane, name)));
    let mut answers: Vec<_> = jobs
        .map(|(lane, name)| {
            let ran = ran.clone();
            Box::pin(call(&pool, lane, move || ran.send(name).unwrap()))
        })
        .collect();
    answers.iter_mut().for_each(|answer| begin(&mut answer.as_mut()));
    gate.open();
    answers.into_iter().for_each(|answer| assert!(now(answer).is_ok()));
    drop(ran);
    // The gate was a registration, so a verification comes first.
    assert_eq!(runs.iter().collect::<Vec<_>>(), ["v1", "r1", "v2", "r2", "r3"]);
}

#[test]
fn a_flood_of_one_source_does_not_hold_up_another() {
    let pool = pool(HOUR);
    let gate = Gate::shut(&pool);
    let (ran, runs): (Sender<&str>, Receiver<&str>) = channel();
    let mut answers: Vec<_> = [(0, "a1"), (0, "a2"), (0, "a3"), (0, "a4"), (7, "b1"), (7, "b2")]
        .map(|(source, name)| {
            let ran = ran.clone();
            Box::pin(call(&pool, Lane::Registration(Source(source)), move || ran.send(name).unwrap()))
        })
        .into();
    answers.iter_mut().for_each(|answer| begin(&mut answer.as_mut()));
    gate.open();
    answers.into_iter().for_each(|answer| assert!(now(answer).is_ok()));
    drop(ran);
    // The gate was of the first source, so the other one is next.
    assert_eq!(runs.iter().collect::<Vec<_>>(), ["b1", "a1", "b2", "a2", "a3", "a4"]);
}

#[test]
fn closing_answers_who_waits_and_finishes_what_has_begun() {
    let pool = pool(HOUR);
    let gate = Gate::shut(&pool);
    let mut waiting = pin!(hash(&pool));
    begin(&mut waiting);
    pool.close();
    assert_eq!(now(waiting), Err(HashError::Stopped));
    assert_eq!(now(hash(&pool)), Err(HashError::Stopped));
    assert_eq!(now(pool.verify(password("a").into(), KNOWN)), Err(HashError::Stopped.into()));
    gate.open();
}
