//! Which fields are never written anywhere.

use super::source::Source;
use crate::contract::place::Place;
use crate::contract::template::Expr;
use crate::contract::{Field, guard};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// Marks the fields that are never written: the password; what comes in headers and cookies, equals a secret or proves work; and
/// whatever is not stored but compared with the password (or with what is compared with it), named like one, or holds
/// one inside.
pub(super) fn mark(fields: &mut [Field]) {
    let compared = compared(fields);
    for field in fields.iter_mut() {
        let credential = matches!(field.from, Place::Header(_) | Place::Cookie(_))
            || field.rules.iter().any(|r| r.secret.is_some() || r.proof);
        let named = guard::is_password(&field.name) || guard::is_password(field.from.last_name());
        let twin = compared.contains(&field.name) || named;
        field.secret = field.is_password() || field.into.is_none() && (credential || twin);
    }
    let secrets: Vec<Place> = fields.iter().filter(|f| f.secret).map(|f| f.from.clone()).collect();
    for field in fields.iter_mut().filter(|f| f.into.is_none()) {
        field.secret |= secrets.iter().any(|place| field.from.holds(place));
    }
}

/// The fields that stand in one expression with the password, or with another such field.
fn compared(fields: &[Field]) -> BTreeSet<Arc<str>> {
    let mut out: BTreeSet<Arc<str>> =
        fields.iter().filter(|f| f.is_password()).map(|f| f.name.clone()).collect();
    loop {
        let before = out.len();
        for field in fields {
            for expr in field.rules.iter().flat_map(|r| r.check.iter().chain(&r.condition)) {
                let named = together(fields, field, expr);
                // Through a stored field no secret is passed on: it is shown anyway.
                let secret = |f: &&Field| out.contains(&f.name) && (f.is_password() || f.into.is_none());
                if named.iter().any(secret) {
                    out.extend(named.iter().map(|f| f.name.clone()));
                }
            }
        }
        if out.len() == before {
            return out;
        }
    }
}

/// The fields that an expression of `field` mentions.
fn together<'f>(fields: &'f [Field], field: &'f Field, expr: &Expr) -> Vec<&'f Field> {
    let mentioned =
        |f: &&Field| expr.mentions(&["input", &f.name]) || f.name == field.name && expr.mentions(&["value"]);
    fields.iter().filter(mentioned).collect()
}

/// No value has two meanings: a field that reads what another reads, or is stored and reads something around it, could
/// show or store the password under another name.
pub(super) fn places(source: &mut Source<'_>, fields: &[Field], spans: &[Range<usize>]) {
    for (i, (field, span)) in fields.iter().zip(spans).enumerate() {
        if field.from == Place::Body(Vec::new()) {
            continue; // It could not be read, and has been complained about.
        }
        for (other, other_span) in fields[..i].iter().zip(spans) {
            if other.from == field.from {
                let label = format!("`{}` reads it already", other.name);
                source.error("two fields read the same place", span.clone(), label);
            }
            for (outer, inner, span) in [(field, other, span), (other, field, other_span)] {
                if outer.from != inner.from && outer.into.is_some() && outer.from.holds(&inner.from) {
                    let label = format!("what `{}` reads may lie in it", inner.name);
                    source
                        .error("a stored field overlaps with another", span.clone(), label)
                        .help("name the members that you need one by one, or remove its `into`");
                }
            }
        }
    }
}
