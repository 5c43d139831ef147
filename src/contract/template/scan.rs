//! Expressions: compiled once, and scanned for every name, filter, test and function they use, with positions, so
//! that a misspelt one is a mistake in the file and never a rule that fails open.

use super::bad::Bad;
use super::engine::ENGINE;
use minijinja::Expression;
use std::ops::Range;

/// A compiled expression and what it uses. Positions are offsets into the text that holds it.
#[derive(Debug)]
pub(crate) struct Expr {
    pub(crate) at: Range<usize>,
    pub(crate) source: String,
    pub(crate) code: Code,
    pub(crate) uses: Vec<Use>,
    /// Where the literal that holds it stands in the contract file, when it stands alone there.
    pub(crate) origin: Range<usize>,
}

#[derive(Debug)]
pub(crate) enum Code {
    /// `user.id`: looked up without the expression engine.
    Path(Vec<Box<str>>),
    Compiled(Box<Expression<'static, 'static>>),
}

/// One thing that an expression mentions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Use {
    pub(crate) kind: UseKind,
    pub(crate) at: Range<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum UseKind {
    /// `errors[0].message` is `["errors", "[]", "message"]`.
    Name(Vec<String>),
    Filter(String),
    Test(String),
    Function(String),
    /// A string literal; `argument_of` names the filter or test whose first argument it is.
    Text {
        text: String,
        argument_of: Option<String>,
    },
    /// A pattern: the argument of `matching`, wherever that stands.
    Pattern(String),
}

impl Expr {
    /// Compiles `source`; a complaint's position is relative to it.
    pub(crate) fn compile(source: &str) -> Result<Expr, Bad> {
        let tokens = tokenize(source)?;
        let whole = 0..source.len();
        if tokens.is_empty() {
            return Err(
                Bad::new(whole, "there is nothing in this tag").help("write a name, such as {{ message }}")
            );
        }
        let uses = uses(source, &tokens)?;
        let expression = ENGINE.compile_expression_owned(source.to_owned()).map_err(|error| {
            let at =
                error.range().filter(|r| r.end <= source.len() && !r.is_empty()).unwrap_or(whole.clone());
            Bad::new(at, error.detail().unwrap_or("syntax error").to_owned())
        })?;
        let code = match plain_path(source) {
            Some(path) => Code::Path(path),
            None => Code::Compiled(Box::new(expression)),
        };
        Ok(Expr { at: whole, source: source.to_owned(), code, uses, origin: 0..0 })
    }

    /// The same expression, standing `by` bytes further into the text.
    pub(crate) fn moved(mut self, by: usize) -> Expr {
        self.at = self.at.start + by..self.at.end + by;
        for item in &mut self.uses {
            item.at = item.at.start + by..item.at.end + by;
        }
        self
    }

    /// The same expression, from the literal at `origin` of the contract file.
    pub(crate) fn placed(mut self, origin: Range<usize>) -> Expr {
        self.origin = origin;
        self
    }

    /// The text, when it is one that the template itself writes: `"{"`.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self.uses.as_slice() {
            [Use { kind: UseKind::Text { text, argument_of: None }, at }] => {
                (at.len() == self.source.trim().len()).then_some(text)
            }
            _ => None,
        }
    }

    /// Whether the expression mentions `path`, or something inside it.
    pub(crate) fn mentions(&self, path: &[&str]) -> bool {
        self.uses.iter().any(|u| match &u.kind {
            UseKind::Name(names) => names.len() >= path.len() && names.iter().zip(path).all(|(a, b)| a == b),
            _ => false,
        })
    }
}

/// Whether `text` can name a variable.
pub(crate) fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !KEYWORDS.contains(&text)
}

const KEYWORDS: [&str; 13] =
    ["and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None"];

fn plain_path(source: &str) -> Option<Vec<Box<str>>> {
    let path: Vec<&str> = source.split('.').collect();
    path.iter().all(|part| is_identifier(part)).then(|| path.into_iter().map(Into::into).collect())
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    /// A string literal, as the engine reads it.
    Text(String),
    Number,
    Sign(u8),
}

type Tokens = Vec<(Token, Range<usize>)>;

