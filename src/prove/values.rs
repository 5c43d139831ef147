//! Values that the fields of a contract accept, found by trying: candidates by meaning, type, format and length, and
//! the contract's own rules as the judge.

use super::request::{Outgoing, Values, compose};
use crate::contract::wire::plain;
use crate::contract::{Circumstances, Contract, Field, JsonType, Media, Request, Secrets};
use crate::user::{Meaning, NewUser, Submitted};
use http::header::COOKIE;
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// How many combinations of candidates are tried.
const TRIES: usize = 400;

/// No value was found that a field accepts, so nothing could be proved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no value was found that the field `{0}` of this contract accepts; replay recorded requests instead (--har FILE)"
)]
pub struct NoGoodValue(pub String);

/// Which account a request is about: no two requests of a run, and no two runs, use the same values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fresh {
    pub(super) seed: u64,
    pub(super) n: u32,
}

impl Fresh {
    /// Lower-case letters and digits, beginning with a letter; different for each account.
    fn token(self) -> String {
        let mut rest = u128::from(self.seed) * 10_000 + u128::from(self.n);
        let mut digits = Vec::new();
        while rest > 0 {
            digits.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[(rest % 36) as usize]);
            rest /= 36;
        }
        digits.reverse();
        format!("p{}", String::from_utf8_lossy(&digits))
    }

    /// A number of at most 15 digits, different for each account.
    pub(super) fn number(self) -> u64 {
        1_000_000 + self.seed % 100_000_000_000 * 1000 + u64::from(self.n)
    }
}

/// What is needed to build requests that a contract accepts.
pub(super) struct Good<'c> {
    pub(super) contract: &'c Contract,
    secrets: Arc<Secrets>,
    seed: u64,
    /// Which candidate each field uses.
    choices: Vec<usize>,
    /// The field whose value a field repeats.
    pub(super) same_as: Vec<Option<usize>>,
}

impl<'c> Good<'c> {
    /// Looks for values that every rule accepts.
    pub(super) async fn find(
        contract: &'c Contract,
        secrets: Arc<Secrets>,
        seed: u64,
    ) -> Result<Good<'c>, NoGoodValue> {
        let fields = &contract.register.fields;
        let same_as = (0..fields.len()).map(|i| repeats(fields, i)).collect();
        let mut good = Good { contract, secrets, seed, choices: vec![0; fields.len()], same_as };
        let mut last = None;
        for _ in 0..TRIES {
            let values = good.values(Fresh { seed, n: 0 });
            let Err(complained) = good.judge(&values).await else { return Ok(good) };
            let at = good.find_field(&complained, last);
            let room = |i: usize| good.choices[i] + 1 < good.candidates(i, Fresh { seed, n: 0 }).len();
            // The field that is complained of, or else the one whose value it repeats.
            let next = [Some(at), good.same_as[at]].into_iter().flatten().find(|&i| room(i));
            let Some(next) = next else { return Err(NoGoodValue(fields[at].name.to_string())) };
            good.choices[next] += 1;
            last = Some(at);
        }
        Err(NoGoodValue(fields[last.unwrap_or(0)].name.to_string()))
    }

    pub(super) fn media(&self) -> Media {
        self.contract.register.accepts.first().copied().unwrap_or(Media::Json)
    }

    /// Values for all fields that this contract accepts, as long as `fresh` was not used before.
    pub(super) fn values(&self, fresh: Fresh) -> Values {
        let own = |i: usize| self.candidates(i, fresh).get(self.choices[i]).cloned();
        (0..self.choices.len()).map(|i| self.same_as[i].map_or_else(|| own(i), own)).collect()
    }

    pub(super) fn fresh(&self, n: u32) -> Fresh {
        Fresh { seed: self.seed, n }
    }

    /// Whether every rule accepts these values; else the name under which the first complaint is reported.
    pub(super) async fn judge(&self, values: &Values) -> Result<(), String> {
        let request = compose(&self.contract.register, values, self.media(), &[]);
        judge(self.contract, &self.secrets, &request).await
    }

    /// The field that a complaint is about.
    fn find_field(&self, reported: &str, last: Option<usize>) -> usize {
        let fields = &self.contract.register.fields;
        let named = fields.iter().position(|f| &*f.name == reported);
        let reports = |f: &Field| f.rules.iter().any(|r| r.field.as_deref() == Some(reported));
        named.or_else(|| fields.iter().position(reports)).or(last).unwrap_or(0)
    }

    fn candidates(&self, i: usize, fresh: Fresh) -> Vec<Json> {
        let field = &self.contract.register.fields[i];
        let secret = field.rules.iter().find_map(|r| r.secret.as_deref());
        if let Some(secret) = secret.and_then(|name| self.secrets.named(name)) {
            return vec![json!(secret)];
        }
        candidates(field, fresh)
    }
}

