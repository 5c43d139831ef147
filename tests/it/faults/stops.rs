//! Servers that are asked to stop while they work: whoever had sent a request before is answered.
//!
//! Counted are the requests that lay whole in the server's system when the signal was sent. Half of the clients keep
//! their connection, the others make one for each request, so that some of them wait to be let in at that moment.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::campaign::Dice;
use super::judge::{Verdict, judge};
use super::load::{Load, email};
use super::rows::rows;
use crate::harness::client::Client;
use crate::harness::database::Database;
use crate::harness::folder::Folder;
use crate::harness::process::{Server, Vestibule};

on_both! {
    f9_a_stop_under_load_drops_nothing_that_was_accepted
    control_f9_a_server_that_is_killed_instead_drops_what_it_accepted
    control_f9_a_stop_without_a_grace_drops_what_it_accepted
}

const CLIENTS: usize = 16;

/// The default of `shutdown_grace`.
const GRACE: Duration = Duration::from_secs(20);

/// How a server is ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// SIGTERM, and once more while it stops.
    Asked,
    /// SIGTERM, with no time to finish anything.
    Hurried,
    Killed,
}

/// What so many ends have shown.
#[derive(Debug, Default)]
pub(super) struct Stops {
    /// Requests that lay in the server's system at the signal.
    pub(super) accepted: usize,
    /// Those of them that were never answered, and those that were not answered and yet done.
    pub(super) dropped: Vec<String>,
    /// Ends with another code than 0, after the grace, or with a connection that was cut.
    pub(super) disorderly: Vec<String>,
    /// From the signal to the end of the process.
    pub(super) endings: Vec<Duration>,
    /// From the start of the process to its first line.
    pub(super) starts: Vec<Duration>,
}

/// Ends a server under load so often, and judges.
pub(super) async fn stop_under_load(
    database: &Database,
    rounds: usize,
    end: End,
    dice: &mut Dice,
) -> (Stops, Verdict) {
    let (load, mut stops, mut folder) = (Load::new(), Stops::default(), None);
    for _ in 0..rounds {
        let begun = Instant::now();
        let server = serve(database, end, folder.take());
        stops.starts.push(begun.elapsed());
        load.resolve(server.address).await;
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            clients.spawn(sign_up_to_the_end(load.clone(), server.address, number % 2 == 0));
        }
        load.more_answers(1 + dice.below(40) as usize).await;
        folder = Some(stops.end(server, end, &load, clients).await);
        stops.find_silently_made(&load, database).await;
    }
    let server = serve(database, End::Asked, folder.take());
    load.resolve(server.address).await;
    drop(server);
    (stops, judge(&load.journal, &database.url()).await)
}

fn serve(database: &Database, end: End, folder: Option<Folder>) -> Server {
    let mut launch = Vestibule::serve(database).with(&["--contract", "knex"]);
    if end == End::Hurried {
        launch = launch.with(&["--set", "shutdown_grace=1ms"]);
    }
    if let Some(folder) = folder {
        launch = launch.inside(folder);
    }
    launch.start()
}

/// Signs up one after the other until the server does not answer any more.
async fn sign_up_to_the_end(load: Arc<Load>, address: SocketAddr, keeps: bool) {
    let mut kept = None;
    loop {
        let client = match kept.take() {
            Some(client) => Ok(client),
            None => Client::try_connect(address).await,
        };
        let Ok(mut client) = client else { return };
        if load.sign_up(&mut client, load.number()).await.is_err() {
            return;
        }
        kept = keeps.then_some(client);
    }
}

impl Stops {
    async fn end(&mut self, server: Server, end: End, load: &Load, clients: JoinSet<()>) -> Folder {
        let (accepted, asked) = (load.under_way(), Instant::now());
        server.signal(if end == End::Killed { "KILL" } else { "TERM" });
        if end == End::Asked {
            server.wait_for_log("SIGTERM: finishing what was accepted");
            server.signal("TERM");
        }
        let (ended, folder) = tokio::task::spawn_blocking(|| server.ended()).await.expect("no panic");
        let took = asked.elapsed();
        clients.join_all().await;
        let never: BTreeSet<usize> = load.under_way();
        self.accepted += accepted.len();
        self.dropped.extend(accepted.intersection(&never).map(|number| email(*number)));
        if ended.code != Some(0) || took > GRACE || !ended.err.contains(r#""cut":0"#) {
            self.disorderly.push(format!("after {took:?} with {:?}:\n{}", ended.code, ended.err));
        }
        self.endings.push(took);
        folder
    }

    /// Who got no answer came too late to be accepted, and so is not there.
    async fn find_silently_made(&mut self, load: &Load, database: &Database) {
        let users = rows(&database.url(), "SELECT email FROM users").await.concat();
        let users: BTreeSet<String> = users.into_iter().collect();
        let silent = load.journal.unanswered().into_iter().map(email);
        self.dropped.extend(silent.filter(|email| users.contains(email)));
    }

    /// Every broken promise, in words.
    pub(super) fn findings(&self) -> Vec<String> {
        let dropped = (!self.dropped.is_empty()).then(|| format!("dropped: {:?}", self.dropped));
        dropped.into_iter().chain(self.disorderly.iter().map(|end| format!("disorderly: {end}"))).collect()
    }
}

async fn f9_a_stop_under_load_drops_nothing_that_was_accepted(database: &Database) {
    let (stops, verdict) = stop_under_load(database, 4, End::Asked, &mut Dice::new()).await;
    assert!(stops.findings().is_empty(), "{:#?}", stops.findings());
    assert!(stops.accepted > 4, "nobody was under way, so nothing was proved: {stops:?}");
    verdict.assert_innocent();
}

async fn control_f9_a_server_that_is_killed_instead_drops_what_it_accepted(database: &Database) {
    let (stops, verdict) = stop_under_load(database, 1, End::Killed, &mut Dice::new()).await;
    assert!(!stops.dropped.is_empty() && !stops.disorderly.is_empty(), "it must be found out: {stops:?}");
    verdict.assert_innocent();
}

async fn control_f9_a_stop_without_a_grace_drops_what_it_accepted(database: &Database) {
    let (stops, verdict) = stop_under_load(database, 1, End::Hurried, &mut Dice::new()).await;
    assert!(!stops.dropped.is_empty() && !stops.disorderly.is_empty(), "it must be found out: {stops:?}");
    verdict.assert_innocent();
}
