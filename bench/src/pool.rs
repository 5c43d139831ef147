//! The hash pool's raw rate, in process: what a registration cannot be faster than.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vestibule::clock::Clock;
use vestibule::password::{Engine, Params, Pool, PoolSettings, Source};
use vestibule::user::Password;

/// As many hashes as the pool's workers can do, asked for so that each always has one waiting.
pub async fn pool(seconds: f64) -> anyhow::Result<Value> {
    let workers = std::thread::available_parallelism()?.get();
    let params = Params::default();
    let settings = PoolSettings { engine: Engine::Fast, params, workers, deadline: Duration::from_secs(60) };
    let pool = Arc::new(Pool::start(settings)?);
    let clock = Clock::system();
    let start = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..2 * workers {
        let (pool, clock) = (pool.clone(), clock.clone());
        tasks.push(tokio::spawn(async move {
            let mut done = 0u64;
            while start.elapsed().as_secs_f64() < seconds {
                let Ok(password) = Password::parse("correct horse 7") else { return done };
                let presence = pool.presence();
                let Ok(place) = pool.place(Source(0)) else { return done };
                let hash = pool.hash(password, clock.random(), place, presence.claim());
                done += u64::from(hash.await.is_ok());
            }
            done
        }));
    }
    let mut done = 0;
    for task in tasks {
        done += task.await?;
    }
    let rate = done as f64 / start.elapsed().as_secs_f64();
    let report = pool.report();
    Ok(json!({ "name": "pool", "hashes_per_second": rate, "workers": workers, "back_end": report.back_end,
               "memory_kib": params.memory_kib, "iterations": params.iterations }))
}
