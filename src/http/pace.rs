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
    body_failed: AtomicBool,
    pub(super) bodies: Bodies,
}

#[derive(Clone, Copy, Debug, Default)]
struct Heads {
    /// Whether a head has been read on this connection.
    any: bool,
    /// When the first byte of the head under way came.
    began: Option<Instant>,
    /// Since when hyper waits for a head: it has nothing else to do.
    awaited: Option<Instant>,
}

impl Pace {
    pub(super) fn new(limits: &Limits) -> Arc<Pace> {
        Arc::new(Pace {
            header_timeout: limits.header_timeout,
            idle_timeout: limits.idle_timeout,
            opened: Instant::now(),
            heads: Mutex::default(),
            unsent: AtomicBool::new(false),
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

    /// Since when nothing goes on: every reply is sent, and of the next head nothing has come.
    pub(super) fn rests_since(&self) -> Option<Instant> {
        let heads = *self.heads();
        heads.awaited.filter(|_| heads.began.is_none() && !self.unsent.load(Ordering::Relaxed))
    }

    /// When a wait for a head that started at `since` is over, as far as is known now.
    pub(super) fn deadline(&self, since: Instant) -> Instant {
        let heads = *self.heads();
        match heads.began {
            _ if !heads.any => self.opened + self.header_timeout,
            // Pipelined bytes may be older than the wait; the time in which we did not read is not the client's.
            Some(began) => began.max(since) + self.header_timeout,
            None => since + self.idle_timeout,
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

    /// The deadline that hyper computed is not used: the wait starts now, and [`Pace`] says when it is over.
    fn sleep_until(&self, _deadline: Instant) -> Pin<Box<dyn Sleep>> {
        let since = Instant::now();
        self.0.heads().awaited = Some(since);
        let sleep = tokio::time::sleep_until(self.0.deadline(since).into());
        Box::pin(HeadWait { pace: self.0.clone(), since, sleep: Box::pin(sleep) })
    }
}

/// A wait for a head, which learns on the way whether its client is idle or slow.
#[derive(Debug)]
struct HeadWait {
    pace: Arc<Pace>,
    since: Instant,
    sleep: Pin<Box<tokio::time::Sleep>>,
}

impl Sleep for HeadWait {}

/// The head has come, or the connection ends.
impl Drop for HeadWait {
    fn drop(&mut self) {
        self.pace.heads().awaited = None;
    }
}

impl Future for HeadWait {
    type Output = ();

    /// hyper polls this after every read that did not complete a head, so a change is never missed.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = self.pace.deadline(self.since).into();
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

    #[tokio::test]
    async fn h1_a_connection_rests_when_nothing_goes_on() {
        let long = Duration::from_secs(60);
        let pace = Pace::new(&Limits {
            connections: 1,
            header_timeout: long,
            body_timeout: long,
            idle_timeout: long,
            write_timeout: long,
        });
        let before = Instant::now();
        assert_eq!(pace.rests_since(), None, "hyper has not begun to wait");
        let wait = HeadTimer(pace.clone()).sleep(long);
        let rests = || pace.rests_since().is_some();
        assert!(pace.rests_since().is_some_and(|since| since >= before));
        pace.sends(true);
        assert!(!rests(), "a reply is under way");
        pace.sends(false);
        assert!(rests());
        pace.heads_read(0, true);
        assert!(!rests(), "half a head has come");
        pace.heads_read(1, false);
        drop(wait);
        assert!(!rests(), "a request is being answered");
    }

    #[test]
    fn each_phase_has_its_own_deadline() {
        let (header, idle) = (Duration::from_secs(1), Duration::from_secs(60));
        let unused = Duration::ZERO;
        let pace = Pace::new(&Limits {
            connections: 1,
            header_timeout: header,
            idle_timeout: idle,
            body_timeout: unused,
            write_timeout: unused,
        });
        let since = Instant::now();
        assert_eq!(pace.deadline(since), pace.opened + header, "silence after the accept");
        pace.heads_read(0, true);
        assert_eq!(pace.deadline(since), pace.opened + header, "the first head has no time of its own");
        pace.heads_read(1, false);
        assert_eq!(pace.deadline(since), since + idle);
        pace.heads_read(0, true);
        let slow = pace.deadline(since);
        assert!(slow >= since + header && slow < since + idle);
        pace.heads_read(0, true);
        assert_eq!(pace.deadline(since), slow, "more bytes do not buy more time");
        let later = since + Duration::from_secs(5);
        assert_eq!(pace.deadline(later), later + header, "bytes that came before the wait");
    }
}
