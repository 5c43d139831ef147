//! Vestibule in a process that can be killed, held or delayed at a named step.
//!
//! The process is this test binary, which runs the one ignored test of this file. What it is to do stands in a
//! variable that only that test reads; the program itself knows nothing of it.

use std::io::{BufRead as _, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use rustix::process::{Pid, Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use vestibule::clock::Clock;
use vestibule::contract::shipped;
use vestibule::http::{Ending, router, serve_counted};
use vestibule::steps::{Step, Steps};
use vestibule::store::{DatabaseUrl, Opening, Store};

use crate::harness::process::{GUARD, Lines};
use crate::harness::server::{app, limits};

/// Where the orders for the process stand, as JSON.
const ORDERS: &str = "VESTIBULE_TEST_FAULTY_SERVER";

/// Where in a sign-up something is done: the product's steps, and the moment at which the reply is handed to the
/// connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Place {
    Understood,
    Hashed,
    Sealed,
    Inserted,
    Committed,
    Answered,
}

impl Place {
    pub(super) const ALL: [Place; 6] =
        [Place::Understood, Place::Hashed, Place::Sealed, Place::Inserted, Place::Committed, Place::Answered];

    fn of(step: Step) -> Place {
        match step {
            Step::Understood => Place::Understood,
            Step::Hashed => Place::Hashed,
            Step::Sealed => Place::Sealed,
            Step::Inserted => Place::Inserted,
            Step::Committed => Place::Committed,
        }
    }
}

/// What is done there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Deed {
    /// The process kills itself, with the signal that nobody can catch, at this passage (from 1).
    Kill(usize),
    /// Whoever comes waits for [`Faulty::go`]; [`Faulty::gathered`] when so many stand there.
    Gather(usize),
}

/// What the process is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Orders {
    database: String,
    deed: Option<(Place, Deed)>,
    early: bool,
}

impl Orders {
    /// To serve honestly.
    pub(super) fn on(database: &str) -> Orders {
        Orders { database: database.to_owned(), deed: None, early: false }
    }

    pub(super) fn at(mut self, place: Place, deed: Deed) -> Orders {
        self.deed = Some((place, deed));
        self
    }

    /// To answer every sign-up with success before anything is done for it: the control.
    pub(super) fn early(mut self) -> Orders {
        self.early = true;
        self
    }

    /// The command that carries them out.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
        command.args(["--exact", "faults::server::process", "--ignored", "--nocapture"]);
        command.env(ORDERS, serde_json::to_string(self).expect("orders are JSON"));
        command
    }

    /// The same as the arguments of another program.
    pub(super) fn command_under(&self, above: &[String]) -> Command {
        let command = self.command();
        let mut under = Command::new(&above[0]);
        under.args(&above[1..]).arg(command.get_program()).args(command.get_args());
        under.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        under
    }

    /// Starts it without waiting for anything; it goes when its standard input closes.
    pub(super) fn spawn(&self) -> Child {
        let spawned = self.command().stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        spawned.expect("this program starts once more")
    }

    pub(super) fn start(&self) -> Faulty {
        Faulty::start(self.command())
    }
}

/// The running process. Killed when dropped.
pub(super) struct Faulty {
    child: Child,
    out: Lines,
    pub(super) address: SocketAddr,
}

impl Faulty {
    /// Starts it and waits for its address.
    pub(super) fn start(command: Command) -> Faulty {
        Faulty::try_start(command).unwrap_or_else(|out| panic!("no address in:\n{out}"))
    }