fn tokenize(source: &str) -> Result<Tokens, Bad> {
    let bytes = source.as_bytes();
    let (mut out, mut i) = (Vec::new(), 0);
    while i < bytes.len() {
        let start = i;
        match bytes[i] {
            b' ' | b'\t' | b'\n' | b'\r' => i += 1,
            b'"' | b'\'' => {
                let (text, end) = string(source, i)?;
                out.push((Token::Text(text), start..end));
                i = end;
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                while i < bytes.len() && (bytes[i].is_ascii_alphanumeric() || bytes[i] == b'_') {
                    i += 1;
                }
                out.push((Token::Word(source[start..i].to_owned()), start..i));
            }
            b'0'..=b'9' => {
                while i < bytes.len() && (bytes[i].is_ascii_alphanumeric() || bytes[i] == b'_') {
                    i += 1;
                }
                out.push((Token::Number, start..i));
            }
            sign if sign.is_ascii() => {
                out.push((Token::Sign(sign), start..start + 1));
                i += 1;
            }
            _ => {
                let len = source[i..].chars().next().map_or(1, char::len_utf8);
                return Err(Bad::new(i..i + len, "this character is not part of an expression")
                    .help("text goes inside quotes"));
            }
        }
    }
    Ok(out)
}

/// A string literal from its opening quote on: what it holds, and where it ends.
fn string(source: &str, start: usize) -> Result<(String, usize), Bad> {
    let bytes = source.as_bytes();
    let mut i = start + 1;
    while i < bytes.len() && bytes[i] != bytes[start] {
        i += if bytes[i] == b'\\' { 2 } else { 1 };
    }
    if i >= bytes.len() {
        return Err(Bad::new(start..start + 1, "this text is never closed with a quote"));
    }
    let end = i + 1;
    // The engine itself is asked what the escapes mean: two opinions about that would be a hole.
    let literal = ENGINE.compile_expression(&source[start..end]).and_then(|e| e.eval(()));
    match literal.as_ref().ok().and_then(|v| v.as_str()) {
        Some(text) => Ok((text.to_owned(), end)),
        None => Err(Bad::new(start..end, "there is an escape in this text that means nothing")),
    }
}

/// Reads an expression's tokens once, and sorts out what each word in it is.
struct Reader<'t> {
    source: &'t str,
    tokens: &'t Tokens,
}

fn uses(source: &str, tokens: &Tokens) -> Result<Vec<Use>, Bad> {
    let reader = Reader { source, tokens };
    reader.shape()?;
    let mut out: Vec<Use> = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        let (found, next) = reader.at(i)?;
        out.extend(found);
        i = next;
    }
    Ok(out)
}