/// Runs a request through everything but the store.
async fn judge(contract: &Contract, secrets: &Arc<Secrets>, request: &Outgoing) -> Result<(), String> {
    let now = Circumstances {
        now: crate::clock::Clock::system().now(),
        request_id: "prove".into(),
        path: contract.register.path.as_str().into(),
        base_url: "http://localhost".into(),
        secrets: secrets.clone(),
        ..Circumstances::default()
    };
    let query = request.path.split_once('?').map(|(_, query)| query);
    debug_assert!(request.headers.get(COOKIE).is_none_or(|c| !c.is_empty()));
    let request = Request { query, headers: &request.headers, body: &request.body };
    let fields = contract.decode(request, &now).await.map_err(|refusal| {
        refusal.errors.first().map_or_else(|| refusal.outcome.to_string(), |e| e.field.to_string())
    })?;
    let submitted: Submitted = contract.submitted(&fields);
    NewUser::parse(submitted).map(drop).map_err(|problems| {
        let meaning = problems.first().map(|p| p.meaning.clone());
        let named = contract.register.fields.iter().find(|f| f.into == meaning);
        named.map_or_else(String::new, |f| f.name.to_string())
    })
}

/// The field that field `i` repeats: `value == input.password` links the two, whichever of them says so, and the one
/// that means nothing is the repetition.
fn repeats(fields: &[Field], i: usize) -> Option<usize> {
    let says = |a: usize, b: usize| {
        let equal = |source: &str| {
            let text: String = source.split_whitespace().collect();
            let name = &fields[b].name;
            text == format!("value==input.{name}") || text == format!("input.{name}==value")
        };
        fields[a].rules.iter().filter_map(|r| r.check.as_ref()).any(|check| equal(&check.source))
    };
    let original = |j: usize| {
        j != i
            && (says(i, j) || says(j, i))
            && (fields[j].into.is_some() && fields[i].into.is_none()
                || fields[j].into.is_some() == fields[i].into.is_some() && j < i)
    };
    (0..fields.len()).find(|&j| original(j))
}

/// What a field may accept, the likeliest first.
fn candidates(field: &Field, fresh: Fresh) -> Vec<Json> {
    if let Some(list) = field.rules.iter().find_map(|r| r.one_of.as_ref()) {
        return list.clone();
    }
    match field.json_type() {
        JsonType::String => {}
        JsonType::Boolean => return vec![json!(true), json!(false)],
        JsonType::Integer | JsonType::Number => {
            let own = if field.identifies() { json!(fresh.number()) } else { json!(30) };
            return vec![own, json!(1), json!(0), json!(100), json!(2000)];
        }
        JsonType::Array => return vec![json!(["a"]), json!([]), json!([1])],
        JsonType::Object => return vec![json!({}), json!({ "a": "b" })],
    }
    let mut texts: Vec<String> = by_meaning(field, fresh);
    texts.extend(by_format(field, fresh));
    if !field.identifies() {
        texts.extend(ANYTHING.iter().map(|text| (*text).to_owned()));
    }
    let (least, most) = field.lengths();
    let mut out: Vec<Json> = Vec::new();
    for text in texts {
        let fitted = json!(fit(&text, least, most));
        if !out.contains(&fitted) {
            out.push(fitted);
        }
    }
    out
}

