//! Names that say by themselves that a value is not the client's to set, or not ours to show.

use serde_json::Value as Json;
use unicode_normalization::UnicodeNormalization as _;

/// What only the server sets: privileges, states of an account, its times. Compared without case and punctuation, so
/// that `isAdmin`, `is-admin` and `IS_ADMIN` are one.
const PRIVILEGES: [&str; 38] = [
    "role",
    "roles",
    "admin",
    "isadmin",
    "administrator",
    "superuser",
    "issuperuser",
    "staff",
    "isstaff",
    "owner",
    "isowner",
    "root",
    "isroot",
    "permission",
    "permissions",
    "privileges",
    "scope",
    "scopes",
    "authorities",
    "isactive",
    "verified",
    "isverified",
    "verifiedat",
    "emailverified",
    "emailverifiedat",
    "confirmed",
    "isconfirmed",
    "confirmedat",
    "createdat",
    "updatedat",
    "deletedat",
    "version",
    "status",
    "tenant",
    "tenantid",
    "passwordhash",
    "passworddigest",
    "userid",
];

/// Whether a value of this name belongs to the server.
pub(super) fn is_privilege(name: &str) -> bool {
    PRIVILEGES.contains(&plain(name).as_str())
}

/// What may be kept of a member of the body that the contract does not know: at no depth a privilege, a password, or a copy of
/// `password`. `None` when nothing may.
pub(super) fn harmless(name: &str, value: &Json, password: Option<&str>) -> Option<Json> {
    if is_privilege(name) || holds_password(name, value, password) {
        return None;
    }
    Some(inside(value, &|name, value| harmless(name, value, password)))
}

/// What is stored and shown of a value that a field of the contract holds: an object loses the passwords inside, and copies
/// of `password`. In a list null stands for one, so that it is as long as the rules found it. The value itself is the
/// field's own, whatever it equals.
pub(super) fn without_passwords(value: &Json, password: Option<&str>) -> Json {
    match value {
        Json::Array(items) => {
            let stands = |item: &Json| !holds_password("", item, password);
            let kept = |item| if stands(item) { without_passwords(item, password) } else { Json::Null };
            items.iter().map(kept).collect()
        }
        other => inside(other, &|name, value| {
            (!holds_password(name, value, password)).then(|| without_passwords(value, password))
        }),
    }
}

/// A list or an object with what `keep` makes of what is in it; items of a list have no name.
fn inside(value: &Json, keep: &dyn Fn(&str, &Json) -> Option<Json>) -> Json {
    match value {
        Json::Array(items) => items.iter().filter_map(|item| keep("", item)).collect(),
        Json::Object(members) => {
            let kept = members.iter().filter_map(|(name, value)| Some((name.clone(), keep(name, value)?)));
            Json::Object(kept.collect())
        }
        other => other.clone(),
    }
}

/// Numbers and answers to yes-or-no questions are no passwords, whatever they are called.
fn holds_password(name: &str, value: &Json, password: Option<&str>) -> bool {
    match value {
        Json::String(text) => is_password(name) || Some(text.as_str()) == password,
        Json::Array(_) | Json::Object(_) => is_password(name),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

/// Whether a value of this name is most likely a password: `confirmPassword`, `pwd2`, `repeat_pass`; not `passport`.
pub(super) fn is_password(name: &str) -> bool {
    const PARTS: [&str; 9] = [
        "password",
        "passwd",
        "passwort",
        "passphrase",
        "passcode",
        "pwd",
        "contrasena",
        "contraseña",
        "senha",
    ];
    const WORDS: [&str; 5] = ["pass", "passe", "psw", "pw", "secret"];
    let plain = plain(name);
    PARTS.iter().any(|part| plain.contains(part)) || words(name).iter().any(|w| WORDS.contains(&w.as_str()))
}

fn plain(name: &str) -> String {
    name.nfkc().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// `confirmPass2` is `confirm` and `pass`.
fn words(name: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut small = false;
    for c in name.nfkc() {
        if !c.is_alphabetic() || small && c.is_uppercase() {
            out.push(String::new());
        }
        small = c.is_lowercase();
        if let Some(word) = out.last_mut().filter(|_| c.is_alphabetic()) {
            word.extend(c.to_lowercase());
        }
    }
    out.retain(|word| !word.is_empty());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn privileges_in_every_spelling() {
        for name in ["role", "isAdmin", "is_admin", "IS-ADMIN", "email_verified", "tenantId", "createdAt"] {
            assert!(is_privilege(name), "{name}");
        }
        for name in ["phone", "roleplay", "administration", "company", "statusline"] {
            assert!(!is_privilege(name), "{name}");
        }
    }

    #[test]
    fn names_of_passwords() {
        for name in [
            "password",
            "confirmPassword",
            "password_confirmation",
            "passwd",
            "PASS",
            "pass2",
            "re-pass",
            "userPwd",
            "mot_de_passe",
            "passwordAgain",
            "pw",
            "contraseña",
        ] {
            assert!(is_password(name), "{name}");
        }
        for name in ["passport", "passenger_name", "compass", "bypass", "name", "power", "trespass"] {
            assert!(!is_password(name), "{name}");
        }
    }
}
