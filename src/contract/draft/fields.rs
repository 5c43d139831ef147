//! Fields from an example request: names, places, meanings and types.

use super::guess::{folded, is_id_key, recipe};
use crate::contract::place::Place;
use crate::contract::{JsonType, guard};
use crate::user::Meaning;
use serde_json::Value as Json;

/// A field on its way into the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FieldDraft {
    pub(super) name: String,
    /// As `from` writes it.
    pub(super) from: String,
    pub(super) into: Option<Meaning>,
    pub(super) clean: Option<&'static str>,
    pub(super) rules: Vec<RuleDraft>,
    /// What the example request holds here.
    pub(super) sample: Json,
    /// Why, and what to look at.
    pub(super) note: String,
}

/// A rule on its way into the file.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct RuleDraft {
    pub(super) demand: &'static str,
    /// What the demand's word holds.
    pub(super) holds: Json,
    /// A plain template.
    pub(super) message: Option<String>,
    pub(super) code: Option<Json>,
}

impl FieldDraft {
    fn new(name: impl Into<String>, sample: Json) -> FieldDraft {
        let name = name.into();
        FieldDraft {
            from: name.clone(),
            name,
            into: None,
            clean: None,
            rules: Vec::new(),
            sample,
            note: String::new(),
        }
    }

    pub(super) fn means(&self, meaning: &Meaning) -> bool {
        self.into.as_ref() == Some(meaning)
    }

    /// The rule that makes this demand, added at its place when there is none.
    pub(super) fn rule(&mut self, demand: &'static str, holds: Json) -> &mut RuleDraft {
        let at = match self.rules.iter().position(|r| r.demand == demand) {
            Some(at) => at,
            None => {
                let order = |d: &str| crate::contract::language::DEMANDS.iter().position(|known| *known == d);
                let at = self.rules.iter().filter(|r| order(r.demand) < order(demand)).count();
                self.rules.insert(at, RuleDraft { demand, holds, ..RuleDraft::default() });
                at
            }
        };
        &mut self.rules[at]
    }

    pub(super) fn has(&self, demand: &str) -> bool {
        self.rules.iter().any(|r| r.demand == demand)
    }

    /// How templates read the stored value: `user.email`.
    pub(super) fn stored(&self) -> Option<String> {
        match self.into.as_ref()? {
            Meaning::Password | Meaning::Id => None,
            Meaning::Extra(name) if !is_identifier(name) => None,
            meaning => Some(format!("user.{meaning}")),
        }
    }

    /// Whether the value is one that may be shown.
    pub(super) fn is_password_like(&self) -> bool {
        self.means(&Meaning::Password) || guard::is_password(&self.name)
    }
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// What a name usually means; `_`, `-` and case do not count.
pub(super) fn meaning_of(name: &str) -> Option<Meaning> {
    Some(match folded(name).as_str() {
        "email" | "mail" | "emailaddress" | "useremail" | "usermail" | "mailaddress" | "emailid" => {
            Meaning::Email
        }
        "username" | "login" | "user" | "userlogin" | "loginname" | "nickname" | "nick" | "handle"
        | "screenname" | "accountname" => Meaning::Username,
        "password" | "pass" | "pwd" | "passwd" | "password1" | "userpassword" | "passphrase"
        | "plainpassword" | "newpassword" => Meaning::Password,
        "name" | "fullname" | "displayname" | "realname" => Meaning::Name,
        "firstname" | "givenname" | "forename" | "fname" | "first" => Meaning::FirstName,
        "lastname" | "familyname" | "surname" | "lname" | "last" => Meaning::LastName,
        _ => return None,
    })
}

/// Whether a name is that of a field in which another value is repeated.
fn is_repeated(name: &str) -> bool {
    let folded = folded(name);
    ["confirm", "repeat", "retype", "again", "verif", "password2", "repassword"]
        .iter()
        .any(|w| folded.contains(w))
}

/// The fields of a request's body, and remarks on what could not become one.
pub(super) fn fields(body: &Json) -> (Vec<FieldDraft>, Vec<String>) {
    let (mut out, mut remarks) = (Vec::new(), Vec::new());
    walk(body, &mut Vec::new(), &mut out, &mut remarks);
    names(&mut out);
    meanings(&mut out);
    repeated(&mut out);
    completed(&mut out);
    for field in &mut out {
        typed(field);
        ruled(field);
    }
    (out, remarks)
}

fn walk(json: &Json, path: &mut Vec<String>, out: &mut Vec<FieldDraft>, remarks: &mut Vec<String>) {
    match json {
        Json::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                path.push(key.clone());
                walk(value, path, out, remarks);
                path.pop();
            }
        }
        Json::Array(items) if pairs(items).is_some() => {
            let (member, held) = pairs(items).unwrap_or_default();
            for item in items {
                let id = item[member.as_str()].as_str().unwrap_or_default();
                let from = format!("{}[{member}={id}].{held}", path.join("."));
                place(id, from, &item[held.as_str()], out, remarks);
            }
        }
        value => {
            let name = path.last().cloned().unwrap_or_default();
            if path.iter().any(|key| key.is_empty() || key.contains(['.', '[', ':'])) {
                remarks.push(format!(
                    "`{}` cannot be written as a place in a request; it is ignored",
                    path.join(".")
                ));
            } else {
                place(&name, path.join("."), value, out, remarks);
            }
        }
    }
}

