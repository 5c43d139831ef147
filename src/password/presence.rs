//! Whether the one who asked for a hash is still there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

const HERE: u8 = 0;
const TAKEN: u8 = 1;
const LEFT: u8 = 2;

/// Held by whoever waits for a hash; dropping it says that they have left. Leaving before a worker has begun takes the
/// hash back, leaving later does not: one atomic step decides which of the two it was.
#[derive(Debug)]
pub struct Presence {
    state: Arc<AtomicU8>,
    left: Arc<AtomicUsize>,
}

/// What the work knows of its [`Presence`].
#[derive(Clone, Debug)]
pub struct Claim(Arc<AtomicU8>);

impl Presence {
    /// Counts in `left` when it leaves before its hash was begun.
    pub(super) fn new(left: &Arc<AtomicUsize>) -> Presence {
        Presence { state: Arc::new(AtomicU8::new(HERE)), left: Arc::clone(left) }
    }

    /// For the work.
    pub fn claim(&self) -> Claim {
        Claim(Arc::clone(&self.state))
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        if self.state.compare_exchange(HERE, LEFT, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            self.left.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Claim {
    /// Begins the work, unless nobody waits for it any more. From here on it is finished.
    pub(super) fn begin(&self) -> bool {
        self.0.compare_exchange(HERE, TAKEN, Ordering::AcqRel, Ordering::Acquire) != Err(LEFT)
    }

    /// Whether they left before the work was begun.
    pub(super) fn is_void(&self) -> bool {
        self.0.load(Ordering::Acquire) == LEFT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaving_before_the_beginning_voids_and_after_it_does_not() {
        let left = Arc::new(AtomicUsize::new(0));
        let presence = Presence::new(&left);
        let early = presence.claim();
        drop(presence);
        assert!(!early.begin() && early.is_void());
        let presence = Presence::new(&left);
        let late = presence.claim();
        assert!(late.begin() && late.begin(), "one who waits may ask for several");
        drop(presence);
        assert!(late.begin() && !late.is_void());
        assert_eq!(left.load(Ordering::Relaxed), 1);
    }
}
