//! The words of the contract language: one definition that drives the parser, the editor schema and the reference.

use regex::{Regex, RegexBuilder};

/// What a word's value looks like in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text in quotes.
    Text,
    /// Text in quotes that is a template.
    Template,
    /// Text in quotes that is an expression.
    Expression,
    /// `true`; leave the word out for its opposite.
    Flag,
    /// A whole number.
    Integer,
    /// Text or a whole number.
    TextOrInteger,
    /// Text or a list of texts.
    TextOrTexts,
    /// Any list.
    List,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A list of these texts.
    SomeOf(&'static [&'static str]),
    /// A length of time: `"15m"`, `"1h"`, `"7d"`.
    Duration,
    /// A table of other words (named by the table that holds them).
    Table(&'static [Word]),
    /// A list of tables of other words.
    Tables(&'static [Word]),
    /// A table whose keys are free and whose values are tables of other words.
    Named(&'static [Word]),
    /// A table whose keys are demands and whose values say what a rule says.
    Says(&'static [Word]),
    /// A table of header names and templates, or lists of templates.
    Headers,
}

/// One word of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// As it stands in the file.
    pub name: &'static str,
    /// What may stand behind the `=`.
    pub kind: Kind,
    /// What holds when it is left out, as written in the reference.
    pub default: &'static str,
    /// What it means, in a sentence or two.
    pub about: &'static str,
}

const fn word(name: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Word {
    Word { name, kind, default, about }
}

/// The top of the file.
pub const CONTRACT: &[Word] = &[
    word("title", Kind::Text, "\"\"", "The contract's name in lists and in the OpenAPI document."),
    word(
        "id",
        Kind::Text,
        "\"integer\"",
        "What `user.id` is: `integer`, `uuid`, `objectid` (24 hex digits), or a text with classes such as \
         `\"USR[A-Z0-9]{6}\"`. One word for the whole API, because later calls must understand the id again.",
    ),
    word(
        "register",
        Kind::Table(REGISTER),
        "required",
        "The sign-up: the words below, and one table per outcome.",
    ),
];

/// `[register]`.
pub const REGISTER: &[Word] = &[
    word(
        "path",
        Kind::Text,
        "required",
        "The exact path, with or without a slash at its end unless another contract has that one. A query string \
         (`/api/?action=registration`) is part of the match. The method is POST.",
    ),
    word(
        "accepts",
        Kind::SomeOf(&["json", "form", "multipart"]),
        "[\"json\"]",
        "The media types it reads: `json` (also any `+json`), `form` (with `user[email]` keys), `multipart` (text \
         parts). Contracts may share a path when these do not overlap; a body without a Content-Type is read as the \
         first.",
    ),
    word(
        "errors",
        Kind::OneOf(&["all", "first", "first-per-field"]),
        "\"all\"",
        "How many complaints a request collects.",
    ),
    word(
        "unknown",
        Kind::OneOf(&["ignore", "refuse", "keep"]),
        "\"ignore\"",
        "Members of the body that no field names: `ignore`, `refuse` (demand `unknown`), or `keep` (stored as extra \
         values, but for privileges and passwords).",
    ),
    word(
        "max_body",
        Kind::Integer,
        "`limits.body`",
        "The longest body, in bytes, from 1 to 16777216; a longer one is `too_large`.",
    ),
    word(
        "reveal",
        Kind::SomeOf(REVEALS),
        "[]",
        "Exceptions to secrecy, each warned about at start: `rejected_password` (a refused password may stand in an \
         error), `password_sha256` (becomes a name in `user`, computed for the reply, never stored).",
    ),
    word(
        "fields",
        Kind::Tables(FIELD),
        "required",
        "The fields, in the order in which errors are listed and duplicates looked up.",
    ),
    word(
        "says",
        Kind::Says(SAYS),
        "{}",
        "What a rule says unless it says so itself, by demand: the framework's message catalogue, written once. Two \
         demands are the server's own: `unknown`, and `meaning`, which a value breaks that passed every rule and yet \
         is not what `into` says (a user name with a space, a text with NUL); of an e-mail address, and of a field with \
         a `format`, that is a broken `format`.",
    ),
    word(
        "tokens",
        Kind::Named(TOKEN),
        "{}",
        "Everything secret that is handed out; written `{{ tokens.NAME }}`.",
    ),
];

/// What `reveal` may name.
pub const REVEALS: &[&str] = &["rejected_password", "password_sha256"];

/// One of `fields`.
pub const FIELD: &[Word] = &[
    word("name", Kind::Text, "required", "What the API calls it: in errors, and as `input.NAME`."),
    word(
        "from",
        Kind::Text,
        "the name",
        "Where it stands: a body path `user.email`, one of a list `formFields[id=email].value`, or `query:x`, \
         `header:X-Y`, `cookie:z`.",
    ),
    word(
        "into",
        Kind::Text,
        "the name, if it is one of the first six",
        "What it means: `email` `username` `password` `name` `first_name` `last_name` `id`, or `extra.ANYTHING`, a \
         value that is stored beside them. Without it the field is checked and forgotten.",
    ),
    word(
        "clean",
        Kind::Expression,
        "none",
        "Changes the value before rules and storage: `value | trim | lower`; it runs for absent values too, so \
         `value or \"member\"` is a default. Not on passwords.",
    ),
    word(
        "rules",
        Kind::Tables(RULE),
        "[]",
        "Run in order. After a failed `required` only rules that demand it too still speak; a failed `type` ends the \
         field.",
    ),
];

/// One of a field's `rules`: what it demands and what it says.
pub const RULE: &[Word] = &[
    word(
        "required",
        Kind::Flag,
        "",
        "Present, not null, not \"\". Without it absent and null skip every rule.",
    ),
    word(
        "type",
        Kind::OneOf(&["string", "integer", "number", "boolean", "array", "object"]),
        "",
        "The JSON type; `string` when no rule of the field says otherwise. Strict in JSON; forms, queries and headers \
         may write booleans and integers as text.",
    ),
    word("enum", Kind::List, "", "One of these values; `enum = [true]` is \"must be accepted\"."),
    word(
        "min_length",
        Kind::Integer,
        "",
        "At least so many code points, of a password after normalisation (NFC); of a list, items.",
    ),
    word("max_length", Kind::Integer, "", "At most so many code points; of a list, items."),
    word(
        "pattern",
        Kind::TextOrTexts,
        "",
        "A linear-time regular expression that is searched for; of a list all must match (this replaces look-ahead).",
    ),
    word(
        "format",
        Kind::OneOf(FORMATS),
        "",
        "`email`, `uuid`, `date` (yyyy-mm-dd), `phone` (E.164), `timezone` (IANA), `uri`.",
    ),
    word(
        "secret",
        Kind::Text,
        "",
        "Equals the deployment's secret of this name, compared in constant time, never stored.",
    ),
    word(
        "uncommon",
        Kind::Flag,
        "",
        "A password that attackers do not try first. Its code is what was found: `common` (a known password, or known \
         ones in a row), `pattern` (a repetition, a sequence, a row of keys), `personal` (made of the account's own \
         address or names, or of the service's), `breached` (in the deployment's filter, if it has one).",
    ),
    word(
        "proof",
        Kind::Flag,
        "",
        "A proof of work: the solution of a challenge from `GET PATH/challenge` (ALTCHA's format), which counts once. When \
         one is needed is the deployment's to say; what is sent is always checked. One field has it, and forgets it. Its \
         code is what is wrong: `proof_missing`, `proof_malformed`, `proof_forged`, `proof_wrong`, `proof_expired`, \
         `proof_spent`.",
    ),
    word(
        "check",
        Kind::Expression,
        "",
        "Anything else, across fields too: `value == input.password`. It sees the password and returns one bit.",
    ),
    word(
        "unique",
        Kind::Flag,
        "",
        "One account per value, decided by the database's index when everything else has passed: outcome `taken`. \
         `email`, `username` and `id` are unique without it; with it they get their own message and code.",
    ),
    word(
        "message",
        Kind::Template,
        "plain English",
        "What the rule says; sees `value`, `field`, `limit` (the demand's own parameter), `reason`, and `input.NAME`.",
    ),
    word(
        "code",
        Kind::TextOrInteger,
        "the demand's name",
        "`{{ e.code }}`: tag, key or number, as the old API had it.",
    ),
    word("field", Kind::Text, "the field's name", "Where the error is reported: `non_field_errors`."),
    word(
        "if",
        Kind::Expression,
        "always",
        "Only then: `{ required = true, if = \"not input.phone\" }` is either-or.",
    ),
    word("phase", Kind::Integer, "1", "A phase runs only when all before it passed."),
    word(
        "outcome",
        Kind::Text,
        "\"invalid\"",
        "The reply it leads to, own names allowed. The first error decides; errors that lead elsewhere are dropped.",
    ),
];

/// The words of a rule that demand something, in the order in which they are tried.
pub const DEMANDS: &[&str] = &[
    "required",
    "type",
    "enum",
    "min_length",
    "max_length",
    "pattern",
    "format",
    "secret",
    "uncommon",
    "proof",
    "check",
    "unique",
];

/// What the server demands by itself; `says` may put it into words.
pub const OWN_DEMANDS: &[&str] = &["unknown", "meaning"];

/// What `format` may name.
pub const FORMATS: &[&str] = &["email", "uuid", "date", "phone", "timezone", "uri"];

/// One of `says`.
pub const SAYS: &[Word] = &[
    word("message", Kind::Template, "plain English", "As in a rule."),
    word("code", Kind::TextOrInteger, "the demand's name", "As in a rule."),
];

/// One of `tokens`: exactly one of `claims` and `random`.
pub const TOKEN: &[Word] = &[
    word(
        "claims",
        Kind::Template,
        "",
        "A JWT with these claims; `iat` and `exp` are appended. Sees `user`, `now`, `random`, `input`.",
    ),
    word(
        "random",
        Kind::Text,
        "",
        "Random text with classes, as in `id`: `\"r:[a-z0-9]{32}\"`; at least 128 bits, stored hashed.",
    ),
    word(
        "lifetime",
        Kind::Duration,
        "\"1h\"",
        "`s`, `m`, `h`, `d`; also `{{ tokens.NAME.lifetime }}` in seconds, so that body, cookie and `exp` agree.",
    ),
];

/// An outcome's table.
pub const REPLY: &[Word] = &[
    word(
        "status",
        Kind::Integer,
        "by outcome",
        "From 200 to 599; 204, 205 and 304 have no body. Also `{{ status }}`, and its reason phrase `{{ phrase }}`.",
    ),
    word("message", Kind::Template, "by outcome", "`{{ message }}`, for the shape in `default`."),
    word(
        "headers",
        Kind::Headers,
        "none",
        "`Set-Cookie` and `Location` are ordinary headers: paste them. `Content-Type` is a fixed text and decides how the body is written. What the connection decides (`Content-Length`, `Date`, `Connection` ..) is refused.",
    ),
    word(
        "body",
        Kind::Template,
        "by outcome",
        "`\"\"` is an empty answer. JSON by default; under the types of HTML and XML values are escaped for it, elsewhere plain.",
    ),
];

/// The word of this name in a table.
pub fn find(words: &'static [Word], name: &str) -> Option<&'static Word> {
    words.iter().find(|w| w.name == name)
}

/// Compiles a pattern: linear time, bounded size, no look-around.
pub fn pattern(text: &str) -> Result<Regex, PatternError> {
    RegexBuilder::new(text).size_limit(1 << 18).dfa_size_limit(1 << 20).nest_limit(32).build().map_err(
        |error| match (text.contains("(?=") || text.contains("(?!") || text.contains("(?<"), error) {
            (true, _) => PatternError::LookAround,
            (_, regex::Error::CompiledTooBig(_)) => PatternError::TooBig,
            (_, error) => {
                PatternError::Syntax(error.to_string().lines().last().unwrap_or_default().to_owned())
            }
        },
    )
}

/// Why a pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// `(?=`, `(?!`, `(?<`.
    #[error("look-around is not part of linear-time patterns; write the parts as a list, all must match")]
    LookAround,
    /// The compiled pattern would be larger than 256 KiB.
    #[error("this pattern is too big")]
    TooBig,
    /// Not a regular expression.
    #[error("not a regular expression: {0}")]
    Syntax(String),
}

/// Lengths of time as contracts write them.
pub mod duration {
    use jiff::{Span, ToSpan};

    /// `"90s"`, `"15m"`, `"1h"`, `"7d"` in seconds; nothing else, and not more than ten years.
    pub fn seconds(text: &str) -> Option<i64> {
        let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let factor = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return None,
        };
        let seconds = digits.parse::<u32>().ok().map(i64::from)? * factor;
        (1..=10 * 366 * 86_400).contains(&seconds).then_some(seconds)
    }

    /// The same with a sign and `y` for years, as the filter `after` reads it.
    pub fn span(text: &str) -> Option<Span> {
        let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let span = match text.strip_suffix('y') {
            Some(years) => years.parse::<i16>().ok().filter(|y| (0..=1000).contains(y))?.years(),
            None => seconds(text)?.seconds(),
        };
        Some(if sign < 0 { span.negate() } else { span })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration::seconds("15m"), Some(900));
        assert_eq!(duration::seconds("14d"), Some(1_209_600));
        for bad in ["", "s", "1", "1w", "-1h", "1.5h", "0s", "99999999999d", "€"] {
            assert_eq!(duration::seconds(bad), None, "{bad}");
        }
        assert!(duration::span("-16y").is_some());
    }

    #[test]
    fn every_demand_is_a_word() {
        assert!(DEMANDS.iter().all(|d| find(RULE, d).is_some()));
    }
}
