//! From what a client wrote to what it means.

use std::fmt;
use std::io;

use serde_json::Value;
use zeroize::Zeroize;

use super::{Email, Meaning, Password, Username};

/// Values that only a contract knows, by name.
pub type Extra = serde_json::Map<String, Value>;

/// Longest name and longest id, in code points: what the columns hold.
const MAX_CODE_POINTS: usize = 255;
/// Largest extra values together, in bytes of JSON.
const MAX_EXTRA_BYTES: usize = 16 * 1024;
/// Deepest extra value; a number or a text has depth 0.
const MAX_EXTRA_DEPTH: usize = 16;

/// What a client wrote, by meaning: the fields of a contract with their own names taken off. Wiped of its password on
/// drop; that also means that it is filled member by member, and not by `..Default::default()`.
#[derive(Default)]
pub struct Submitted {
    /// For [`Meaning::Email`].
    pub email: Option<String>,
    /// For [`Meaning::Username`].
    pub username: Option<String>,
    /// For [`Meaning::Password`].
    pub password: Option<String>,
    /// For [`Meaning::Name`].
    pub name: Option<String>,
    /// For [`Meaning::FirstName`].
    pub first_name: Option<String>,
    /// For [`Meaning::LastName`].
    pub last_name: Option<String>,
    /// For [`Meaning::Id`].
    pub id: Option<String>,
    /// For [`Meaning::Extra`], by name.
    pub extra: Extra,
}

/// A user who may be registered: every value is valid on its own. Whether it is still free is for the store to say.
#[derive(Debug)]
pub struct NewUser {
    /// The e-mail address, if one was given.
    pub email: Option<Email>,
    /// The user name, if one was given.
    pub username: Option<Username>,
    /// The password.
    pub password: Password,
    /// The full name as written, if given.
    pub name: Option<String>,
    /// The first name as written, if given.
    pub first_name: Option<String>,
    /// The last name as written, if given.
    pub last_name: Option<String>,
    /// The id that the client brought along, if it did.
    pub id: Option<String>,
    /// Other values, at most 16 KiB of JSON and 16 levels deep.
    pub extra: Extra,
}

/// One thing wrong with a sign-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which value.
    pub meaning: Meaning,
    /// Why, in plain English and without the value.
    pub reason: String,
}

impl NewUser {
    /// Reads every value. An empty e-mail address, user name or id counts as none; names stay byte for byte as they
    /// were written. NUL is refused everywhere but in the password, because not every store can keep it.
    ///
    /// # Errors
    /// All problems at once: email, username, password, name, first name, last name, id, extra values, in that order.
    pub fn parse(mut s: Submitted) -> Result<NewUser, Vec<Problem>> {
        let mut problems = Problems(Vec::new());
        let email = given(&s.email).and_then(|text| problems.keep(Meaning::Email, Email::parse(text)));
        let username =
            given(&s.username).and_then(|text| problems.keep(Meaning::Username, Username::parse(text)));
        let password = Password::parse(s.password.as_deref().unwrap_or_default());
        let password = problems.keep(Meaning::Password, password);
        let name = problems.text(Meaning::Name, s.name.take());
        let first_name = problems.text(Meaning::FirstName, s.first_name.take());
        let last_name = problems.text(Meaning::LastName, s.last_name.take());
        let id = problems.text(Meaning::Id, s.id.take().filter(|id| !id.is_empty()));
        let extra = problems.extra(std::mem::take(&mut s.extra));
        match password {
            Some(password) if problems.0.is_empty() => {
                Ok(NewUser { email, username, password, name, first_name, last_name, id, extra })
            }
            _ => Err(problems.0),
        }
    }
}

impl Drop for Submitted {
    fn drop(&mut self) {
        self.password.zeroize();
    }
}

impl fmt::Debug for Submitted {
    /// Which values there are, but none of them: this is a request that nobody has looked at yet.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = [
            ("email", &self.email),
            ("username", &self.username),
            ("password", &self.password),
            ("name", &self.name),
            ("first_name", &self.first_name),
            ("last_name", &self.last_name),
            ("id", &self.id),
        ];
        let present = texts.iter().filter(|(_, value)| value.is_some()).map(|(name, _)| *name);
        f.write_str("Submitted")?;
        f.debug_set().entries(present.chain(self.extra.keys().map(String::as_str))).finish()
    }
}

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