fn by_meaning(field: &Field, fresh: Fresh) -> Vec<String> {
    let Fresh { seed, n } = fresh;
    let token = fresh.token();
    let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    match &field.into {
        Some(Meaning::Email) => {
            vec![format!("prove-{seed}-{n}@example.com"), format!("{token}@example.com")]
        }
        Some(Meaning::Password) => {
            list(&["Vestibule-Pr0ve", "Vestibule0prove", "vestibuleprove", "73914628"])
        }
        Some(Meaning::FirstName) => list(&["Ada"]),
        Some(Meaning::LastName) => list(&["Lovelace"]),
        Some(Meaning::Name) => list(&["Ada Lovelace"]),
        _ if field.identifies() => {
            let long = |length: usize| format!("{token:a<length$}");
            vec![
                format!("prove-{seed}-{n}"),
                format!("prove_{seed}_{n}"),
                token.clone(),
                long(15),
                long(24),
                letters(&token),
                format!("P{token}"),
                format!("{:024x}", u128::from(seed) << 16 | u128::from(n)),
                format!("{:08x}-0000-4000-8000-{n:012x}", seed & 0xffff_ffff),
                format!("+49{:010}", fresh.number() % 10_000_000_000),
            ]
        }
        _ => Vec::new(),
    }
}

fn by_format(field: &Field, fresh: Fresh) -> Vec<String> {
    let text = match field.rules.iter().find_map(|r| r.format) {
        Some("email") => format!("prove-{}-{}@example.com", fresh.seed, fresh.n),
        Some("uuid") => format!("{:08x}-0000-4000-8000-{:012x}", fresh.seed & 0xffff_ffff, fresh.n),
        Some("date") => "1990-05-17".to_owned(),
        Some("phone") => format!("+49{:010}", fresh.number() % 10_000_000_000),
        Some("timezone") => "Europe/Berlin".to_owned(),
        Some("uri") => "https://example.com/".to_owned(),
        _ => return Vec::new(),
    };
    vec![text]
}

/// What else a text may be.
const ANYTHING: [&str; 22] = [
    "Ada Lovelace",
    "Ada",
    "ada",
    "1990-05-17",
    "30",
    "+491701234567",
    "0170123456",
    "12345",
    "DE",
    "de",
    "en",
    "Europe/Berlin",
    "https://example.com/",
    "prove@example.com",
    "true",
    "on",
    "1",
    "00000000-0000-4000-8000-000000000000",
    "507f1f77bcf86cd799439011",
    "Vestibule-Pr0ve",
    "Berlin",
    "",
];

/// Makes a text at least `least` and at most `most` code points long. What is different between accounts stands at
/// the end of a name and at the start of an address, and stays.
pub(super) fn fit(text: &str, least: usize, most: usize) -> String {
    let length = text.chars().count();
    let (start, end) = text.split_at(text.find('@').unwrap_or(text.len()));
    if length < least {
        // A letter in front changes neither what the text looks like nor what makes it unlike others.
        let filler = start.chars().next().filter(char::is_ascii_alphanumeric).unwrap_or('a');
        let mut filled: String = std::iter::repeat_n(filler, least - length).collect();
        filled.push_str(start);
        return format!("{filled}{end}");
    }
    if length > most {
        let kept = start.chars().count().saturating_sub(length - most);
        let skipped = start.chars().count() - kept;
        return format!("{}{end}", start.chars().skip(skipped).collect::<String>());
    }
    text.to_owned()
}

/// The same text in letters alone.
fn letters(token: &str) -> String {
    let letter = |c: char| c.to_digit(10).map_or(c, |d| char::from(b'a' + d as u8));
    // A digit and the letter it becomes must not be mixed up: each letter is written behind an `z`.
    token.chars().flat_map(|c| if c.is_ascii_digit() { vec![letter(c)] } else { vec!['z', c] }).collect()
}

