//! Whether the store answers, told to everybody who asks without asking the store each time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

/// As old an answer may be. Those who watch a server ask every few seconds.
const FRESH: Duration = Duration::from_secs(1);

/// What the store was last found to be; clones are one.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<Option<Seen>>>);

#[derive(Clone, Copy, Debug)]
struct Seen {
    at: Duration,
    answers: bool,
}

impl Readiness {
    /// Whether the store answers, by `probe` or by one that ended less than a second ago. While one is under way nobody
    /// begins another. `uptime` is the clock's.
    pub async fn ask(
        &self,
        uptime: impl Fn() -> Duration + Send + 'static,
        probe: impl Future<Output = bool> + Send + 'static,
    ) -> bool {
        let mut seen = self.0.clone().lock_owned().await;
        match *seen {
            Some(Seen { at, answers }) if uptime().saturating_sub(at) < FRESH => return answers,
            _ => {}
        }
        // In a task of its own: who asks and hangs up would otherwise leave the next one to begin anew.
        let asking = tokio::spawn(async move {
            let answers = probe.await;
            *seen = Some(Seen { at: uptime(), answers });
            answers
        });
        asking.await.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    /// A store that answers as it is told to, once it may, and a clock that is set.
    #[derive(Clone, Default)]
    struct Fake(Arc<Parts>);

    #[derive(Default)]
    struct Parts {
        readiness: Readiness,
        millis: AtomicU64,
        fails: std::sync::atomic::AtomicBool,
        probes: AtomicUsize,
        under_way: AtomicUsize,
    }

    impl Fake {
        async fn ask(&self, may: Arc<Semaphore>) -> bool {
            let (clock, parts) = (self.0.clone(), self.0.clone());
            let probe = async move {
                parts.probes.fetch_add(1, Ordering::SeqCst);
                assert_eq!(parts.under_way.fetch_add(1, Ordering::SeqCst), 0, "one at a time");
                may.acquire().await.expect("it stays open").forget();
                parts.under_way.fetch_sub(1, Ordering::SeqCst);
                !parts.fails.load(Ordering::SeqCst)
            };
            let uptime = move || Duration::from_millis(clock.millis.load(Ordering::SeqCst));
            self.0.readiness.ask(uptime, probe).await
        }

        fn probes(&self) -> usize {
            self.0.probes.load(Ordering::SeqCst)
        }
    }

    fn free() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(1000))
    }

    #[tokio::test]
    async fn an_answer_is_good_for_a_second_and_a_failure_is_over_when_it_is() {
        let fake = Fake::default();
        for (millis, fails, told, probes) in [
            (0, false, true, 1),
            (999, true, true, 1),
            (1000, true, false, 2),
            (1999, false, false, 2),
            (2000, false, true, 3),
        ] {
            fake.0.millis.store(millis, Ordering::SeqCst);
            fake.0.fails.store(fails, Ordering::SeqCst);
            assert_eq!((fake.ask(free()).await, fake.probes()), (told, probes), "at {millis} ms");
        }
    }

    #[tokio::test]
    async fn of_a_hundred_at_once_one_asks_and_who_leaves_takes_nothing_along() {
        let (fake, may) = (Fake::default(), Arc::new(Semaphore::new(0)));
        // The first one begins, and hangs up.
        let first = tokio::spawn({
            let (fake, may) = (fake.clone(), may.clone());
            async move { fake.ask(may).await }
        });
        while fake.probes() == 0 {
            tokio::task::yield_now().await;
        }
        first.abort();
        let others: Vec<_> = (0..100)
            .map(|_| {
                let (fake, may) = (fake.clone(), may.clone());
                tokio::spawn(async move { fake.ask(may).await })
            })
            .collect();
        tokio::task::yield_now().await;
        may.add_permits(1000);
        for other in others {
            assert!(other.await.expect("no panic"));
        }
        assert_eq!(fake.probes(), 1);
    }

    #[tokio::test]
    async fn a_probe_that_panics_is_a_failure_and_not_the_last() {
        let readiness = Readiness::default();
        let panicking = async { panic!("broken") };
        assert!(!readiness.ask(|| Duration::ZERO, panicking).await);
        assert!(readiness.ask(|| Duration::ZERO, async { true }).await);
    }
}
