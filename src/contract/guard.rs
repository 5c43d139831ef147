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

/// What may be kept of a value that the contract does not know: at no depth a privilege, a password, or a copy of `password`.
/// Objects and lists lose what may not be kept; `None` when nothing may.
pub(super) fn harmless(name: &str, value: &Json, password: Option<&str>) -> Option<Json> {
    if is_privilege(name) || is_password(name) {
        return None;
    }
    match value {
        Json::String(text) if Some(text.as_str()) == password => None,
        Json::Array(items) => Some(items.iter().filter_map(|item| harmless("", item, password)).collect()),
        Json::Object(members) => {
            let kept = members
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), harmless(name, value, password)?)));
            Some(Json::Object(kept.collect()))
        }
        other => Some(other.clone()),
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
    for c in name.chars() {
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
