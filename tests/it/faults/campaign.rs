//! Kill, start again, resolve, repeat.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::judge::{Verdict, judge};
use super::load::Load;
use super::server::{Faulty, Orders};
use crate::harness::client::{Client, get};

/// How long the server works at most before it is killed.
const LIFE: u64 = 80;

/// How many sign-ups are in flight.
pub(super) const CLIENTS: usize = 32;

/// Kills the server so often at random moments under load, and judges in the end.
pub(super) async fn kill_at_random(url: &str, kills: usize, dice: &mut Dice) -> (Verdict, Vec<Duration>) {
    let (load, mut restarts) = (Load::new(), Vec::new());
    for _ in 0..kills {
        let server = ready(&Orders::on(url), &mut restarts).await;
        load.resolve(server.address).await;
        let clients = load.clients(server.address, CLIENTS, &CancellationToken::new());
        // The moment of the kill is the fault itself; nothing is waited for.
        tokio::time::sleep(Duration::from_micros(dice.below(LIFE * 1000))).await;
        server.kill();
        clients.join_all().await;
    }
    (verdict_after(&load, url, &mut restarts).await, restarts)
}

/// Starts an honest server, resolves what is open, ends it, and judges.
pub(super) async fn verdict_after(load: &Arc<Load>, url: &str, restarts: &mut Vec<Duration>) -> Verdict {
    let server = ready(&Orders::on(url), restarts).await;
    load.resolve(server.address).await;
    server.kill();
    judge(&load.journal, url).await
}

/// Starts a server and waits until its store answers.
async fn ready(orders: &Orders, restarts: &mut Vec<Duration>) -> Faulty {
    let begun = Instant::now();
    let server = orders.start();
    let reply = Client::connect(server.address).await.ask(&get("/readyz")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    restarts.push(begun.elapsed());
    server
}

/// Random numbers that a seed repeats (SplitMix64).
pub(super) struct Dice {
    pub(super) seed: u64,
    state: u64,
}

impl Dice {
    /// Other ones at each run, unless VESTIBULE_TEST_SEED says which.
    pub(super) fn new() -> Dice {
        let seed = std::env::var("VESTIBULE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| {
            use std::hash::BuildHasher as _;
            std::hash::RandomState::new().hash_one(std::process::id())
        });
        Dice { seed, state: seed }
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}