fn place(name: &str, from: String, value: &Json, out: &mut Vec<FieldDraft>, remarks: &mut Vec<String>) {
    if Place::parse(&from).is_ok_and(|place| place.to_string() == from) {
        out.push(FieldDraft { from, ..FieldDraft::new(name, value.clone()) });
    } else {
        remarks.push(format!("`{from}` cannot be written as a place in a request; it is ignored"));
    }
}

/// A list of `{ id, value }`: the names of the two members.
fn pairs(items: &[Json]) -> Option<(String, String)> {
    let first = items.first()?.as_object().filter(|o| o.len() == 2)?;
    let named =
        ["id", "name", "key", "field"].into_iter().find(|k| first.get(*k).is_some_and(Json::is_string))?;
    let held = first.keys().find(|k| *k != named)?.clone();
    let alike = |item: &Json| item.get(named).is_some_and(Json::is_string) && item.get(&held).is_some();
    items.iter().all(alike).then(|| (named.to_owned(), held))
}

/// Two fields of one name take their whole path.
fn names(fields: &mut [FieldDraft]) {
    let all: Vec<String> = fields.iter().map(|f| f.name.clone()).collect();
    for field in fields.iter_mut() {
        if all.iter().filter(|name| **name == field.name).count() > 1 {
            field.name = field.from.replace(['.', '[', ']', '='], "_").trim_matches('_').to_owned();
        }
    }
    // The path of one may be the name of another.
    for i in 0..fields.len() {
        while fields[..i].iter().any(|before| before.name == fields[i].name) {
            fields[i].name.push('_');
        }
    }
}

fn meanings(fields: &mut [FieldDraft]) {
    // Whoever is called by the word itself has it before all others.
    let (named, others): (Vec<usize>, Vec<usize>) =
        (0..fields.len()).partition(|i| implied(&fields[*i].name));
    for i in named.into_iter().chain(others) {
        let Some(meaning) = meaning(&fields[i]) else { continue };
        if meaning == Meaning::Email && meaning_of(&fields[i].name) == Some(Meaning::Username) {
            fields[i].note = "the example holds an address".to_owned();
        }
        if !fields.iter().any(|f| f.means(&meaning)) {
            fields[i].into = Some(meaning);
        }
    }
    for i in 0..fields.len() {
        if fields[i].into.is_none() && !fields[i].is_password_like() && !is_repeated(&fields[i].name) {
            extra(i, fields);
        }
    }
    // Without `into` such a name would say by itself what the field means.
    for field in fields.iter_mut().filter(|f| f.into.is_none() && implied(&f.name)) {
        field.name.push('_');
    }
}

