//! How the text of a recipe is read, and what can be wrong with it.

/// Longest text that a recipe may make: what the column holds.
const MAX_LENGTH: usize = 255;

/// Where a recipe is wrong and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct RecipeError {
    /// The byte at which the mistake stands, counted from 0; at most the length of the text.
    pub at: usize,
    /// What is wrong there.
    pub fault: RecipeFault,
}

/// What can be wrong with a recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecipeFault {
    /// A control character, a space, or one outside ASCII.
    #[error("only printable ASCII characters without the space may be written here")]
    Character,
    /// `]`, `{` or `}` where it means nothing.
    #[error("this character has no meaning here; write a backslash before it if it stands for itself")]
    Stray,
    /// A backslash before a character that needs none, or at the end.
    #[error("a backslash may only stand before one of [ ] {{ }} \\ - ^")]
    Escape,
    /// `[` without `]`.
    #[error("the class that begins here is not closed by ]")]
    Unclosed,
    /// `[]`
    #[error("the class is empty")]
    EmptyClass,
    /// `[^..]`
    #[error("a class cannot be negated; list the characters it may have")]
    Negated,
    /// `z-a`
    #[error("the range is backwards; its first character must come before its last")]
    Backwards,
    /// A character that is already in its class, which would come up twice as often.
    #[error("this character is in the class already")]
    Repeated,
    /// Not `{1}` to `{255}`.
    #[error("expected a count from {{1}} to {{{MAX_LENGTH}}}")]
    Count,
    /// More than 255 characters in all.
    #[error("the text would be longer than {MAX_LENGTH} characters")]
    TooLong,
    /// Every text would be the same.
    #[error("nothing here is random; write a class such as [a-z0-9]{{24}}")]
    NotRandom,
}

/// `count` characters, each one of `alphabet`, which is sorted and not empty. A literal is a class of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) alphabet: Vec<u8>,
    pub(super) count: usize,
}

/// Reads the text of a recipe.
///
/// # Errors
/// The first mistake, with its place.
pub(super) fn parse(text: &str) -> Result<Vec<Piece>, RecipeError> {
    if let Some(at) = text.bytes().position(|b| !b.is_ascii_graphic()) {
        return Err(RecipeError { at, fault: RecipeFault::Character });
    }
    let mut reader = Reader { text: text.as_bytes(), at: 0 };
    let (mut pieces, mut length) = (Vec::new(), 0);
    while reader.peek().is_some() {
        let start = reader.at;
        let piece = reader.piece()?;
        length += piece.count;
        if length > MAX_LENGTH {
            return Err(RecipeError { at: start, fault: RecipeFault::TooLong });
        }
        pieces.push(piece);
    }
    if pieces.iter().all(|piece| piece.alphabet.len() == 1) {
        return Err(RecipeError { at: text.len(), fault: RecipeFault::NotRandom });
    }
    Ok(pieces)
}

/// A cursor over the text of a recipe.
struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn fail<T>(&self, at: usize, fault: RecipeFault) -> Result<T, RecipeError> {
        Err(RecipeError { at, fault })
    }

    fn piece(&mut self) -> Result<Piece, RecipeError> {
        match self.peek() {
            Some(b'[') => Ok(Piece { alphabet: self.class()?, count: self.count()? }),
            Some(b']' | b'{' | b'}') => self.fail(self.at, RecipeFault::Stray),
            _ => Ok(Piece { alphabet: vec![self.character(self.at)?], count: 1 }),
        }
    }

    /// One character, escaped or not. `open` is where the class began, in case the text ends in it.
    fn character(&mut self, open: usize) -> Result<u8, RecipeError> {
        let Some(byte) = self.peek() else { return self.fail(open, RecipeFault::Unclosed) };
        self.at += 1;
        if byte != b'\\' {
            return Ok(byte);
        }
        match self.peek() {
            Some(escaped @ (b'[' | b']' | b'{' | b'}' | b'\\' | b'-' | b'^')) => {
                self.at += 1;
                Ok(escaped)
            }
            _ => self.fail(self.at - 1, RecipeFault::Escape),
        }
    }

    fn class(&mut self) -> Result<Vec<u8>, RecipeError> {
        let open = self.at;
        self.at += 1;
        if self.peek() == Some(b'^') {
            return self.fail(self.at, RecipeFault::Negated);
        }
        let mut alphabet = Vec::new();
        while self.peek() != Some(b']') {
            let start = self.at;
            let first = self.character(open)?;
            let last = if self.begins_range() {
                self.at += 1;
                self.character(open)?
            } else {
                first
            };
            if first > last {
                return self.fail(start, RecipeFault::Backwards);
            }
            for byte in first..=last {
                match alphabet.binary_search(&byte) {
                    Ok(_) => return self.fail(start, RecipeFault::Repeated),
                    Err(place) => alphabet.insert(place, byte),
                }
            }
        }
        self.at += 1;
        if alphabet.is_empty() {
            return self.fail(open, RecipeFault::EmptyClass);
        }
        Ok(alphabet)
    }

    /// Whether a `-` stands here that is not the last of its class.
    fn begins_range(&self) -> bool {
        self.peek() == Some(b'-') && self.text.get(self.at + 1).is_some_and(|&next| next != b']')
    }

    fn count(&mut self) -> Result<usize, RecipeError> {
        if self.peek() != Some(b'{') {
            return Ok(1);
        }
        let open = self.at;
        let length = self.text[open..].iter().position(|&b| b == b'}');
        let Some(close) = length.map(|n| open + n) else { return self.fail(open, RecipeFault::Count) };
        let digits = &self.text[open + 1..close];
        // At most three digits, so the number cannot overflow; a sign or a leading zero is not a count.
        if digits.len() > 3
            || !digits.iter().all(u8::is_ascii_digit)
            || digits.first().is_none_or(|&d| d == b'0')
        {
            return self.fail(open, RecipeFault::Count);
        }
        self.at = close + 1;
        match digits.iter().fold(0, |n, digit| n * 10 + usize::from(digit - b'0')) {
            n @ 1..=MAX_LENGTH => Ok(n),
            _ => self.fail(open, RecipeFault::Count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_shown_where_they_are() {
        use RecipeFault::*;
        for (text, at, fault) in [
            ("", 0, NotRandom),
            ("USR", 3, NotRandom),
            ("[a]{6}", 6, NotRandom),
            ("a b", 1, Character),
            ("é[a-z]", 0, Character),
            ("a]", 1, Stray),
            ("a{3}", 1, Stray),
            ("a}", 1, Stray),
            ("x[ab]{2}{2}", 8, Stray),
            (r"a\", 1, Escape),
            (r"[\d]", 1, Escape),
            ("ab[a-z", 2, Unclosed),
            ("[a-", 0, Unclosed),
            ("[", 0, Unclosed),
            ("x[]", 1, EmptyClass),
            ("[^a]", 1, Negated),
            ("[z-a]", 1, Backwards),
            ("[aba]", 3, Repeated),
            ("[a-zm]", 4, Repeated),
            ("[ab]{0}", 4, Count),
            ("[ab]{}", 4, Count),
            ("[ab]{+1}", 4, Count),
            ("[ab]{256}", 4, Count),
            ("[ab]{9999999999}", 4, Count),
            ("[ab]{1,2}", 4, Count),
            ("[ab]{2", 4, Count),
            ("[ab]{200}[cd]{56}", 9, TooLong),
        ] {
            assert_eq!(parse(text), Err(RecipeError { at, fault }), "{text}");
        }
    }
}
