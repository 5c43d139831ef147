//! Passwords that attackers try first (NIST SP 800-63B-4, section 3.1.1.2): known ones, patterns, and what anybody knows
//! about their owner.
//!
//! The whole password is compared, never a part of it, in NFC and without regard to case; once as it is written and once
//! without what is neither letter nor digit. It is known when it is one known piece, or the same piece again and again,
//! or two pieces in a row: that is how common passwords are stretched to a length that somebody asks for.

use std::collections::HashSet;
use std::sync::LazyLock;

use zeroize::Zeroizing;

use super::fold::fold;

/// The passwords that `scripts/common-passwords` has put together, lower case, one a line.
static KNOWN: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("common_passwords.txt").lines().collect());

/// The rows of a keyboard as they are typed along.
const ROWS: [&str; 5] =
    ["1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p"];

/// A text that is repeated is a pattern when it has no more characters than this.
const SHORT: usize = 4;
/// Shorter pieces than this say nothing.
const LEAST: usize = 3;
/// Longer texts are nobody's password; others refuse them.
const MOST: usize = 1024;
/// Nobody is asked for so many characters that two pieces would be stretched beyond this; and every place to cut costs.
const MOST_IN_PAIRS: usize = 128;

/// Why a password is one of the first that are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// It is known, or made of known ones.
    Common,
    /// Its characters follow a pattern: a repetition, a sequence, a row of keys.
    Pattern,
    /// It is made of what is known about its owner or about the service.
    Personal,
}

impl Weakness {
    /// A word for programs.
    pub fn code(self) -> &'static str {
        match self {
            Weakness::Common => "common",
            Weakness::Pattern => "pattern",
            Weakness::Personal => "personal",
        }
    }

    /// The end of a sentence that begins with "this password", for people.
    pub fn reason(self) -> &'static str {
        match self {
            Weakness::Common => "is one of the first that attackers try",
            Weakness::Pattern => "is a pattern that attackers try",
            Weakness::Personal => "is made of your own name or address, or of ours",
        }
    }
}

/// What is weak about a password, if anything is known. `context` are the owner's address, names, and the service's.
pub fn weakness<'c>(password: &str, context: impl IntoIterator<Item = &'c str>) -> Option<Weakness> {
    if password.len() > MOST {
        return None;
    }
    let context: HashSet<String> = context.into_iter().flat_map(words).collect();
    let written: Zeroizing<Vec<char>> = Zeroizing::new(Zeroizing::new(fold(password)).chars().collect());
    let bare: Zeroizing<Vec<char>> =
        Zeroizing::new(written.iter().copied().filter(|c| c.is_alphanumeric()).collect());
    [&written, &bare].into_iter().filter(|text| !text.is_empty()).find_map(|text| whole(text, &context))
}

/// What somebody might make a password of: the text, its words, and the two ends of an address.
fn words(text: &str) -> Vec<String> {
    // What is longer is nobody's password, and how much is taken apart must not be a stranger's choice.
    let text: String = text.chars().take(MOST).collect();
    let text = fold(&text);
    let split = text.split(|c: char| !c.is_alphanumeric()).map(str::to_owned);
    let bare: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
    let local: String =
        text.split('@').next().unwrap_or_default().chars().filter(|c| c.is_alphanumeric()).collect();
    let mut words: Vec<String> = split.chain([bare, local]).collect();
    words.push(text);
    words.retain(|word| word.chars().count() >= LEAST);
    words
}

fn whole(text: &[char], context: &HashSet<String>) -> Option<Weakness> {
    let unit = &text[..period(text)];
    if unit.len() <= SHORT || is_sequence(unit) {
        return Some(Weakness::Pattern);
    }
    piece(unit, context).or_else(|| {
        if text.len() > MOST_IN_PAIRS {
            return None;
        }
        let cuts = LEAST..text.len().saturating_sub(LEAST - 1);
        let mut pairs = cuts.map(|cut| text.split_at(cut));
        pairs.find_map(|(a, b)| Some(piece(a, context)?.with(piece(b, context)?)))
    })
}