/// Whether a name is one of the words that need no `into`.
fn implied(name: &str) -> bool {
    name.parse().is_ok_and(|m| !matches!(m, Meaning::Id | Meaning::Extra(_)))
}

fn meaning(field: &FieldDraft) -> Option<Meaning> {
    let meaning = meaning_of(&field.name).filter(|_| !is_repeated(&field.name))?;
    let address = field.sample.as_str().is_some_and(|text| text.contains('@'));
    match (meaning, &field.sample) {
        (Meaning::Username, Json::String(_)) if address => Some(Meaning::Email),
        (meaning, Json::String(_) | Json::Null) => Some(meaning),
        (Meaning::Password, Json::Number(_) | Json::Bool(_)) => Some(Meaning::Password),
        // A user may be an object, and a name a list.
        _ => None,
    }
}

/// What has no meaning of its own is stored beside the rest, unless only the server may set it.
fn extra(i: usize, fields: &mut [FieldDraft]) {
    let spelt: String = fields[i]
        .name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' })
        .collect();
    if guard::is_privilege(&spelt) {
        fields[i].note = "a client cannot set this: it is read and forgotten".to_owned();
        return;
    }
    // Its letters that are not ASCII may have held the words together.
    if guard::is_password(&spelt) {
        return;
    }
    let meaning = Meaning::Extra(spelt.clone());
    if !spelt.is_empty() && !fields.iter().any(|f| f.means(&meaning)) {
        fields[i].into = Some(meaning);
    }
}

/// A field that repeats another is compared with it and forgotten.
fn repeated(fields: &mut [FieldDraft]) {
    for i in 0..fields.len() {
        let field = &fields[i];
        if field.into.is_some() || !(is_repeated(&field.name) || field.is_password_like()) {
            continue;
        }
        let same = |other: &&FieldDraft| {
            other.into.is_some() && other.sample == field.sample && !field.sample.is_null()
        };
        let password = fields.iter().find(|f| f.means(&Meaning::Password));
        let of = fields.iter().find(same).or(password.filter(|_| field.is_password_like()));
        let Some(of) = of.map(|f| f.name.clone()) else { continue };
        // Expressions escape texts as JSON does; the name came from a client.
        let place = match is_identifier(&of) {
            true => format!("input.{of}"),
            false => format!("input[{}]", Json::from(of.as_str())),
        };
        fields[i].note = format!("repeats `{of}`: compared and forgotten");
        fields[i].rules.push(RuleDraft {
            demand: "check",
            holds: format!("value == {place}").into(),
            ..RuleDraft::default()
        });
    }
}

/// An account has a password, and an address or a user name.
fn completed(fields: &mut Vec<FieldDraft>) {
    let has = |fields: &[FieldDraft], m: &Meaning| fields.iter().any(|f| f.means(m));
    if !has(fields, &Meaning::Email) && !has(fields, &Meaning::Username) {
        push(fields, "email", Json::from("ann@example.com"), Meaning::Email);
    }
    if !has(fields, &Meaning::Password) {
        push(fields, "password", Json::Null, Meaning::Password);
    }
}