impl Reader<'_> {
    fn sign(&self, i: usize, sign: u8) -> bool {
        matches!(self.tokens.get(i), Some((Token::Sign(s), _)) if *s == sign)
    }

    fn word(&self, i: usize) -> Option<&str> {
        match self.tokens.get(i) {
            Some((Token::Word(word), _)) => Some(word),
            _ => None,
        }
    }

    fn text(&self, i: usize) -> Option<&str> {
        match self.tokens.get(i) {
            Some((Token::Text(text), _)) => Some(text),
            _ => None,
        }
    }

    fn place(&self, i: usize) -> Range<usize> {
        self.tokens.get(i).map_or(0..0, |(_, at)| at.clone())
    }

    /// What the engine would take and the language does not: each would be a way around a check or a bound.
    fn shape(&self) -> Result<(), Bad> {
        let count = |word| self.tokens.iter().filter(|(t, _)| *t == Token::Word(String::from(word))).count();
        if count("if") > count("else") {
            return Err(Bad::new(0..self.source.len(), "an `if` inside an expression needs an `else`"));
        }
        for i in 0..self.tokens.len() {
            if self.text(i).is_some() && self.text(i + 1).is_some() {
                let at = self.place(i).start..self.place(i + 1).end;
                return Err(Bad::new(at, "two texts in a row").help("join them with `~`, or write one text"));
            }
            if self.sign(i, b'*') {
                self.product(i)?;
            }
        }
        Ok(())
    }

    /// `*` repeats texts and lists, without a bound; only a number that is known to be one may be multiplied.
    fn product(&self, i: usize) -> Result<(), Bad> {
        const NUMBERS: [&str; 6] = ["lifetime", "length", "seconds", "millis", "index", "index0"];
        let number = |i: usize| matches!(self.tokens.get(i), Some((Token::Number, _)));
        let before = i
            .checked_sub(1)
            .is_some_and(|i| number(i) || self.word(i).is_some_and(|word| NUMBERS.contains(&word)));
        match before && number(i + 1) {
            true => Ok(()),
            false => Err(Bad::new(self.place(i), "`*` could repeat a text without end")
                .help("a number may be multiplied: `tokens.NAME.lifetime * 1000`, `errors | length * 2`")),
        }
    }

    /// What stands at token `i`, and the token after it.
    fn at(&self, i: usize) -> Result<(Option<Use>, usize), Bad> {
        let (token, at) = &self.tokens[i];
        let before = |n: usize| i.checked_sub(n);
        let previous_sign = |n, sign| before(n).is_some_and(|i| self.sign(i, sign));
        let previous_word = |n| before(n).and_then(|i| self.word(i));
        let found = |kind: UseKind, next: usize| Ok((Some(Use { kind, at: at.clone() }), next));
        let name = match token {
            Token::Word(name) => name,
            Token::Text(text) => {
                if let Some(test) = self.by_name(i)? {
                    return found(test, i + 1);
                }
                if self.patterned(i) {
                    return found(UseKind::Pattern(text.clone()), i + 1);
                }
                let argument_of = before(2).filter(|_| previous_sign(1, b'(')).and_then(|i| self.word(i));
                let argument_of = argument_of.map(str::to_owned);
                return found(UseKind::Text { text: text.clone(), argument_of }, i + 1);
            }
            _ => return Ok((None, i + 1)),
        };
        let tested = previous_word(1) == Some("is")
            || previous_word(1) == Some("not") && previous_word(2) == Some("is");
        if previous_sign(1, b'|') || tested && name != "not" {
            if self.sign(i + 1, b'.') {
                return Err(Bad::new(self.place(i + 1), "the name of a filter or test has no dots"));
            }
            let test = !previous_sign(1, b'|');
            if test && name == "matching" && !self.literal(i + 1, b'(') {
                return Err(not_literal(at.clone()));
            }
            if !test && name == "date" && !self.formatted(i + 1) {
                return Err(Bad::new(at.clone(), "`date` needs its format in quotes")
                    .help("write `now | date(\"%Y-%m-%d\")`"));
            }
            return found(
                if test { UseKind::Test(name.clone()) } else { UseKind::Filter(name.clone()) },
                i + 1,
            );
        }
        // An operator or constant; or a named argument, as in map(attribute="message").
        if KEYWORDS.contains(&name.as_str()) || self.sign(i + 1, b'=') && !self.sign(i + 2, b'=') {
            return Ok((None, i + 1));
        }
        if previous_sign(1, b'.') {
            return Err(Bad::new(at.clone(), "a member can only be taken of a name")
                .help("give the value a name first: {% set x = .. %}"));
        }
        if self.sign(i + 1, b'(') {
            return found(UseKind::Function(name.clone()), i + 1);
        }
        let (path, next, end) = path(self.source, self.tokens, i)?;
        Ok((Some(Use { kind: UseKind::Name(path), at: at.start..end }), next))
    }

    /// `map("lower")`, `select("in", ..)`, `selectattr("code", "in", ..)`: filters and tests that are named by a text.
    fn by_name(&self, i: usize) -> Result<Option<UseKind>, Bad> {
        let text = self.text(i).unwrap_or_default().to_owned();
        let of = |open: usize| {
            let open = i.checked_sub(open)?;
            self.word(open.checked_sub(1)?).filter(|_| self.sign(open, b'('))
        };
        let attribute = i >= 2 && self.sign(i - 1, b',') && self.text(i - 2).is_some();
        let test = match (of(1), of(3).filter(|_| attribute)) {
            (Some("map"), _) if text == "date" => {
                return Err(Bad::new(self.place(i), "`date` is not for `map`").help("use a loop"));
            }
            (Some("map"), _) => return Ok(Some(UseKind::Filter(text))),
            (Some("select"), _) | (_, Some("selectattr")) => text,
            _ => return Ok(None),
        };
        if test == "matching" && !self.literal(i + 1, b',') {
            return Err(not_literal(self.place(i)));
        }
        Ok(Some(UseKind::Test(test)))
    }

    /// Whether the text at `i` is the pattern of a `matching` before it.
    fn patterned(&self, i: usize) -> bool {
        let Some(before) = i.checked_sub(2) else { return false };
        self.sign(i - 1, b'(') && self.word(before) == Some("matching")
            || self.sign(i - 1, b',') && self.text(before) == Some("matching")
    }

    /// Whether a text follows as a whole first argument.
    fn formatted(&self, i: usize) -> bool {
        self.sign(i, b'(') && self.text(i + 1).is_some() && (self.sign(i + 2, b')') || self.sign(i + 2, b','))
    }

    /// Whether one text and nothing else follows, up to the closing bracket.
    fn literal(&self, i: usize, open: u8) -> bool {
        self.sign(i, open) && self.text(i + 1).is_some() && self.sign(i + 2, b')')
    }
}

fn not_literal(at: Range<usize>) -> Bad {
    Bad::new(at, "`matching` needs its pattern in quotes").help(
        "write `value is matching(\"^[a-z]+$\")`; a pattern that is put together could come from a client",
    )
}