/// Whether a value meets the demands of a field that need nothing but the value.
pub(super) fn meets_plain_demands(field: &Field, text: &str) -> bool {
    let (least, most) = field.lengths();
    let length = text.chars().count();
    let patterns = field.rules.iter().flat_map(|r| &r.patterns).all(|p| p.is_match(text));
    let one_of = field.rules.iter().filter_map(|r| r.one_of.as_ref()).all(|list| list.contains(&json!(text)));
    (least..=most).contains(&length) && patterns && one_of
}

/// The text of a field's good value, if it is one.
pub(super) fn text_of(value: Option<&Json>) -> String {
    value.map(plain).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{SHIPPED, load, shipped};

    #[test]
    fn texts_fit_and_stay_different() {
        assert_eq!(fit("ab", 5, 9), "aaaab");
        assert_eq!(fit("prove-1-23", 0, 4), "1-23");
        assert_eq!(fit("prove-12@example.com", 0, 15), "12@example.com".to_owned().replacen("12", "-12", 1));
        assert_eq!(fit("a@b.co", 8, 9), "aaa@b.co");
        let tokens: Vec<String> =
            (0..500).map(|n| Fresh { seed: 7, n }.token()).chain([Fresh { seed: 8, n: 0 }.token()]).collect();
        let mut unlike: Vec<String> = tokens.iter().map(|t| letters(t)).collect();
        unlike.sort();
        unlike.dedup();
        assert_eq!(unlike.len(), tokens.len());
        assert!(unlike.iter().all(|t| t.bytes().all(|b| b.is_ascii_lowercase())));
    }

    #[tokio::test]
    async fn every_shipped_contract_has_good_values() {
        for name in SHIPPED.iter().map(|s| s.name) {
            let contract = shipped(name).expect("it loads");
            let good =
                Good::find(&contract, Arc::default(), 1).await.unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(good.judge(&good.values(good.fresh(3))).await, Ok(()), "{name}");
            assert_ne!(good.values(good.fresh(3)), good.values(good.fresh(4)), "{name}");
        }
    }

    #[tokio::test]
    async fn rules_of_all_kinds_are_met_or_it_says_which_is_not() {
        let contract = r#"
            [register]
            path = "/x"
            fields = [
              { name = "user", into = "username", rules = [{ required = true, pattern = "^[a-z]+$", max_length = 30 }] },
              { name = "password", rules = [{ required = true, min_length = 20, pattern = ["[0-9]", "[A-Z]"] }] },
              { name = "again", rules = [{ required = true, check = "value == input.password" }] },
              { name = "country", rules = [{ required = true, pattern = "^[A-Z]{2}$" }] },
              { name = "born", rules = [{ required = true, format = "date" }] },
              { name = "terms", rules = [{ enum = [true], type = "boolean" }] },
              { name = "age", rules = [{ type = "integer", check = "value >= 18" }] },
              { name = "key", from = "header:X-Key", rules = [{ required = true, secret = "app" }] },
            ]
            created.body = "{}"
            invalid.body = "{}"
        "#;
        let secrets: Secrets = [("app".to_owned(), "s3".to_owned())].into_iter().collect();
        let loaded = load(contract).contract.expect("a contract");
        let good = Good::find(&loaded, Arc::new(secrets), 1).await.expect("values");
        assert_eq!(good.same_as[2], Some(1));
        let impossible = contract.replace("^[A-Z]{2}$", "^impossible[0-9]{7}$");
        let loaded = load(&impossible).contract.expect("a contract");
        let secrets: Secrets = [("app".to_owned(), "s3".to_owned())].into_iter().collect();
        let error = Good::find(&loaded, Arc::new(secrets), 1).await.err();
        assert_eq!(error, Some(NoGoodValue("country".to_owned())));
    }
}
