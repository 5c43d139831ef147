//! `tokens`: everything secret that is handed out.

use super::fields::template;
use super::source::{Held, Source, Table};
use super::vocabulary;
use crate::contract::language::{self, duration};
use crate::contract::template::Format;
use crate::contract::{Field, Make, Reveal, Token};
use crate::user::Recipe;

/// Fewer random bits than this can be guessed (RFC 6749, section 10.10: the probability of a guess must not exceed 2^-128).
const LEAST_BITS: f64 = 128.0;

/// Reads all tokens.
pub(super) fn tokens(
    source: &mut Source<'_>,
    register: &Table,
    fields: &[Field],
    reveal: Reveal,
) -> Vec<Token> {
    let mut out = Vec::new();
    for entry in register.table("tokens").map(|t| t.entries).unwrap_or_default() {
        let Held::Table(table) = &entry.value.value else {
            source.error("a token is a table", entry.value.span.clone(), "such as { claims = '..' }");
            continue;
        };
        source.words(table, language::TOKEN, "a token");
        let lifetime = lifetime(source, table);
        let make = match (table.text("claims"), table.text("random")) {
            (Some(claims), None) => {
                let known = vocabulary::claims(fields, reveal);
                if !claims.value.trim_start().starts_with('{') {
                    source.error(
                        "claims are a JSON object",
                        claims.span.clone(),
                        "such as '{ \"sub\": .. }'",
                    );
                }
                template(source, &claims, Format::Json, &known, "these claims").map(Make::Claims)
            }
            (None, Some(random)) => recipe(source, &random),
            _ if table.item("claims").is_some() != table.item("random").is_some() => continue, // Not text.
            _ => {
                source
                    .error(
                        "a token has either `claims` or `random`",
                        entry.key_span,
                        "give exactly one of the two",
                    )
                    .help("claims = '{ .. }' makes a JWT, random = \"[a-z0-9]{32}\" an opaque token");
                continue;
            }
        };
        out.extend(make.map(|make| Token { name: entry.key.as_str().into(), make, lifetime }));
    }
    out
}

fn recipe(source: &mut Source<'_>, text: &super::source::Text) -> Option<Make> {
    match Recipe::parse(&text.value) {
        Ok(recipe) if recipe.bits() >= LEAST_BITS => Some(Make::Random(recipe)),
        Ok(recipe) => {
            let bits = recipe.bits();
            source
                .error("this token can be guessed", text.span.clone(), format!("{bits:.0} random bits"))
                .help("a token needs 128 bits: [a-z0-9]{25}, [A-Za-z0-9]{22} or [0-9a-f]{32}, or more");
            None
        }
        Err(error) => {
            source.error("this is not a recipe for random text", text.span.clone(), error.to_string());
            None
        }
    }
}

fn lifetime(source: &mut Source<'_>, table: &Table) -> i64 {
    let Some(text) = table.text("lifetime") else { return 3600 };
    duration::seconds(&text.value).unwrap_or_else(|| {
        source.error("this is not a length of time", text.span, "such as \"15m\", \"1h\", \"7d\"");
        3600
    })
}
