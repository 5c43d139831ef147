//! Closed and open loop. In an open loop requests come when they are due, whether or not earlier ones were answered,
//! and waiting counts from the moment a request was due: a server that stalls cannot hide it (no coordinated omission).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::{sleep_until, timeout};

use crate::client::{Answer, Client};
use crate::request::Maker;

/// How long a client waits for an answer.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Requests in flight beyond this are counted as not sent.
const MOST_IN_FLIGHT: usize = 20_000;

/// What happened to requests, by what they ended in. Latencies are microseconds.
#[derive(Debug)]
pub struct Tally {
    pub succeeded: Histogram<u64>,
    /// 429 and 503.
    pub shed: Histogram<u64>,
    /// Every other status.
    pub refused: Histogram<u64>,
    /// Shed without a `Retry-After`.
    pub without_retry_after: u64,
    pub timed_out: u64,
    pub broken: u64,
    pub not_sent: u64,
    /// Successes by the second in which they were answered.
    pub timeline: Vec<u64>,
}

impl Tally {
    pub fn new() -> Tally {
        let histogram = || Histogram::new_with_max(60_000_000, 3).expect("a histogram up to a minute");
        Tally {
            succeeded: histogram(),
            shed: histogram(),
            refused: histogram(),
            without_retry_after: 0,
            timed_out: 0,
            broken: 0,
            not_sent: 0,
            timeline: Vec::new(),
        }
    }

    /// As JSON; rates are over so many seconds.
    pub fn told(&self, seconds: f64) -> Value {
        json!({
            "seconds": seconds,
            "succeeded": latencies(&self.succeeded, seconds),
            "shed": latencies(&self.shed, seconds),
            "refused": latencies(&self.refused, seconds),
            "shed_without_retry_after": self.without_retry_after,
            "timed_out": self.timed_out,
            "broken": self.broken,
            "not_sent": self.not_sent,
            "successes_by_second": self.timeline,
        })
    }

    fn note(&mut self, start: Instant, due: Instant, outcome: Outcome) {
        let micros = u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX).min(60_000_000);
        match outcome {
            Outcome::Answered(answer) if (200..300).contains(&answer.status) => {
                self.succeeded.saturating_record(micros);
                let second = start.elapsed().as_secs() as usize;
                if self.timeline.len() <= second {
                    self.timeline.resize(second + 1, 0);
                }
                self.timeline[second] += 1;
            }
            Outcome::Answered(answer) if matches!(answer.status, 429 | 503) => {
                self.shed.saturating_record(micros);
                self.without_retry_after += u64::from(answer.retry_after.is_none());
            }
            Outcome::Answered(_) => self.refused.saturating_record(micros),
            Outcome::TimedOut => self.timed_out += 1,
            Outcome::Broken => self.broken += 1,
        }
    }

    fn add(&mut self, other: &Tally) {
        for (mine, theirs) in [
            (&mut self.succeeded, &other.succeeded),
            (&mut self.shed, &other.shed),
            (&mut self.refused, &other.refused),
        ] {
            mine.add(theirs).expect("histograms of one shape");
        }
        self.without_retry_after += other.without_retry_after;
        self.timed_out += other.timed_out;
        self.broken += other.broken;
        self.not_sent += other.not_sent;
        self.timeline.resize(self.timeline.len().max(other.timeline.len()), 0);
        for (mine, theirs) in self.timeline.iter_mut().zip(&other.timeline) {
            *mine += theirs;
        }
    }
}

/// Milliseconds.
fn latencies(histogram: &Histogram<u64>, seconds: f64) -> Value {
    let ms = |micros: u64| micros as f64 / 1e3;
    json!({
        "count": histogram.len(),
        "per_second": histogram.len() as f64 / seconds,
        "p50_ms": ms(histogram.value_at_quantile(0.5)),
        "p90_ms": ms(histogram.value_at_quantile(0.9)),
        "p99_ms": ms(histogram.value_at_quantile(0.99)),
        "max_ms": ms(histogram.max()),
    })
}

enum Outcome {
    Answered(Answer),
    TimedOut,
    Broken,
}

/// `connections` clients, each sending its next request when the last one was answered.
pub async fn closed(address: SocketAddr, maker: Arc<Maker>, connections: usize, length: Duration) -> Tally {
    let start = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let maker = maker.clone();
        tasks.push(tokio::spawn(async move {
            let mut tally = Tally::new();
            let mut client = None;
            while start.elapsed() < length {
                let due = Instant::now();
                let outcome = send(&mut client, address, &maker.next()).await;
                tally.note(start, due, outcome);
            }
            tally
        }));
    }
    let mut total = Tally::new();
    for task in tasks {
        if let Ok(tally) = task.await {
            total.add(&tally);
        }
    }
    total
}

/// `rate` requests a second, each when it is due.
pub async fn open(address: SocketAddr, maker: Arc<Maker>, rate: f64, length: Duration) -> Tally {
    let start = Instant::now();
    let tally = Arc::new(Mutex::new(Tally::new()));
    let idle: Arc<std::sync::Mutex<Vec<Client>>> = Arc::default();
    let in_flight = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for n in 0.. {
        let due = start + Duration::from_secs_f64(f64::from(n) / rate);
        if due.duration_since(start) >= length {
            break;
        }
        sleep_until(due.into()).await;
        if in_flight.load(Ordering::Relaxed) >= MOST_IN_FLIGHT {
            tally.lock().await.not_sent += 1;
            continue;
        }
        in_flight.fetch_add(1, Ordering::Relaxed);
        let (maker, tally, idle, in_flight) = (maker.clone(), tally.clone(), idle.clone(), in_flight.clone());
        tasks.push(tokio::spawn(async move {
            let mut client = idle.lock().expect("nobody panics here").pop();
            let outcome = send(&mut client, address, &maker.next()).await;
            if let Some(client) = client.filter(|c| c.alive) {
                idle.lock().expect("nobody panics here").push(client);
            }
            in_flight.fetch_sub(1, Ordering::Relaxed);
            tally.lock().await.note(start, due, outcome);
        }));
    }
    for task in tasks {
        let _ = task.await;
    }
    Arc::into_inner(tally).map_or_else(Tally::new, Mutex::into_inner)
}

async fn send(client: &mut Option<Client>, address: SocketAddr, request: &[u8]) -> Outcome {
    let exchange = async {
        let mut connected = match client.take().filter(|c| c.alive) {
            Some(client) => client,
            None => Client::connect(address).await?,
        };
        let answer = connected.exchange(request).await?;
        *client = Some(connected);
        anyhow::Ok(answer)
    };
    match timeout(PATIENCE, exchange).await {
        Ok(Ok(answer)) => Outcome::Answered(answer),
        Ok(Err(_)) => Outcome::Broken,
        Err(_) => Outcome::TimedOut,
    }
}
