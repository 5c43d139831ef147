//! Workers are held at a gate and let go, so every order of events is the test's own and none needs a sleep.

use std::pin::{Pin, pin};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Waker};

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

fn call(
    pool: &Pool,
    lane: Lane,
    call: impl FnOnce() + Send + 'static,
) -> impl Future<Output = Result<Tag, HashError>> {
    pool.run(lane, Task::Call(Box::new(call)))
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
        pool.shared.submit_for_ever(Lane::Registration, Job { task, reply });
        arrival.recv().unwrap();
        Gate { open, answer }
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
        let verify = |text: &str, phc: &str| now(pool.verify(password(text), phc.to_owned()));
        let phc = now(pool.hash(password("caf\u{e9}"), *b"0123456789abcdef")).unwrap();
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
fn who_would_wait_too_long_is_told_at_once_and_when_to_come_back() {
    let pool = pool(Duration::from_secs(2));
    let gate = Gate::shut(&pool);
    // A gate's work is that of a default hash: 38,912 blocks of 200 ns, 7.8 ms. 258 of them are more than 2 s.
    let mut waiting = Vec::new();
    let busy = loop {
        let (reply, answer) = oneshot::channel();
        match pool.shared.submit(Lane::Registration, Job { task: Task::Call(Box::new(|| ())), reply }) {
            Ok(()) => waiting.push(answer),
            Err(busy) => break busy,
        }
    };
    assert_eq!(busy, HashError::Busy { retry_after: Duration::from_secs(3) });
    assert_eq!((waiting.len(), pool.queue_len()), (257, 257));
    assert_eq!(now(pool.hash(password("a"), [0; 16])).unwrap_err(), busy);
    let mut other_lane = pin!(pool.verify(password("password"), KNOWN.to_owned()));
    begin(&mut other_lane);
    gate.open();
    assert_eq!(now(other_lane), Ok(true));
}

#[test]
fn who_waited_too_long_is_told_instead_of_hashed() {
    let pool = pool(Duration::ZERO);
    let gate = Gate::shut(&pool);
    let (ran, runs) = channel();
    let mut late = pin!(call(&pool, Lane::Registration, move || ran.send(()).unwrap()));
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
        let mut left = pin!(call(&pool, Lane::Registration, move || ran.send(()).unwrap()));
        begin(&mut left);
        let refused = now(pool.hash(password("a"), [0; 16]));
        assert!(matches!(refused, Err(HashError::Busy { .. })), "one waits, and nobody may wait for another");
    }
    let mut stayed = pin!(pool.hash(password("a"), [0; 16]));
    begin(&mut stayed);
    assert_eq!(pool.queue_len(), 1, "the one who left made room");
    assert!(runs.recv().is_err(), "and was dropped without being run");
    gate.open();
}

#[test]
fn a_job_whose_asker_leaves_the_queue_is_skipped() {
    let pool = pool(HOUR);
    let gate = Gate::shut(&pool);
    let (ran, runs) = channel();
    {
        let mut left = pin!(call(&pool, Lane::Registration, move || ran.send(()).unwrap()));
        begin(&mut left);
    }
    assert_eq!(pool.queue_len(), 1);
    gate.open();
    assert!(now(pool.hash(password("a"), [0; 16])).is_ok());
    assert!(runs.recv().is_err());
}

#[test]
fn a_panic_is_an_answer_and_the_worker_lives() {
    let pool = pool(HOUR);
    let panicked = now(call(&pool, Lane::Registration, || panic!("on purpose, for a test")));
    assert_eq!(panicked.unwrap_err(), HashError::Panicked);
    let phc = now(pool.hash(password("a"), [7; 16])).unwrap();
    assert_eq!(now(pool.verify(password("a"), phc)), Ok(true));
}

#[test]
fn the_lanes_are_served_in_turn() {
    let pool = pool(HOUR);
    let gate = Gate::shut(&pool);
    let (ran, runs): (Sender<&str>, Receiver<&str>) = channel();
    let plan = [(Lane::Registration, "r1 r2 r3"), (Lane::Verification, "v1 v2")];
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
fn closing_answers_who_waits_and_finishes_what_has_begun() {
    let pool = pool(HOUR);
    let gate = Gate::shut(&pool);
    let mut waiting = pin!(pool.hash(password("a"), [0; 16]));
    begin(&mut waiting);
    pool.close();
    assert_eq!(now(waiting), Err(HashError::Stopped));
    assert_eq!(now(pool.hash(password("a"), [0; 16])), Err(HashError::Stopped));
    assert_eq!(now(pool.verify(password("a"), KNOWN.to_owned())), Err(HashError::Stopped.into()));
    gate.open();
}
