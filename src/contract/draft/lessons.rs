//! What the errors of an example say about the rules: their demands, limits, messages and codes.

use super::errors::Told;
use super::fields::{FieldDraft, RuleDraft};
use super::sentence::{complained, stands_in};
use super::tree::{plain, replaced};
use crate::user::Meaning;
use serde_json::Value as Json;

/// Gives the rules the messages and codes that an example shows. What several fields say alike is returned, for
/// `says`.
pub(super) fn learn(
    told: &[Told],
    fields: &mut [FieldDraft],
    taken: bool,
    values: &[String],
) -> Vec<(&'static str, Told)> {
    let lessons: Vec<Lesson> = told.iter().filter_map(|one| Lesson::read(one, taken, values)).collect();
    let mut says: Vec<(&'static str, Told)> = Vec::new();
    for lesson in &lessons {
        let alike = lessons.iter().filter(|l| l.demand == lesson.demand && l.general == lesson.general);
        let alike = alike.count() > 1 && lesson.general.is_some();
        let known = says.iter().any(|(demand, _)| *demand == lesson.demand);
        let Some(field) = lesson.target(fields) else {
            // A message about no field in particular is everybody's.
            if !lesson.demand.is_empty() && !known && lesson.limit.is_none() && lesson.told.field.is_none() {
                let told = Told { message: lesson.message.clone(), code: lesson.code(), field: None };
                says.push((lesson.demand, told));
            }
            continue;
        };
        let Some(rule) = lesson.rule(field) else { continue };
        if alike {
            let message = lesson.general.clone().unwrap_or_default();
            let shared =
                says.iter().find(|(demand, _)| *demand == lesson.demand).map(|(_, told)| told.clone());
            if shared.is_none() {
                says.push((
                    lesson.demand,
                    Told { message: message.clone(), code: lesson.code(), field: None },
                ));
            }
            if shared.is_none_or(|told| told.message == message && told.code == lesson.code()) {
                continue;
            }
        }
        (rule.message, rule.code) = (Some(lesson.message.clone()), lesson.code());
    }
    says
}

/// What one error of an example says about a rule.
struct Lesson<'t> {
    told: &'t Told,
    /// Empty when the sentence does not tell.
    demand: &'static str,
    limit: Option<u64>,
    /// The message as a template.
    message: String,
    /// The message as every field would say it, if it names its field.
    general: Option<String>,
}

impl Lesson<'_> {
    fn read<'t>(told: &'t Told, taken: bool, values: &[String]) -> Option<Lesson<'t>> {
        let code = told.code.as_ref().map(|c| c.as_str().map_or_else(|| c.to_string(), str::to_owned));
        let about = complained(&told.message, code.as_deref().unwrap_or_default());
        let demand = if taken { "unique" } else { about.as_ref().map_or("", |c| c.demand) };
        if !taken && demand == "unique" {
            return None;
        }
        let limit = about.as_ref().filter(|c| c.demand == demand).and_then(|c| c.limit);
        let in_any_case = |value: &String| {
            let at = told.message.to_lowercase().find(&value.to_lowercase())?;
            told.message.get(at..at + value.len()).map(|spelt| (spelt.to_owned(), "value".to_owned()))
        };
        let mut known: Vec<(String, String)> =
            values.iter().filter(|_| taken).filter_map(in_any_case).collect();
        let message = plain(&replaced(&told.message, &known));
        let general = told.field.as_ref().filter(|field| stands_in(&told.message, field)).map(|field| {
            known.push((field.clone(), "field".to_owned()));
            known.extend(limit.map(|n| (n.to_string(), "limit".to_owned())));
            plain(&replaced(&told.message, &known))
        });
        Some(Lesson { told, demand, limit, message, general })
    }

    /// The code, where it is not the demand's own name.
    fn code(&self) -> Option<Json> {
        self.told.code.clone().filter(|c| c.as_str() != Some(self.demand))
    }

    /// The rule that says this, made when it is not there.
    fn rule<'f>(&self, field: &'f mut FieldDraft) -> Option<&'f mut RuleDraft> {
        match (self.demand, self.limit) {
            ("min_length" | "max_length", Some(limit)) => Some(field.rule(self.demand, limit.into())),
            // Whatever it complains about, something must say it: what is always demanded.
            ("min_length" | "max_length", None) | ("", _) => {
                let silent = |r: &&mut RuleDraft| r.demand == "required" && r.message.is_none();
                field.rules.iter_mut().find(silent)
            }
            ("format", _) => Some(field.rule("format", "email".into())),
            ("type", _) => Some(field.rule("type", "string".into())),
            (demand, _) => Some(field.rule(demand, true.into())),
        }
    }

    /// The field whose rule says this.
    fn target<'f>(&self, fields: &'f mut [FieldDraft]) -> Option<&'f mut FieldDraft> {
        let email = |f: &FieldDraft| f.means(&Meaning::Email);
        let unique = |f: &FieldDraft| email(f) || f.means(&Meaning::Username);
        let named = self.told.field.as_ref().and_then(|name| fields.iter().position(|f| f.name == *name));
        let at = match (named, self.demand) {
            (Some(at), "unique") => unique(&fields[at]).then_some(at),
            (Some(at), "format") => email(&fields[at]).then_some(at),
            (Some(at), _) => Some(at),
            (None, "unique") => fields.iter().position(email).or_else(|| fields.iter().position(unique)),
            (None, "format") => fields.iter().position(email),
            (None, _) => None,
        }?;
        fields.get_mut(at)
    }
}
