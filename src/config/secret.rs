//! Values nobody may see.

use std::fmt;
use std::path::Path;

use zeroize::Zeroizing;

use super::setting::ValueError;

/// A secret: wiped when dropped, shown as `***` by `Debug` and `Display`.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Secret {
        Secret(Zeroizing::new(bytes.into()))
    }

    /// The secret itself. The caller sees to it that it goes nowhere else.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Reads a whole file, less one trailing newline (`\n` or `\r\n`), which editors add and nobody means.
    pub(super) fn from_file(path: &Path) -> Result<Secret, ValueError> {
        let failed = |error| ValueError::File { path: path.to_owned(), error };
        let mut bytes = Zeroizing::new(std::fs::read(path).map_err(failed)?);
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        Ok(Secret(bytes))
    }

    /// Refuses an empty secret: it would equal a header that was not sent.
    pub(super) fn not_empty(self) -> Result<Secret, ValueError> {
        if self.0.is_empty() { Err(ValueError::Empty) } else { Ok(self) }
    }

    /// Refuses what is no text: it is compared with what clients write.
    pub(super) fn text_only(self) -> Result<Secret, ValueError> {
        match std::str::from_utf8(&self.0) {
            Ok(_) => Ok(self),
            Err(_) => Err(ValueError::Hidden { expected: "text in UTF-8" }),
        }
    }

    pub(super) fn at_least(self, bytes: usize) -> Result<Secret, ValueError> {
        let found = self.0.len();
        if found < bytes { Err(ValueError::Short { least: bytes, found }) } else { Ok(self) }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
