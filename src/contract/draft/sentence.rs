//! Which demand of a rule a sentence complains about.

/// What a message says of the rule behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complained {
    pub(super) demand: &'static str,
    /// For `min_length` and `max_length`.
    pub(super) limit: Option<u64>,
}

/// Reads a message, and the code beside it, in the words that frameworks use.
pub(super) fn complained(message: &str, code: &str) -> Option<Complained> {
    let text = format!("{message} {code}").to_lowercase().replace(['_', '-'], " ");
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let plain = |demand| Some(Complained { demand, limit: None });
    if has(&["already", "taken", "exists", "in use", "duplicate", "must be unique", "not unique"]) {
        return plain("unique");
    }
    if let Some(limit) = number(message) {
        let least = Some(Complained { demand: "min_length", limit: Some(limit) });
        let most = Some(Complained { demand: "max_length", limit: Some(limit) });
        if has(&[
            "shorter than or equal",
            "less than or equal",
            "at most",
            "no more than",
            "maximum",
            "exceed",
        ]) || has(&["not be longer", "not be greater", "not be more", "too long", "up to"])
        {
            return most;
        }
        if has(&["longer than or equal", "greater than or equal", "at least", "minimum", "too short", "min "])
            || has(&[
                "not be shorter",
                "not be less",
                "no less than",
                "or more",
                "or longer",
                "is shorter than",
            ])
        {
            return least;
        }
        if has(&["longer than", "more than", "greater than"]) {
            return Some(Complained { demand: "min_length", limit: Some(limit + 1) });
        }
        if has(&["shorter than", "less than", "fewer than"]) {
            return Some(Complained { demand: "max_length", limit: Some(limit.saturating_sub(1)) });
        }
    }
    if has(&[
        "must be a string",
        "must be string",
        "not a string",
        "not a valid string",
        "expected string",
        "cast to string",
    ]) {
        return plain("type");
    }
    if has(&[
        "required",
        "missing",
        "blank",
        "empty",
        "must provide",
        "must be provided",
        "not be null",
        "mandatory",
    ]) || has(&["please enter", "please provide", "is not set", "must not be null"])
    {
        return plain("required");
    }
    if has(&[
        "valid",
        "format",
        "not an e mail",
        "not an email",
        "must be an email",
        "malformed",
        "not a well",
    ]) {
        return plain("format");
    }
    None
}

/// The first number of a sentence that could be a length.
fn number(text: &str) -> Option<u64> {
    let mut parts = text.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
    parts.find_map(|digits| digits.parse().ok().filter(|n| (1..=10_000).contains(n)))
}

/// Whether `word` stands in `text` on its own.
pub(super) fn stands_in(text: &str, word: &str) -> bool {
    find_word(text, word).is_some()
}

/// Where `word` stands in `text` on its own, and not inside of another word.
pub(super) fn find_word(text: &str, word: &str) -> Option<usize> {
    if word.is_empty() {
        return None;
    }
    let alone = |(at, found): &(usize, &str)| {
        let before = text[..*at].chars().next_back();
        let after = text[at + found.len()..].chars().next();
        let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !joins(before) && !joins(after)
    };
    text.match_indices(word).find(alone).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentences_of_frameworks() {
        for (message, demand, limit) in [
            ("Path `email` is required.", "required", None),
            ("can't be blank", "required", None),
            ("This field may not be null.", "required", None),
            ("E-mail already in use", "unique", None),
            ("The email has already been taken.", "unique", None),
            ("Ensure this field has at least 8 characters.", "min_length", Some(8)),
            ("password must be longer than or equal to 8 characters", "min_length", Some(8)),
            ("String must contain at most 20 character(s)", "max_length", Some(20)),
            ("name must be shorter than or equal to 20 characters", "max_length", Some(20)),
            ("\"password\" length must be at least 6 characters long", "min_length", Some(6)),
            ("Password is too short (minimum is 6 characters)", "min_length", Some(6)),
            ("should be longer than 5", "min_length", Some(6)),
            ("name must be a string", "type", None),
            ("Invalid email", "format", None),
        ] {
            assert_eq!(complained(message, ""), Some(Complained { demand, limit }), "{message}");
        }
        assert_eq!(complained("Password is not good", ""), None);
        assert_eq!(complained("no", "DUPLICATE_EMAIL").map(|c| c.demand), Some("unique"));
    }

    #[test]
    fn words_stand_alone() {
        assert!(stands_in("Path `email` is", "email") && !stands_in("emails", "email"));
        assert_eq!(find_word("emails, email", "email"), Some(8));
    }
}
