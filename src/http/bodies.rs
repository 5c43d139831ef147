//! What is held of the bodies of one connection, as long as they are not whole.
//!
//! HTTP/1.1 reads one body at a time. HTTP/2 reads as many as there are requests, and each may be as long as the longest
//! that is taken; a client could have the server hold them all, for as long as a body may take. So only short bodies are
//! always read. Longer ones are, as long as the others together are not too much.

use std::sync::atomic::{AtomicUsize, Ordering};

/// A body of so many bytes is always read: no sign-up form is longer.
const SHORT: usize = 4 * 1024;
/// What is read beyond that in other bodies, in all, while another one may grow.
const OTHERS: usize = 64 * 1024;

/// The bytes that were read beyond [`SHORT`], in all bodies under way.
#[derive(Debug, Default)]
pub(super) struct Bodies(AtomicUsize);

impl Bodies {
    /// So many bytes more come in a body of which `before` were read. Whether there is room for them; they count either way,
    /// until [`Bodies::ended`].
    pub(super) fn grow(&self, before: usize, more: usize) -> bool {
        let (before, after) = (beyond(before), beyond(before + more));
        let others = self.0.fetch_add(after - before, Ordering::Relaxed) - before;
        after == 0 || others <= OTHERS
    }

    /// A body of which so many bytes were read is not under way any more.
    pub(super) fn ended(&self, read: usize) {
        self.0.fetch_sub(beyond(read), Ordering::Relaxed);
    }
}

fn beyond(read: usize) -> usize {
    read.saturating_sub(SHORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_bodies_always_have_room_and_one_long_one_has() {
        let bodies = Bodies::default();
        assert!(bodies.grow(0, SHORT) && bodies.grow(SHORT, 10 * OTHERS), "whatever its length");
        assert!((0..64).all(|_| bodies.grow(0, SHORT)), "short ones beside it");
        assert!(!bodies.grow(0, SHORT + 1), "a long one beside it");
        bodies.ended(SHORT + 1);
        bodies.ended(SHORT + 10 * OTHERS);
        assert!(bodies.grow(0, SHORT + 1), "once it has ended");
        bodies.ended(SHORT + 1);
        assert_eq!(bodies.0.into_inner(), 0);
    }

    #[test]
    fn however_they_grow_what_is_held_is_bounded() {
        let (bodies, mut read) = (Bodies::default(), [0_usize; 64]);
        let longest = 64 * 1024;
        for round in 0..64 {
            for body in &mut read {
                if *body + 1024 <= longest && bodies.grow(*body, 1024) {
                    *body += 1024;
                } else if *body + 1024 <= longest {
                    // It is refused, and another takes its place.
                    bodies.ended(*body + 1024);
                    *body = 0;
                }
            }
            let held: usize = read.iter().sum();
            assert!(held <= 64 * SHORT + OTHERS + longest, "{held} in round {round}");
        }
    }
}
