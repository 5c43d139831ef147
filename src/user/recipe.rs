//! Recipes for random text: `USR[A-Z0-9]{6}` is "USR" and six characters of that class. Ids and opaque tokens are
//! made from them.

use std::fmt;

use super::recipe_parser::{Piece, RecipeError, parse};

/// How to make a random text, and how to tell whether a text could have been made so.
///
/// A recipe is a row of printable ASCII characters without the space. They stand for themselves, but for `[..]`, a
/// class of characters and ranges (`[a-f0-9_]`; a `-` at either end is itself), which may be followed by a count,
/// `{1}` to `{255}`. A backslash before `[ ] { } \ -` or `^` takes away its meaning. At least one class must leave a
/// choice, and what is made has at most 255 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    text: String,
    pieces: Vec<Piece>,
}

impl Recipe {
    /// Reads a recipe.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn parse(text: &str) -> Result<Recipe, RecipeError> {
        let pieces = parse(text)?;
        Ok(Recipe { text: text.to_owned(), pieces })
    }

    /// Makes a text. Every text of the recipe is equally likely: bytes from `random` that would favour the first
    /// characters of a class are drawn again.
    pub fn make(&self, random: &mut dyn FnMut(&mut [u8])) -> String {
        let mut source = Bytes { random, drawn: [0; 64], used: 64 };
        let places = self.pieces.iter().flat_map(|piece| std::iter::repeat_n(&piece.alphabet, piece.count));
        places.map(|alphabet| char::from(alphabet[source.below(alphabet.len())])).collect()
    }

    /// The randomness of one text, in bits: the logarithm to base 2 of how many texts there are.
    pub fn bits(&self) -> f64 {
        let of = |piece: &Piece| piece.count as f64 * (piece.alphabet.len() as f64).log2();
        self.pieces.iter().map(of).sum()
    }

    /// Whether `text` is one of those that [`Recipe::make`] can make.
    pub fn matches(&self, text: &str) -> bool {
        let mut rest = text.as_bytes();
        for piece in &self.pieces {
            let Some((mine, after)) = rest.split_at_checked(piece.count) else { return false };
            if !mine.iter().all(|byte| piece.alphabet.binary_search(byte).is_ok()) {
                return false;
            }
            rest = after;
        }
        rest.is_empty()
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Random bytes, drawn many at a time because each draw has a price.
struct Bytes<'a> {
    random: &'a mut dyn FnMut(&mut [u8]),
    drawn: [u8; 64],
    used: usize,
}

impl Bytes<'_> {
    /// A number below `n`, which is 1 to 256, each equally likely.
    fn below(&mut self, n: usize) -> usize {
        if n == 1 {
            return 0;
        }
        let fair = 256 - 256 % n;
        loop {
            let byte = usize::from(self.next());
            if byte < fair {
                return byte % n;
            }
        }
    }

    fn next(&mut self) -> u8 {
        if self.used == self.drawn.len() {
            (self.random)(&mut self.drawn);
            self.used = 0;
        }
        self.used += 1;
        self.drawn[self.used - 1]
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::clock::Clock;

    fn make(text: &str, seed: u64) -> String {
        let clock = Clock::fixed(Timestamp::UNIX_EPOCH, seed);
        Recipe::parse(text).unwrap().make(&mut |bytes| clock.fill(bytes))
    }

    #[test]
    fn recipes_make_texts_of_their_shape() {
        for (text, pattern) in [
            ("USR[A-Z0-9]{6}", "^USR[A-Z0-9]{6}$"),
            ("r:[a-z0-9]{32}", "^r:[a-z0-9]{32}$"),
            ("[a-f][0-9]x", "^[a-f][0-9]x$"),
            ("[-_a]{9}", "^[-_a]{9}$"),
            ("[a-]{9}", "^[a-]{9}$"),
            (r"\[[\]\-\\]{9}\{\}", r"^\[[\]\-\\]{9}\{\}$"),
            ("[!-~]{255}", "^[!-~]{255}$"),
        ] {
            let (recipe, pattern) = (Recipe::parse(text).unwrap(), regex::Regex::new(pattern).unwrap());
            let made = make(text, 1);
            assert!(pattern.is_match(&made) && recipe.matches(&made), "{text} made {made}");
            assert_eq!(recipe.to_string(), text);
        }
    }

    #[test]
    fn bits_count_the_possible_texts() {
        let bits = |text| Recipe::parse(text).unwrap().bits();
        assert_eq!(bits("[ab]{10}"), 10.0);
        assert_eq!(bits("x[0-7]"), 3.0);
        assert!((bits("r:[a-z0-9]{32}") - 165.4).abs() < 0.1);
    }

    #[test]
    fn every_character_is_equally_likely() {
        // All 256 byte values in turn: 252 of them are fair for 36 characters, each comes up exactly 7 times.
        let mut next = 0_u8;
        let mut every_byte =
            |bytes: &mut [u8]| bytes.iter_mut().for_each(|b| (*b, next) = (next, next.wrapping_add(1)));
        let made = Recipe::parse("[a-z0-9]{252}").unwrap().make(&mut every_byte);
        for c in ('a'..='z').chain('0'..='9') {
            assert_eq!(made.matches(c).count(), 7, "{c}");
        }
    }

    #[test]
    fn only_texts_of_the_recipe_match() {
        let recipe = Recipe::parse("USR[A-Z0-9]{6}").unwrap();
        for text in ["", "USR", "USRABC12", "USRABC1234", "usrABC123", "USRABC12é", "USRabc123"] {
            assert!(!recipe.matches(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_parser(text in "[\\[\\]{}\\\\^a-c0-3-]{0,12}|.{0,20}") {
            match Recipe::parse(&text) {
                Ok(recipe) => prop_assert!(recipe.matches(&make(&text, 3)) && recipe.bits() > 0.0),
                Err(error) => prop_assert!(error.at <= text.len()),
            }
        }
    }
}
