//! Expressions: compiled once, and scanned for every name, filter, test and function they use, with positions, so
//! that a misspelt one is a mistake in the file and never a rule that fails open.

use super::engine::ENGINE;
use super::parse::Bad;
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

fn string(source: &str, start: usize) -> Result<(String, usize), Bad> {
    let quote = source[start..].chars().next().unwrap_or('"');
    let mut text = String::new();
    let mut chars = source[start + 1..].char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '\\' => text.extend(chars.next().map(|(_, c)| c)),
            c if c == quote => return Ok((text, start + 1 + i + 1)),
            c => text.push(c),
        }
    }
    Err(Bad::new(start..start + 1, "this text is never closed with a quote"))
}

fn uses(source: &str, tokens: &Tokens) -> Result<Vec<Use>, Bad> {
    let mut out: Vec<Use> = Vec::new();
    let sign = |i: usize, s: u8| matches!(tokens.get(i), Some((Token::Sign(x), _)) if *x == s);
    let word = |i: usize| match tokens.get(i) {
        Some((Token::Word(w), _)) => Some(w.as_str()),
        _ => None,
    };
    let mut i = 0;
    while i < tokens.len() {
        let (token, at) = &tokens[i];
        let name = match token {
            Token::Text(text) => {
                let argument_of =
                    (i >= 2 && sign(i - 1, b'(')).then(|| word(i - 2).map(str::to_owned)).flatten();
                out.push(Use { kind: UseKind::Text { text: text.clone(), argument_of }, at: at.clone() });
                i += 1;
                continue;
            }
            Token::Word(name) => name,
            _ => {
                i += 1;
                continue;
            }
        };
        let previous_is = i >= 1 && word(i - 1) == Some("is")
            || i >= 2 && word(i - 1) == Some("not") && word(i - 2) == Some("is");
        if i >= 1 && sign(i - 1, b'|') {
            out.push(Use { kind: UseKind::Filter(name.clone()), at: at.clone() });
        } else if previous_is && name != "not" {
            out.push(Use { kind: UseKind::Test(name.clone()), at: at.clone() });
        } else if KEYWORDS.contains(&name.as_str()) {
            // An operator or a constant.
        } else if sign(i + 1, b'(') {
            out.push(Use { kind: UseKind::Function(name.clone()), at: at.clone() });
        } else if sign(i + 1, b'=') && !sign(i + 2, b'=') {
            // A named argument: map(attribute="message").
        } else {
            let (path, next, end) = path(source, tokens, i)?;
            out.push(Use { kind: UseKind::Name(path), at: at.start..end });
            i = next;
            continue;
        }
        i += 1;
    }
    Ok(out)
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
    fn methods_and_computed_members_are_refused() {
        for source in ["value.upper()", "user[input.x]", "a ~ ", "'open", "ä"] {
            assert!(Expr::compile(source).is_err(), "{source}");
        }
    }
}
