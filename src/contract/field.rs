//! One field of a contract: where it stands, what it means, and the rules about it.

use super::json_type::JsonType;
use super::language;
use super::outcome::Outcome;
use super::place::Place;
use super::template::{Expr, Template};
use crate::user::Meaning;
use regex::Regex;
use regex_syntax::hir::{Hir, Look};
use serde_json::Value as Json;
use std::sync::Arc;

/// One field.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: Arc<str>,
    pub(crate) from: Place,
    pub(crate) into: Option<Meaning>,
    pub(crate) clean: Option<Expr>,
    pub(crate) rules: Vec<Rule>,
    /// Never written anywhere: the password, what is compared with it, credentials in headers and cookies.
    pub(crate) secret: bool,
}

impl Field {
    /// The JSON type that the field's rules ask for; text when none does.
    pub(crate) fn json_type(&self) -> JsonType {
        self.rules.iter().find_map(|r| r.json_type).unwrap_or(JsonType::String)
    }

    /// Whether its type is checked: what is neither stored nor ruled may be anything.
    pub(crate) fn is_typed(&self) -> bool {
        !self.rules.is_empty() || self.into.is_some()
    }

    /// Whether replies see this value of it.
    pub(crate) fn may_show(&self, value: &Json) -> bool {
        match self.is_typed() {
            true => value.is_null() || self.json_type().fits(value),
            false => !value.is_array() && !value.is_object(),
        }
    }

    /// What is broken when the value passes every rule and yet means nothing. The catalogue's words for `format` are
    /// about addresses; they do not fit a name that is too long.
    pub(crate) fn understanding(&self) -> &'static str {
        if self.into == Some(Meaning::Email) { "format" } else { "meaning" }
    }

    pub(crate) fn is_password(&self) -> bool {
        self.into == Some(Meaning::Password)
    }

    /// Whether it takes a proof of work.
    pub(crate) fn proves(&self) -> bool {
        self.rules.iter().any(|r| r.proof)
    }

    /// The lengths that its rules allow, the least and the most.
    pub(crate) fn lengths(&self) -> (usize, usize) {
        let least = self.rules.iter().filter_map(|r| r.min_length).max().unwrap_or(0);
        let most = self.rules.iter().filter_map(|r| r.max_length).min().unwrap_or(usize::MAX);
        (least, most)
    }

    /// Whether no two accounts may have the same value.
    pub(crate) fn identifies(&self) -> bool {
        matches!(self.into, Some(Meaning::Email | Meaning::Username | Meaning::Id))
            || self.rules.iter().any(|r| r.unique)
    }
}

/// One rule: what it demands, when, and what it says.
#[derive(Debug, Default)]
pub(crate) struct Rule {
    pub(crate) required: bool,
    pub(crate) json_type: Option<JsonType>,
    pub(crate) one_of: Option<Vec<Json>>,
    pub(crate) min_length: Option<usize>,
    pub(crate) max_length: Option<usize>,
    pub(crate) patterns: Vec<Regex>,
    pub(crate) format: Option<&'static str>,
    pub(crate) secret: Option<String>,
    pub(crate) uncommon: bool,
    pub(crate) proof: bool,
    pub(crate) check: Option<Expr>,
    pub(crate) unique: bool,
    pub(crate) says: Says,
    pub(crate) field: Option<Arc<str>>,
    pub(crate) condition: Option<Expr>,
    pub(crate) phase: i64,
    pub(crate) outcome: Option<Outcome>,
}

impl Rule {
    /// The demands that this rule makes, in the order in which they are tried.
    pub(crate) fn demands(&self) -> impl Iterator<Item = &'static str> {
        let made = [
            self.required,
            self.json_type.is_some(),
            self.one_of.is_some(),
            self.min_length.is_some(),
            self.max_length.is_some(),
            !self.patterns.is_empty(),
            self.format.is_some(),
            self.secret.is_some(),
            self.uncommon,
            self.proof,
            self.check.is_some(),
            self.unique,
        ];
        language::DEMANDS.iter().zip(made).filter(|(_, made)| *made).map(|(name, _)| *name)
    }

    /// Whether one of its patterns speaks of the whole text, in each of its alternatives.
    pub(crate) fn has_whole_pattern(&self) -> bool {
        self.whole_patterns().next().is_some()
    }

    /// Whether one of its patterns lets no long text in.
    pub(crate) fn has_short_pattern(&self) -> bool {
        const SHORT: usize = 4096;
        self.whole_patterns().any(|tree| tree.properties().maximum_len().is_some_and(|most| most <= SHORT))
    }

    fn whole_patterns(&self) -> impl Iterator<Item = Hir> {
        let trees = self.patterns.iter().filter_map(|p| regex_syntax::parse(p.as_str()).ok());
        trees.filter(|tree| {
            let properties = tree.properties();
            properties.look_set_prefix().contains(Look::Start)
                && properties.look_set_suffix().contains(Look::End)
        })
    }

    /// A demand's own parameter.
    pub(crate) fn limit(&self, demand: &str) -> Json {
        match demand {
            "type" => self.json_type.map_or("string", JsonType::name).into(),
            "enum" => self.one_of.clone().unwrap_or_default().into(),
            "min_length" => self.min_length.unwrap_or(1).into(),
            "max_length" => self.max_length.unwrap_or(1).into(),
            "pattern" => self.patterns.first().map_or("", |p| p.as_str()).into(),
            "format" => self.format.unwrap_or("email").into(),
            _ => Json::Null,
        }
    }
}

/// What a rule says when it is broken.
#[derive(Debug, Default)]
pub(crate) struct Says {
    pub(crate) message: Option<Template>,
    pub(crate) code: Option<Json>,
}