fn push(fields: &mut Vec<FieldDraft>, name: &str, sample: Json, meaning: Meaning) {
    let within = |from: &str| from.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', '[']));
    let taken = fields.iter().any(|f| f.name == name || f.from == name || within(&f.from));
    let name = if taken { format!("account_{name}") } else { name.to_owned() };
    let note = "not in the example, but an account needs it: which field is it?".to_owned();
    fields.push(FieldDraft { into: Some(meaning), note, ..FieldDraft::new(name, sample) });
}

fn typed(field: &mut FieldDraft) {
    let wanted = match &field.sample {
        Json::Bool(_) => JsonType::Boolean,
        Json::Number(number) if number.is_f64() => JsonType::Number,
        Json::Number(_) => JsonType::Integer,
        Json::Array(_) => JsonType::Array,
        Json::Object(_) => JsonType::Object,
        Json::String(_) => return,
        Json::Null => {
            if matches!(field.into, Some(Meaning::Extra(_))) {
                field.note = "the example holds null; add a `type` if it is not text".to_owned();
            }
            return;
        }
    };
    if matches!(field.into, Some(Meaning::Extra(_))) {
        field.rule("type", wanted.name().into());
    }
}

fn ruled(field: &mut FieldDraft) {
    match &field.into {
        Some(Meaning::Email) => {
            field.rule("required", true.into());
            field.rule("format", "email".into());
        }
        Some(Meaning::Username | Meaning::Password) => {
            field.rule("required", true.into());
        }
        _ => {}
    }
    if field.means(&Meaning::Password) && field.note.is_empty() {
        field.note = "add what the old backend asks of passwords: min_length, pattern".to_owned();
    }
}

/// A field `id` that the created reply repeats is an id that the client brings along.
pub(super) fn own_id(fields: &mut [FieldDraft], id: &Json) {
    let Some(text) = id.as_str() else { return };
    let Some(field) = fields.iter_mut().find(|f| f.sample.as_str() == Some(text) && is_id_key(&f.name))
    else {
        return;
    };
    let Some(like) = recipe(text) else { return };
    let pattern = format!("^{}$", like.replace('|', "\\|").replace('.', "\\."));
    field.into = Some(Meaning::Id);
    field.note = "the client brings its own id along, and the reply repeats it".to_owned();
    field.rule("pattern", pattern.into());
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(body: Json) -> Vec<(String, String, Option<String>)> {
        let into = |f: &FieldDraft| f.into.as_ref().map(ToString::to_string);
        fields(&body).0.into_iter().map(|f| (f.name.clone(), f.from.clone(), into(&f))).collect()
    }

    fn field(name: &str, from: &str, into: &str) -> (String, String, Option<String>) {
        (name.into(), from.into(), Some(into).filter(|t| !t.is_empty()).map(str::to_owned))
    }

    #[test]
    fn names_places_and_meanings() {
        let body = json!({
            "user": { "e_mail": "a@b.co", "pwd": "x", "pwd_confirm": "x", "givenName": "A" },
            "terms": true, "age": 5, "role": "admin", "tags": ["x"],
        });
        assert_eq!(
            read(body.clone()),
            [
                field("e_mail", "user.e_mail", "email"),
                field("pwd", "user.pwd", "password"),
                field("pwd_confirm", "user.pwd_confirm", ""),
                field("givenName", "user.givenName", "first_name"),
                field("terms", "terms", "extra.terms"),
                field("age", "age", "extra.age"),
                field("role", "role", ""),
                field("tags", "tags", "extra.tags"),
            ]
        );
        let (fields, _) = fields(&body);
        assert_eq!(fields[2].rules[0].holds, json!("value == input.pwd"));
        assert_eq!((fields[4].rules[0].demand, &fields[4].rules[0].holds), ("type", &json!("boolean")));
    }

    #[test]
    fn lists_of_pairs_and_logins_that_are_addresses() {
        let body = json!({ "formFields": [{ "id": "email", "value": "a@b.co" }, { "id": "password", "value": "x" }] });
        assert_eq!(
            read(body),
            [
                field("email", "formFields[id=email].value", "email"),
                field("password", "formFields[id=password].value", "password"),
            ]
        );
        assert_eq!(read(json!({ "login": "a@b.co", "password": "x" }))[0], field("login", "login", "email"));
    }

    #[test]
    fn what_an_account_needs_is_added_and_what_has_no_place_is_told() {
        let (fields, remarks) = fields(&json!({ "a.b": 1 }));
        let names: Vec<&str> = fields.iter().map(|f| f.name.as_str()).collect();
        assert_eq!((names.as_slice(), remarks.len()), (&["email", "password"][..], 1));
    }
}