fn piece(text: &[char], context: &HashSet<String>) -> Option<Weakness> {
    let word: Zeroizing<String> = Zeroizing::new(text.iter().collect());
    if context.contains(word.as_str()) {
        return Some(Weakness::Personal);
    }
    if KNOWN.contains(word.as_str()) {
        return Some(Weakness::Common);
    }
    (is_sequence(text) || period(text) <= SHORT.min(text.len() - 1)).then_some(Weakness::Pattern)
}

impl Weakness {
    /// Of two pieces, the one that says more.
    fn with(self, other: Weakness) -> Weakness {
        match (self, other) {
            (Weakness::Personal, _) | (_, Weakness::Personal) => Weakness::Personal,
            (Weakness::Common, _) | (_, Weakness::Common) => Weakness::Common,
            _ => Weakness::Pattern,
        }
    }
}

/// The length of the shortest text that, repeated a whole number of times or cut off at the end, makes this one; the whole
/// length when it would not stand there twice. What is left over is the longest text that both begins and ends this one,
/// found in one pass (Knuth, Morris and Pratt, 1977): the text is chosen by a stranger.
fn period(text: &[char]) -> usize {
    let mut borders = vec![0; text.len()];
    for end in 1..text.len() {
        let mut border = borders[end - 1];
        while border > 0 && text[border] != text[end] {
            border = borders[border - 1];
        }
        borders[end] = border + usize::from(text[border] == text[end]);
    }
    let period = text.len() - borders.last().copied().unwrap_or(0);
    if 2 * period <= text.len() { period } else { text.len() }
}

/// Whether each character follows from the one before: by counting, by the alphabet, or along the keys.
fn is_sequence(text: &[char]) -> bool {
    const STEPS: [i32; 4] = [1, -1, 2, -2];
    if text.len() < LEAST {
        return false;
    }
    let next = |a: char, b: char, step: i32| match (a.to_digit(10), b.to_digit(10)) {
        (Some(a), Some(b)) => (a as i32 + step).rem_euclid(10) == b as i32,
        _ => a as i32 + step == b as i32,
    };
    let counted = STEPS.iter().any(|step| text.windows(2).all(|pair| next(pair[0], pair[1], *step)));
    counted || is_typed_along(text)
}

