//! What is plausible for a field: by its format, its meaning, its name and its rules, the most telling first.

use super::deployment::secret;
use super::pattern::matching;
use crate::contract::template::UseKind;
use crate::contract::{Field, JsonType};
use serde_json::{Value as Json, json};

/// Texts by the word that a meaning or a name contains; the first row that fits counts.
const TEXTS: &[(&[&str], &[&str])] = &[
    (&["email", "mail"], &["jane.doe@example.com"]),
    (&["passw", "passphrase", "pwd", "secret"], &["Correct-Horse-7-Battery", "Horse-7-Batt", "aB3-x9"]),
    (&["username", "login", "nick", "handle"], &["janedoe", "jane_doe", "jane.doe"]),
    (&["firstname", "givenname", "forename"], &["Jane"]),
    (&["lastname", "familyname", "surname"], &["Doe"]),
    (&["middlename"], &["Alex"]),
    (&["company", "organi"], &["Example Ltd"]),
    (&["name"], &["Jane Doe", "Jane", "janedoe"]),
    (&["phone", "mobile", "whatsapp"], &["+14155550123", "4155550123"]),
    (&["birth", "date", "dob"], &["1990-05-17", "1990-05-17T00:00:00.000Z"]),
    (&["timezone", "tz"], &["Europe/Berlin"]),
    (&["uuid", "guid", "idempotency"], &["3f2b8c1e-5d4a-4c6b-9e7f-0a1b2c3d4e5f"]),
    (&["url", "uri", "website", "avatar", "image", "photo", "picture"], &["https://example.com/jane.png"]),
    (&["country", "nationality"], &["DE", "DEU", "Germany"]),
    (&["lang", "locale"], &["en", "en-GB"]),
    (&["currency"], &["EUR"]),
    (&["city", "town"], &["Berlin"]),
    (&["zip", "postal", "postcode"], &["10115"]),
    (&["street", "address"], &["1 Example Street"]),
    (&["gender", "sex"], &["female"]),
    (&["captcha", "csrf", "xsrf", "token", "nonce"], &["sample-token"]),
    (&["extra.age"], &["34"]),
];

/// What is tried where nothing else fits.
const OTHERS: [&str; 6] = ["example", "Example", "EX", "a1", "7", "Example-7"];

/// Values that the field's rules may take, the most plausible first.
pub(super) fn candidates(field: &Field) -> Vec<Json> {
    let listed = field.rules.iter().filter_map(|r| r.one_of.as_ref()).flatten().cloned();
    let secrets = field.rules.iter().filter_map(|r| r.secret.as_deref()).map(|name| secret(name).into());
    let mut out: Vec<Json> = secrets.chain(listed).collect();
    match field.json_type() {
        JsonType::String => out.extend(texts(field).into_iter().map(Json::from)),
        JsonType::Integer => out.extend([34, 1, 0, 2024, 100_000].map(Json::from)),
        JsonType::Number => out.extend([34.5, 1.0, 0.5, 0.0].map(Json::from)),
        JsonType::Boolean => out.extend([json!(true), json!(false)]),
        JsonType::Array => out.extend(arrays(field)),
        JsonType::Object => out.push(json!({})),
    }
    out
}

fn texts(field: &Field) -> Vec<String> {
    let mut out: Vec<String> = known(field).iter().map(|text| (*text).to_owned()).collect();
    let patterns: Vec<String> =
        field.rules.iter().flat_map(|r| &r.patterns).filter_map(|p| matching(p.as_str())).collect();
    out.extend(patterns.iter().cloned());
    out.push(patterns.concat());
    out.extend(constants(field));
    out.extend(OTHERS.map(str::to_owned));
    let fitted: Vec<String> = out.iter().map(|text| fitted(field, text)).collect();
    out.extend(fitted);
    out
}

/// By format, else by meaning, else by name.
fn known(field: &Field) -> &'static [&'static str] {
    let format = field.rules.iter().find_map(|r| r.format).map(str::to_owned);
    let meaning = field.into.as_ref().map(|meaning| meaning.to_string().replace('_', ""));
    let name = field.name.to_lowercase().replace(['_', '-', ' ', '.'], "");
    let words = [format, meaning, Some(name)];
    let row = |word: &String| TEXTS.iter().find(|(keys, _)| keys.iter().any(|key| word.contains(key)));
    words.iter().flatten().find_map(row).map_or(&[], |(_, texts)| texts)
}

/// The texts with which the field's own expressions compare.
fn constants(field: &Field) -> Vec<String> {
    let expressions = field.rules.iter().filter_map(|r| r.check.as_ref()).chain(&field.clean);
    let texts = expressions.flat_map(|e| &e.uses).filter_map(|u| match &u.kind {
        UseKind::Text { text, argument_of: None } if !text.is_empty() => Some(text.clone()),
        _ => None,
    });
    texts.collect()
}

/// The text, cut or repeated until its length is one that the rules allow.
fn fitted(field: &Field, text: &str) -> String {
    let (least, most) = field.lengths();
    let short = text.chars().count() < least;
    let endless = text.chars().chain(text.chars().cycle().filter(|_| short));
    endless.take(least.max(text.chars().count()).min(most)).collect()
}

fn arrays(field: &Field) -> Vec<Json> {
    let least = field.lengths().0.max(1);
    let of = |item: &str| Json::Array(vec![item.into(); least.min(100)]);
    constants(field).iter().map(|text| of(text)).chain([of("example"), json!([])]).collect()
}