    /// The same for one that may end before; then what it has said.
    pub(super) fn try_start(mut command: Command) -> Result<Faulty, String> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("this program starts once more");
        let out = Lines::of(child.stdout.take().expect("standard output is piped"));
        const LINE: &str = "faulty server on ";
        let Some(line) = out.wait_for(LINE) else {
            child.wait().expect("a child ends");
            return Err(out.so_far());
        };
        let address = line[LINE.len()..].parse().expect("an address");
        Ok(Faulty { child, out, address })
    }

    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn signal(&self, signal: Signal) {
        let id = Pid::from_child(&self.child);
        // It may have ended by itself.
        let _ = kill_process(id, signal);
    }

    /// Waits until as many stand at the place as a [`Deed::Gather`] wants.
    pub(super) async fn gathered(self) -> Faulty {
        let waiting = tokio::task::spawn_blocking(move || {
            self.out.wait_for("gathered").expect("they come to the place");
            self
        });
        waiting.await.expect("no panic")
    }

    /// Lets all of them go on.
    pub(super) fn go(&mut self) {
        let input = self.child.stdin.as_mut().expect("standard input is piped");
        input.write_all(b"go\n").expect("the process reads");
    }

    /// Kills it, as a power cut for this one process would.
    pub(super) fn kill(mut self) -> ExitStatus {
        self.signal(Signal::KILL);
        self.child.wait().expect("a child ends")
    }

    /// Waits for its end.
    pub(super) async fn ended(mut self) -> ExitStatus {
        // Held: to wait for a child closes its standard input, which would end it.
        let _input = self.child.stdin.take();
        let ended = tokio::task::spawn_blocking(move || self.child.wait());
        tokio::time::timeout(GUARD, ended)
            .await
            .expect("it ends in time")
            .expect("no panic")
            .expect("a child")
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process. Run with the other tests it does nothing: it has no orders.
#[test]
#[ignore = "the other tests start it, in a process of its own"]
fn process() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let orders: Orders = serde_json::from_str(&orders).expect("orders");
    let gate = Arc::new(Gate::default());
    let input = gate.clone();
    // When the test ends, however it ends, the pipe closes, and this process goes with it.
    std::thread::spawn(move || {
        for _ in std::io::stdin().lock().lines().map_while(Result::ok) {
            input.open();
        }
        std::process::exit(0);
    });
    // As many threads as may stand still at one place, and some that go on.
    let threads = if let Some((_, Deed::Gather(count))) = orders.deed { count + 4 } else { 4 };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    runtime.expect("a runtime").block_on(serve(orders, gate));
}

async fn serve(orders: Orders, gate: Arc<Gate>) {
    let doer = Arc::new(Doer { deed: orders.deed, passages: AtomicUsize::new(0), gate });
    let watcher = doer.clone();
    let steps = Steps::watched_by(move |step| watcher.comes_to(Place::of(step)));
    let url = DatabaseUrl::parse(&orders.database).expect("a database URL");
    let store = Store::open_watched(&url, Opening::Serve, steps.clone()).await;
    let store = store.unwrap_or_else(|error| panic!("{error}"));
    let mut app = app("knex", shipped("knex").expect("a shipped contract"), store);
    (app.clock, app.steps) = (Clock::system(), steps);
    let mut router = router(Arc::new(app)).expect("one contract collides with nothing");
    router = router.layer(from_fn(move |request: Request<Body>, next: Next| {
        let doer = doer.clone();
        async move {
            let is_sign_up = request.method() == axum::http::Method::POST;
            let response = next.run(request).await;
            if is_sign_up {
                doer.comes_to(Place::Answered);
            }
            response
        }
    }));
    if orders.early {
        router = router.layer(from_fn(answer_early));
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    say(&format!("\nfaulty server on {address}\n"));
    let ending = Ending { shutdown: CancellationToken::new(), grace: GUARD, lent: false };
    serve_counted(listener, router, limits(), ending, &Default::default()).await;
}

/// Tells the client what it wants to hear, and then begins to work.
async fn answer_early(request: Request<Body>, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if parts.method != axum::http::Method::POST {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let request = Request::from_parts(parts, Body::from(body.clone()));
    tokio::spawn(next.run(request));
    (StatusCode::OK, body).into_response()
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).expect("the test listens");
}

/// Does the deed at its place.
struct Doer {
    deed: Option<(Place, Deed)>,
    passages: AtomicUsize,
    gate: Arc<Gate>,
}

impl Doer {
    fn comes_to(&self, here: Place) {
        let Some((_, deed)) = self.deed.filter(|(place, _)| *place == here) else { return };
        let passage = self.passages.fetch_add(1, Ordering::SeqCst) + 1;
        match deed {
            Deed::Kill(number) if passage == number => {
                kill_process(getpid(), Signal::KILL).expect("a process may kill itself");
                unreachable!("nobody survives it");
            }
            Deed::Kill(_) => {}
            Deed::Gather(count) => {
                if passage == count {
                    say("gathered\n");
                }
                self.gate.pass();
            }
        }
    }
}

/// Closed until it is opened, once.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn open(&self) {
        *self.open.lock().expect("nobody panics with it") = true;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let wait = || {
            let open = self.open.lock().expect("nobody panics with it");
            drop(self.opened.wait_timeout_while(open, GUARD, |open| !*open).expect("nobody panics with it"));
        };
        // A thread of the runtime hands over first what it alone would have done next.
        match tokio::runtime::Handle::try_current() {
            Ok(_) => tokio::task::block_in_place(wait),
            Err(_) => wait(),
        }
    }
}
