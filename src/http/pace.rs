//! The deadlines of request heads, and whether a connection rests.
//!
//! hyper has one timer for "no complete head yet"; it starts when a connection opens and again whenever a reply
//! is done, so by itself it cannot tell a client that is idle from one that is slow. It asks a [`Timer`] for that
//! deadline, though, and this one looks at what the stream has seen of the head before it says that time is up.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

use super::bodies::Bodies;
use super::limits::Limits;

/// What one connection's stream, timer and bodies tell each other.
#[derive(Debug)]
pub(super) struct Pace {
    header_timeout: Duration,
    idle_timeout: Duration,
    /// When the connection was ready for HTTP.
    opened: Instant,
    heads: Mutex<Heads>,
    /// Whether something was written that has not gone out yet.
    unsent: AtomicBool,
    /// Whether our side has ended, or is about to.
    ending: AtomicBool,
    body_failed: AtomicBool,
    pub(super) bodies: Bodies,
}

#[derive(Clone, Copy, Debug)]
struct Heads {
    /// Whether a head has been read on this connection.
    any: bool,
    /// When the first byte of the head under way came.
    began: Option<Instant>,
    /// Whether a request was handed on since the last wait for a head began.
    asked: bool,
    /// Whether hyper waits for a head: then it has nothing else to do.
    awaited: bool,
    /// When the wait for the present head, or the last one, began. Empty lines do not begin another one.
    since: Instant,
}

impl Pace {
    pub(super) fn new(limits: &Limits) -> Arc<Pace> {
        let now = Instant::now();
        Arc::new(Pace {
            header_timeout: limits.header_timeout,
            idle_timeout: limits.idle_timeout,
            opened: now,
            heads: Mutex::new(Heads { any: false, began: None, asked: false, awaited: false, since: now }),
            unsent: AtomicBool::new(false),
            ending: AtomicBool::new(false),
            body_failed: AtomicBool::new(false),
            bodies: Bodies::default(),
        })
    }

    /// Bytes arrived that ended so many heads, and then were or were not inside another one.
    pub(super) fn heads_read(&self, ended: usize, in_head: bool) {
        let mut heads = self.heads();
        heads.any |= ended > 0;
        heads.began = match heads.began {
            Some(began) if in_head && ended == 0 => Some(began),
            _ => in_head.then(Instant::now),
        };
    }

    /// A request is handed on: what follows its reply is another wait.
    pub(super) fn asked(&self) {
        self.heads().asked = true;
    }

    /// The body of the request in hand could not be read to its end.
    pub(super) fn body_failed(&self) {
        self.body_failed.store(true, Ordering::Relaxed);
    }

    /// Whether [`Pace::body_failed`] was called.
    pub(super) fn has_body_failed(&self) -> bool {
        self.body_failed.load(Ordering::Relaxed)
    }

    /// Whether bytes were written that the transport may still hold.
    pub(super) fn sends(&self, unsent: bool) {
        self.unsent.store(unsent, Ordering::Relaxed);
    }