/// The problems found so far.
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, meaning: Meaning, reason: impl fmt::Display) {
        self.0.push(Problem { meaning, reason: reason.to_string() });
    }

    fn keep<T, E: fmt::Display>(&mut self, meaning: Meaning, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.add(meaning, error)).ok()
    }

    fn text(&mut self, meaning: Meaning, text: Option<String>) -> Option<String> {
        let text = text?;
        if text.contains('\0') {
            self.add(meaning, "the text contains a NUL character");
            return None;
        }
        // A text has at least a quarter as many code points as bytes, so most are never counted.
        if text.len() > MAX_CODE_POINTS && text.chars().count() > MAX_CODE_POINTS {
            self.add(meaning, format_args!("the text is longer than {MAX_CODE_POINTS} characters"));
            return None;
        }
        Some(text)
    }

    fn extra(&mut self, extra: Extra) -> Extra {
        // Two braces, and one comma less than there are members.
        let mut total = 1;
        let mut largest: (usize, &str) = (0, "");
        for (name, value) in &extra {
            let meaning = || Meaning::Extra(name.clone());
            // Depth comes first: the other two go down as deep as the value does.
            if deeper_than(value, MAX_EXTRA_DEPTH) {
                self.add(meaning(), format_args!("the value is nested deeper than {MAX_EXTRA_DEPTH} levels"));
                continue;
            }
            if name.contains('\0') || has_nul(value) {
                self.add(meaning(), "the value contains a NUL character");
            }
            let size = json_size(name) + json_size(value) + 2;
            total += size;
            largest = largest.max((size, name));
        }
        if total > MAX_EXTRA_BYTES {
            let limit = MAX_EXTRA_BYTES / 1024;
            let meaning = Meaning::Extra(largest.1.to_owned());
            self.add(meaning, format_args!("the additional values together are larger than {limit} KiB"));
        }
        extra
    }
}

fn deeper_than(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(|item| deeper_than(item, levels - 1)),
        Value::Object(members) => levels == 0 || members.values().any(|item| deeper_than(item, levels - 1)),
        _ => false,
    }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => members.iter().any(|(name, item)| name.contains('\0') || has_nul(item)),
        _ => false,
    }
}

fn json_size(value: &(impl serde::Serialize + ?Sized)) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value)
        .expect("JSON values and texts serialise, and counting cannot fail");
    count.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn submitted() -> Submitted {
        let mut s = Submitted::default();
        s.email = Some("Ada@Example.com".into());
        s.password = Some("correct horse".into());
        s
    }

    fn problems(s: Submitted) -> Vec<(String, String)> {
        let found = NewUser::parse(s).unwrap_err();
        found.into_iter().map(|problem| (problem.meaning.to_string(), problem.reason)).collect()
    }

    fn extra(value: Value) -> Submitted {
        let mut s = submitted();
        s.extra.insert("x".into(), value);
        s
    }

    fn nested(levels: usize) -> Value {
        (0..levels).fold(json!(1), |inner, _| json!([inner]))
    }

    #[test]
    fn a_good_sign_up_keeps_what_was_written() {
        let mut s = submitted();
        (s.username, s.id, s.name) = (Some(String::new()), Some(String::new()), Some(" Ada\r\n ".into()));
        s.last_name = Some(String::new());
        let user = NewUser::parse(s).unwrap();
        assert_eq!(user.email.unwrap().key(), "ada@example.com");
        assert_eq!((user.username, user.id), (None, None));
        assert_eq!((user.name.as_deref(), user.last_name.as_deref()), (Some(" Ada\r\n "), Some("")));
    }

    #[test]
    fn all_problems_come_at_once_and_in_order() {
        let mut s = Submitted::default();
        (s.email, s.username) = (Some("ada".into()), Some("a b".into()));
        (s.name, s.first_name, s.last_name) =
            (Some("\0".into()), Some("é".repeat(256)), Some("é".repeat(255)));
        s.id = Some("a\0".into());
        s.extra.insert("a".into(), json!({"b": ["c\0"]}));
        s.extra.insert("deep".into(), nested(17));
        let found = problems(s);
        let meanings: Vec<&str> = found.iter().map(|(meaning, _)| meaning.as_str()).collect();
        assert_eq!(
            meanings,
            ["email", "username", "password", "name", "first_name", "id", "extra.a", "extra.deep"]
        );
        assert_eq!(found[0].1, "there is no @-sign");
        assert_eq!(found[2].1, "the password is empty");
        assert_eq!(found[4].1, "the text is longer than 255 characters");
    }

    #[test]
    fn extra_values_are_bounded() {
        assert!(NewUser::parse(extra(nested(16))).is_ok());
        assert_eq!(problems(extra(nested(120)))[0].1, "the value is nested deeper than 16 levels");
        let size = |n: usize| extra(json!("a".repeat(n - r#"{"x":""}"#.len())));
        assert!(NewUser::parse(size(16 * 1024)).is_ok());
        assert_eq!(
            problems(size(16 * 1024 + 1)),
            [("extra.x".into(), "the additional values together are larger than 16 KiB".into())]
        );
    }

    #[test]
    fn a_nul_is_welcome_in_the_password_alone() {
        let mut s = submitted();
        s.password = Some("a\0b".into());
        assert_eq!(NewUser::parse(s).unwrap().password.as_bytes(), b"a\0b");
    }

    #[test]
    fn debug_output_holds_no_values() {
        assert_eq!(format!("{:?}", extra(json!("secret"))), r#"Submitted{"email", "password", "x"}"#);
    }
}