/// Along a row of keys, and from its end to the beginning of another, there or back.
fn is_typed_along(text: &[char]) -> bool {
    static BOTH_WAYS: LazyLock<Vec<Vec<char>>> = LazyLock::new(|| {
        ROWS.iter().flat_map(|row| [row.chars().collect(), row.chars().rev().collect()]).collect()
    });
    let rows = &*BOTH_WAYS;
    let follows = |a: char, b: char| {
        rows.iter().any(|row| row.windows(2).any(|keys| keys == [a, b]))
            || rows.iter().any(|row| row.last() == Some(&a)) && rows.iter().any(|row| row.first() == Some(&b))
    };
    text.windows(2).all(|pair| follows(pair[0], pair[1]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CONTEXT: [&str; 4] = ["jane.doe@example.com", "Jane Doe", "accounts.shop.example", "janedoe77"];

    fn found(password: &str) -> Option<&'static str> {
        weakness(password, CONTEXT).map(Weakness::code)
    }

    #[test]
    fn what_is_tried_first_is_found() {
        for (password, expected) in [
            ("passwordpassword", "common"),
            ("Password Password", "common"),
            ("password12345678", "common"),
            ("PASSWORD-PASSWORD-PASSWORD", "common"),
            ("iloveyouiloveyou", "common"),
            ("letmeinletmein123", "common"),
            ("aaaaaaaaaaaaaaa", "pattern"),
            ("abcabcabcabcabcab", "pattern"),
            ("\u{1f600}\u{1f600}\u{1f600}\u{1f600}\u{1f600}\u{1f600}\u{1f600}\u{1f600}", "pattern"),
            ("123456789012345", "pattern"),
            ("abcdefghijklmnop", "pattern"),
            ("zyxwvutsrqponmlk", "pattern"),
            ("qwertyuiopasdfgh", "pattern"),
            ("1qaz2wsx3edc4rfv", "pattern"),
            ("1111111122222222", "common"),
            ("Jane.Doe@Example.COM", "personal"),
            ("janedoejanedoe", "personal"),
            ("JaneDoe77JaneDoe77", "personal"),
            ("janedoe123456789", "personal"),
            ("accounts.shop.example", "personal"),
        ] {
            assert_eq!(found(password), Some(expected), "{password}");
        }
    }

    #[test]
    fn what_is_not_is_left_alone() {
        for password in [
            "correct horse battery staple",
            "Correct-Horse-7-Battery",
            "my cat eats 3 fish a day",
            "xk7Q-vN2p_tR9w-Lz4",
            "der Mond ist aufgegangen",
            "jane likes long walks",
            "\u{6211}\u{7684}\u{732b}\u{559c}\u{6b22}\u{4e0b}\u{96e8}\u{5929}\u{7684}\u{591c}\u{665a}\u{554a}\u{771f}\u{7684}\u{5417}",
        ] {
            assert_eq!(found(password), None, "{password}");
        }
        assert_eq!(found(&"a".repeat(MOST + 1)), None, "others refuse it");
    }

    /// The plain way, which costs the square of the length.
    fn period_by_trying(text: &[char]) -> usize {
        let fits = |length: &usize| text.iter().skip(*length).zip(text).all(|(a, b)| a == b);
        (1..=text.len() / 2).find(fits).unwrap_or(text.len())
    }

    proptest! {
        #[test]
        fn periods_are_those_that_trying_finds(text in "[ab]{0,40}|([ab]{1,5}){0,8}") {
            let text: Vec<char> = text.chars().collect();
            prop_assert_eq!(period(&text), period_by_trying(&text));
        }
    }

    /// Each of these once took up to twenty seconds of a build like this one, and now takes milliseconds.
    #[test]
    fn long_texts_are_not_cut_into_pairs() {
        // Every place to cut costs two looks, so a stranger must not choose how many there are.
        let word = |seed: usize, length: usize| -> String {
            (0..length).map(|i| char::from(b'a' + ((seed + i * i * 7 + i * 5 + i / 26) % 26) as u8)).collect()
        };
        let (one, other) = (word(3, MOST_IN_PAIRS / 2), word(8, MOST_IN_PAIRS / 2));
        let longer = format!("{other}z");
        let context = [one.as_str(), other.as_str(), longer.as_str()];
        assert_eq!(weakness(&format!("{one}{other}"), context), Some(Weakness::Personal));
        assert_eq!(weakness(&format!("{one}{longer}"), context), None);
        // A repetition is found at any length, in one pass.
        assert_eq!(weakness(&one.repeat(12), context), Some(Weakness::Personal));
    }

    /// The work is counted in characters that are kept to compare with.
    #[test]
    fn of_a_name_that_fills_the_body_no_more_is_taken_apart_than_a_password_can_be() {
        for word in ["abc ", "a", "\u{130}bc@", "abcdefgh", "abc.def@"] {
            let name = word.repeat(64 * 1024 / word.len());
            let kept: usize = words(&name).iter().map(|word| word.chars().count()).sum();
            // The words, the whole, the whole without its punctuation, and what stands before an `@`; lower case can be longer.
            assert!(kept <= 2 * 4 * MOST, "{word:?}: {kept}");
        }
        let jane = format!("Jane Doe {}", "x".repeat(64 * 1024));
        assert_eq!(weakness("janedoe", [jane.as_str()]), Some(Weakness::Personal));
    }

    #[test]
    fn the_list_is_sorted_folded_and_small() {
        let text = include_str!("common_passwords.txt");
        assert!(text.len() <= 300 * 1024, "{} bytes", text.len());
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.is_sorted() && lines.iter().all(|line| fold(line) == *line));
        assert!(lines.iter().all(|line| line.chars().count() >= SHORT));
    }
}