    /// The connection ends. hyper may go on waiting for a head that it has refused.
    pub(super) fn ends(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    /// Since when nothing goes on: every reply is sent, of the next head nothing has come, and it is waited for.
    pub(super) fn rests_since(&self) -> Option<Instant> {
        let heads = *self.heads();
        let goes_on = [&self.unsent, &self.ending].iter().any(|flag| flag.load(Ordering::Relaxed));
        (heads.awaited && heads.began.is_none() && !goes_on).then_some(heads.since)
    }

    /// When the wait for a head is over, as far as is known now.
    pub(super) fn deadline(&self) -> Instant {
        let heads = *self.heads();
        match heads.began {
            _ if !heads.any => self.opened + self.header_timeout,
            // Pipelined bytes may be older than the wait; the time in which we did not read is not the client's.
            Some(began) => began.max(heads.since) + self.header_timeout,
            None => heads.since + self.idle_timeout,
        }
    }

    fn heads(&self) -> MutexGuard<'_, Heads> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The clock that is handed to hyper, one for each connection.
#[derive(Clone, Debug)]
pub(super) struct HeadTimer(pub(super) Arc<Pace>);

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    /// The deadline that hyper computed is not used: [`Pace`] says when the wait that begins now is over.
    fn sleep_until(&self, _deadline: Instant) -> Pin<Box<dyn Sleep>> {
        {
            let mut heads = self.0.heads();
            heads.awaited = true;
            if std::mem::take(&mut heads.asked) {
                heads.since = Instant::now();
            }
        }
        let sleep = tokio::time::sleep_until(self.0.deadline().into());
        Box::pin(HeadWait { pace: self.0.clone(), sleep: Box::pin(sleep) })
    }
}

/// A wait for a head, which learns on the way whether its client is idle or slow.
#[derive(Debug)]
struct HeadWait {
    pace: Arc<Pace>,
    sleep: Pin<Box<tokio::time::Sleep>>,
}

impl Sleep for HeadWait {}

/// The head has come, or the connection ends.
impl Drop for HeadWait {
    fn drop(&mut self) {
        self.pace.heads().awaited = false;
    }
}

impl Future for HeadWait {
    type Output = ();

    /// hyper polls this after every read that did not complete a head, so a change is never missed.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = self.pace.deadline().into();
        if self.sleep.deadline() != deadline {
            self.sleep.as_mut().reset(deadline);
        }
        ready!(self.sleep.as_mut().poll(cx));
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Duration = Duration::from_secs(1);
    const IDLE: Duration = Duration::from_secs(60);

    fn pace() -> Arc<Pace> {
        let unused = Duration::ZERO;
        Pace::new(&Limits {
            connections: 1,
            header_timeout: HEADER,
            idle_timeout: IDLE,
            body_timeout: unused,
            write_timeout: unused,
        })
    }

    fn wait(pace: &Arc<Pace>) -> Pin<Box<dyn Sleep>> {
        HeadTimer(pace.clone()).sleep(Duration::ZERO)
    }

    #[tokio::test]
    async fn h1_each_phase_has_its_own_deadline() {
        let pace = pace();
        let first = wait(&pace);
        assert_eq!(pace.deadline(), pace.opened + HEADER, "silence after the accept");
        pace.heads_read(0, true);
        assert_eq!(pace.deadline(), pace.opened + HEADER, "the first head has no time of its own");
        pace.heads_read(1, false);
        drop(first);
        pace.asked();
        let answered = Instant::now();
        let second = wait(&pace);
        let idle = pace.deadline();
        assert!(idle >= answered + IDLE && idle <= Instant::now() + IDLE);
        // Whoever sends empty lines has asked for nothing.
        drop(second);
        let _third = wait(&pace);
        assert_eq!(pace.deadline(), idle);
        pace.heads_read(0, true);
        let slow = pace.deadline();
        assert!(slow >= answered + HEADER && slow < answered + IDLE);
        pace.heads_read(0, true);
        assert_eq!(pace.deadline(), slow, "more bytes do not buy more time");
        pace.asked();
        let _fourth = wait(&pace);
        assert!(pace.deadline() > slow, "bytes that came before the wait");
    }

    #[tokio::test]
    async fn h1_a_connection_rests_when_nothing_goes_on() {
        let pace = pace();
        assert_eq!(pace.rests_since(), None, "hyper has not begun to wait");
        let wait = wait(&pace);
        let rests = || pace.rests_since().is_some();
        assert_eq!(pace.rests_since(), Some(pace.opened));
        pace.sends(true);
        assert!(!rests(), "a reply is under way");
        pace.sends(false);
        assert!(rests());
        pace.heads_read(0, true);
        assert!(!rests(), "half a head has come");
        pace.heads_read(1, false);
        drop(wait);
        assert!(!rests(), "a request is being answered");
        let _next = HeadTimer(pace.clone()).sleep(HEADER);
        assert!(rests());
        pace.ends();
        assert!(!rests(), "it ends");
    }
}
