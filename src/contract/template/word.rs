//! The beginnings of names.

/// The first letters of a name, in lower case: as many as it takes to tell the names that count from others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Word([u8; 10]);

impl Word {
    pub(super) fn with(mut self, byte: u8) -> Word {
        if let Some(free) = self.0.iter_mut().find(|b| **b == 0) {
            *free = byte.to_ascii_lowercase();
        }
        self
    }

    pub(super) fn text(&self) -> &[u8] {
        self.0.split(|b| *b == 0).next().unwrap_or_default()
    }
}
