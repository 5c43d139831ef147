//! Case folding, by which texts are compared without regard to case.

use unicode_normalization::UnicodeNormalization;

/// Full case folding of the NFC form, in NFC again.
pub(super) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.nfc().flat_map(fold_char).nfc().collect()
}

/// The full case folding of one character. The standard library has no folding table, but lower-casing, upper-casing
/// and lower-casing again gives the one of CaseFolding.txt for every character but two kinds: the dotless ı, which
/// folds to itself, and Cherokee, where the lower-case letter is chosen here and the upper-case one there, which
/// makes no difference to what is equal.
fn fold_char(c: char) -> impl Iterator<Item = char> {
    let kept = (c == 'ı').then_some(c);
    let folded =
        (c != 'ı').then(|| c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase));
    kept.into_iter().chain(folded.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_is_idempotent_for_every_letter() {
        for c in ('\0'..=char::MAX).filter(|c| c.is_alphabetic()) {
            let once = fold(&c.to_string());
            assert_eq!(fold(&once), once, "U+{:04X}", u32::from(c));
        }
    }
}
