//! The `acme.` keys.

use std::path::PathBuf;

use super::choices::words;
use super::setting::{Raw, Setting, ValueError, choose};

/// The `acme.` keys. Without domains the others mean nothing.
#[derive(Clone, Debug)]
pub struct Acme {
    /// The names that the certificate is for.
    pub domains: Vec<Domain>,
    /// Whether the operator accepts the authority's terms of service.
    pub accept_terms: bool,
    /// Where the account's key and the certificates are kept.
    pub folder: Option<PathBuf>,
    /// How the authority sees that the names are ours.
    pub challenge: Challenge,
    /// An e-mail address for the authority, or nothing.
    pub contact: String,
    /// The URL of the authority's directory: HTTPS.
    pub directory: String,
    /// The file of certificates to trust for it; `None` trusts those of the system.
    pub ca: Option<PathBuf>,
}

impl Acme {
    /// What the default layer overwrites.
    pub(super) fn blank() -> Acme {
        Acme {
            domains: Vec::new(),
            accept_terms: true,
            folder: None,
            challenge: Challenge::Http01,
            contact: "-".to_owned(),
            directory: String::new(),
            ca: None,
        }
    }
}

/// How a certificate authority sees that a name is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// By a text at a path of plain HTTP (RFC 8555, section 8.3).
    Http01,
    /// By a certificate in a TLS handshake (RFC 8737).
    TlsAlpn01,
}

/// A name of the DNS in lower case with at least one dot: letters, digits and hyphens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain(String);

impl Domain {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(text: &str) -> Option<Domain> {
        let part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(part)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let last = text.rsplit('.').next().unwrap_or("");
        // A last label that begins with a digit would make it an address.
        let good = text.len() <= 253
            && text.contains('.')
            && text.split('.').all(label)
            && !last.starts_with(|first: char| first.is_ascii_digit());
        good.then(|| Domain(text.to_owned()))
    }
}

impl Setting for Vec<Domain> {
    fn read(raw: Raw<'_>) -> Result<Vec<Domain>, ValueError> {
        const LIST: &str = "a list of names like \"accounts.example.com\"";
        const EXPECTED: &str = "a name like \"accounts.example.com\" in lower case (international ones as xn--..), no \
                                address and no wildcard";
        raw.list(LIST, |item| {
            let text = item.text(EXPECTED)?.trim();
            Domain::parse(text).ok_or_else(|| ValueError::Not { expected: EXPECTED, found: text.to_owned() })
        })
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::Array(self.iter().map(|domain| toml::Value::String(domain.0.clone())).collect()))
    }
}

words!(Challenge { "http-01" => Http01, "tls-alpn-01" => TlsAlpn01 });

/// Told here, because the authority would only refuse it later.
pub(super) fn check_contact(text: &str) -> Result<(), ValueError> {
    const EXPECTED: &str = "empty or one e-mail address like \"admin@example.com\"";
    let parts = text.split_once('@').filter(|(name, host)| !name.is_empty() && !host.is_empty());
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b",?:<>\"".contains(&byte));
    let good = text.is_empty() || (plain && parts.is_some_and(|(_, host)| !host.contains('@')));
    if good { Ok(()) } else { Err(ValueError::Not { expected: EXPECTED, found: text.to_owned() }) }
}

pub(super) fn check_directory(text: &str) -> Result<(), ValueError> {
    const EXPECTED: &str = "an address like \"https://acme-v02.api.letsencrypt.org/directory\"";
    let good = text.parse::<http::Uri>().is_ok_and(|uri| {
        let host = uri.host().is_some_and(|host| !host.is_empty() && !host.starts_with('.'));
        let user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        uri.scheme_str() == Some("https") && host && !user
    });
    if good { Ok(()) } else { Err(ValueError::Not { expected: EXPECTED, found: text.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_an_authority_certifies_by_these_challenges_are_taken() {
        for good in ["a.example", "xn--bcher-kva.example", "a-b.c1.example.com"] {
            assert!(Domain::parse(good).is_some(), "{good}");
        }
        let long = format!("{}.example", "a".repeat(64));
        for bad in [
            "",
            "localhost",
            "*.example.com",
            "A.example",
            "a..b",
            ".a.b",
            "a.b.",
            "10.0.0.1",
            "a_b.c",
            "../a.b",
            "-a.b",
            &long,
        ] {
            assert!(Domain::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_directory_is_https_and_a_contact_is_an_address() {
        assert!(check_directory("https://ca.example:14000/dir").is_ok());
        for bad in
            ["", "http://ca.example/", "ca.example", "https://", "https://u@ca.example/", "https://../x"]
        {
            assert!(check_directory(bad).is_err(), "{bad}");
        }
        for good in ["", "admin@example.com"] {
            assert!(check_contact(good).is_ok(), "{good}");
        }
        for bad in ["admin", "mailto:a@b", "a@b,c@d", "a@b@c", "a b@c", "@b"] {
            assert!(check_contact(bad).is_err(), "{bad}");
        }
    }
}
