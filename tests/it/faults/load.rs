//! Clients that sign up as fast as they are answered, and keep the journal.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::journal::Journal;
use crate::harness::client::{Client, Reply};
use crate::harness::process::GUARD;

/// After an answer that is no success a client waits a moment, as a polite one does.
const MANNERS: Duration = Duration::from_millis(5);

/// How often a sign-up is tried again before the server counts as unable to decide.
const TRIES: usize = 4000;

pub(super) fn email(number: usize) -> String {
    format!("f{number}@example.com")
}

pub(super) fn password(number: usize) -> String {
    format!("a password {number}")
}

/// A sign-up under an idempotency key.
fn request(number: usize, key: &str) -> Vec<u8> {
    let (email, password) = (email(number), password(number));
    let body = format!(r#"{{"email":"{email}","password":"{password}"}}"#);
    let length = body.len();
    format!(
        "POST /users HTTP/1.1\r\nhost: accounts.example.com\r\ncontent-type: application/json\r\n\
         idempotency-key: \"{key}\"\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The key of the person that this is, the same at each try.
fn key(number: usize) -> String {
    format!("the key of person {number}")
}

/// Numbered sign-ups, each of another person, and what became of them.
pub(super) struct Load {
    pub(super) journal: Journal,
    next: AtomicUsize,
    answers: watch::Sender<usize>,
    /// Those of them that told of an account.
    registered: watch::Sender<usize>,
    /// Sent, and neither created nor told to be there.
    open: Mutex<BTreeSet<usize>>,
    /// Sent whole, so that the server's system has it, and not answered.
    under_way: Mutex<BTreeSet<usize>>,
}

impl Load {
    pub(super) fn new() -> Arc<Load> {
        Arc::new(Load {
            journal: Journal::new(),
            next: AtomicUsize::new(0),
            answers: watch::Sender::new(0),
            registered: watch::Sender::new(0),
            open: Mutex::default(),
            under_way: Mutex::default(),
        })
    }

    /// A number that nobody had before.
    pub(super) fn number(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Waits for so many more answers.
    pub(super) async fn more_answers(&self, count: usize) {
        let mut answers = self.answers.subscribe();
        let goal = *answers.borrow() + count;
        answers.wait_for(|answers| *answers >= goal).await.expect("the load is here");
    }

    /// Tries one sign-up on this connection; the status that it was told. Another try is the same request again.
    pub(super) async fn sign_up(&self, client: &mut Client, number: usize) -> std::io::Result<u16> {
        self.sign_up_under(&key(number), client, number).await
    }

    /// The same under a key of choice: under another one a second try is another request.
    pub(super) async fn sign_up_under(
        &self,
        key: &str,
        client: &mut Client,
        number: usize,
    ) -> std::io::Result<u16> {
        self.ask(key, client, number).await.map(|reply| reply.status)
    }

    /// The whole answer to a first try.
    pub(super) async fn first_answer(&self, client: &mut Client) -> std::io::Result<Reply> {
        let number = self.number();
        self.ask(&key(number), client, number).await
    }

    async fn ask(&self, key: &str, client: &mut Client, number: usize) -> std::io::Result<Reply> {
        self.journal.sent(number).await;
        self.open.lock().expect("nobody panics with it").insert(number);
        client.try_send(&request(number, key)).await?;
        self.under_way.lock().expect("nobody panics with it").insert(number);
        let reply = client.try_reply().await?;
        self.under_way.lock().expect("nobody panics with it").remove(&number);
        let status = reply.status;
        let id = (status < 300).then(|| reply.json()["id"].as_i64()).flatten();
        self.journal.told(number, status, id).await;
        self.answers.send_modify(|answers| *answers += 1);
        self.registered.send_modify(|registered| *registered += usize::from(status < 300));
        if status < 300 || status == 409 {
            self.open.lock().expect("nobody panics with it").remove(&number);
        }
        Ok(reply)
    }

    /// Who has been sent whole and has no answer yet, or never got one.
    pub(super) fn under_way(&self) -> BTreeSet<usize> {
        self.under_way.lock().expect("nobody panics with it").clone()
    }

    /// As many clients as said, each on one connection, until that one ends or `stop` is asked for. Whoever is not
    /// registered tries again.
    pub(super) fn clients(
        self: &Arc<Load>,
        address: SocketAddr,
        count: usize,
        stop: &CancellationToken,
    ) -> JoinSet<()> {
        let mut clients = JoinSet::new();
        for _ in 0..count {
            let (load, stop) = (self.clone(), stop.clone());
            clients.spawn(async move {
                // A connection that ends is not made anew: its port may be somebody else's by now.
                let Ok(mut client) = Client::try_connect(address).await else { return };
                let mut number = load.number();
                while !stop.is_cancelled() {
                    match load.sign_up(&mut client, number).await {
                        Ok(200..300 | 409) => number = load.number(),
                        Ok(_) => tokio::time::sleep(MANNERS).await,
                        Err(_) => return,
                    }
                }
            });
        }
        clients
    }

    /// Lets some clients sign up until so many more answers have come, and ends with the last of theirs.
    pub(super) async fn run(self: &Arc<Load>, address: SocketAddr, clients: usize, answers: usize) {
        self.run_until(address, clients, self.more_answers(answers)).await;
    }

    /// The same until so many more are registered, however many are told to come again before.
    pub(super) async fn register(self: &Arc<Load>, address: SocketAddr, clients: usize, count: usize) {
        let mut registered = self.registered.subscribe();
        let goal = *registered.borrow() + count;
        let enough = async {
            let enough = registered.wait_for(|registered| *registered >= goal);
            tokio::time::timeout(GUARD, enough).await.expect("enough in time").expect("the load is here");
        };
        self.run_until(address, clients, enough).await;
    }

    async fn run_until(self: &Arc<Load>, address: SocketAddr, clients: usize, end: impl Future<Output = ()>) {
        let stop = CancellationToken::new();
        let mut clients = self.clients(address, clients, &stop);
        tokio::select! {
            () = end => {}
            // Only a connection that broke ends one of them before.
            _ = clients.join_next() => panic!("the server has closed a connection"),
        }
        stop.cancel();
        clients.join_all().await;
    }

    /// Tries again whatever was not decided, until it is.
    pub(super) async fn resolve(self: &Arc<Load>, address: SocketAddr) {
        let open = self.open.lock().expect("nobody panics with it").clone();
        let mut clients = JoinSet::new();
        for number in open {
            let load = self.clone();
            clients.spawn(async move { load.decide(address, number).await });
        }
        clients.join_all().await;
    }

    /// Signs one more person up, however long it takes.
    pub(super) async fn one_more(&self, address: SocketAddr) {
        self.decide(address, self.number()).await;
    }

    async fn decide(&self, address: SocketAddr, number: usize) {
        let mut client = Client::connect(address).await;
        for _ in 0..TRIES {
            match self.sign_up(&mut client, number).await {
                Ok(200..300 | 409) => return,
                Ok(_) => tokio::time::sleep(MANNERS).await,
                Err(error) => panic!("while it is tried again: {error}"),
            }
        }
        panic!("{} is not decided", email(number));
    }
}

/// Everybody at once: each number is signed up on a connection of its own and under a key of its own, in turn at these
/// addresses.
pub(super) async fn at_once(load: &Arc<Load>, addresses: &[SocketAddr], numbers: &[usize]) {
    let mut clients = JoinSet::new();
    for (position, number) in numbers.iter().copied().enumerate() {
        let (load, address) = (load.clone(), addresses[position % addresses.len()]);
        clients.spawn(async move {
            let mut client = Client::connect(address).await;
            // That the server dies meanwhile is what some of the tests are about.
            let _ = load
                .sign_up_under(&format!("the key of racer {position} for {number}"), &mut client, number)
                .await;
        });
    }
    clients.join_all().await;
}