/// `a.b[0].c` from token `i` on: its parts, the token after it, and where it ends.
fn path(source: &str, tokens: &Tokens, mut i: usize) -> Result<(Vec<String>, usize, usize), Bad> {
    let mut parts = vec![source[tokens[i].1.clone()].to_owned()];
    let mut end = tokens[i].1.end;
    i += 1;
    loop {
        match (tokens.get(i).map(|t| &t.0), tokens.get(i + 1).map(|t| &t.0), tokens.get(i + 2).map(|t| &t.0))
        {
            (Some(Token::Sign(b'.')), Some(Token::Word(member)), after) => {
                if after == Some(&Token::Sign(b'(')) {
                    return Err(Bad::new(tokens[i + 1].1.clone(), "values have no methods")
                        .help(format!("use a filter: `| {member}`")));
                }
                parts.push(member.clone());
                end = tokens[i + 1].1.end;
                i += 2;
            }
            (Some(Token::Sign(b'.')), Some(Token::Number), _) => {
                return Err(Bad::new(tokens[i + 1].1.clone(), "an item is numbered in brackets")
                    .help("write [0] and not .0"));
            }
            (Some(Token::Sign(b'[')), Some(Token::Number), Some(Token::Sign(b']'))) => {
                parts.push("[]".to_owned());
                end = tokens[i + 2].1.end;
                i += 3;
            }
            (Some(Token::Sign(b'[')), Some(Token::Text(member)), Some(Token::Sign(b']'))) => {
                parts.push(member.clone());
                end = tokens[i + 2].1.end;
                i += 3;
            }
            (Some(Token::Sign(b'[')), _, _) => {
                return Err(Bad::new(tokens[i].1.clone(), "a member is named or numbered")
                    .help("write .name or [0]; a computed name could reach what is not yours to show"));
            }
            _ => return Ok((parts, i, end)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(source: &str) -> Vec<String> {
        let expr = Expr::compile(source).unwrap();
        let name = |u: &Use| match &u.kind {
            UseKind::Name(path) => path.join("."),
            UseKind::Filter(f) => format!("|{f}"),
            UseKind::Test(t) => format!("is {t}"),
            UseKind::Function(f) => format!("{f}()"),
            UseKind::Text { text, argument_of } => format!("{text:?} of {argument_of:?}"),
            UseKind::Pattern(pattern) => format!("/{pattern}/"),
        };
        expr.uses.iter().map(name).collect()
    }

    #[test]
    fn everything_an_expression_mentions_is_found() {
        assert_eq!(names("errors[0].message"), ["errors.[].message"]);
        assert_eq!(
            names("not similar(value, input.email) and value is not common_password"),
            ["similar()", "value", "input.email", "value", "is common_password"]
        );
        assert_eq!(
            names("errors | map(attribute=\"message\") | join(', ')"),
            ["errors", "|map", "\"message\" of None", "|join", "\", \" of Some(\"join\")"]
        );
        assert_eq!(names("e.code in ['a', 'b']"), ["e.code", "\"a\" of None", "\"b\" of None"]);
    }

    #[test]
    fn filters_and_tests_that_are_named_by_a_text_are_found() {
        assert_eq!(names("errors | map('lower')"), ["errors", "|map", "|lower"]);
        assert_eq!(names("x | select('in', y)"), ["x", "|select", "is in", "y"]);
        assert_eq!(
            names("errors | selectattr('code', 'matching', '^a')"),
            ["errors", "|selectattr", "\"code\" of Some(\"selectattr\")", "is matching", "/^a/"]
        );
        assert_eq!(names(r"value is matching('^\d+\n$')"), ["value", "is matching", "/^\\d+\n$/"]);
    }

    #[test]
    fn what_the_engine_takes_and_the_language_does_not() {
        for source in [
            "value is matching(input.x)",
            "value is matching('a' ~ input.x)",
            "value is matching 'a'",
            "value | select('matching', input.x)",
            "value | selectattr('a', 'matching', input.x)",
            "value is matching('a' 'b')",
            "'a' 'b'",
            "value is defined.status",
            "value | lower.upper",
            "errors.0.message",
            "(errors | list)[0].message",
            "now | date(input.x)",
            "now | date('%Y' ~ input.x)",
            "now | map('date', input.x)",
            "'x' * 1000",
            "input.x * 1000",
            "2 ** 4000",
            "1000 * input.x",
            "'a' if value",
            r"'\u12'",
        ] {
            assert!(Expr::compile(source).is_err(), "{source}");
        }
        for source in ["tokens.a.lifetime * 1000", "errors | length * 2", "'a' if value else 'b'"] {
            assert!(Expr::compile(source).is_ok(), "{source}");
        }
    }

    #[test]
    fn methods_and_computed_members_are_refused() {
        for source in ["value.upper()", "user[input.x]", "a ~ ", "'open", "ä"] {
            assert!(Expr::compile(source).is_err(), "{source}");
        }
    }
}
