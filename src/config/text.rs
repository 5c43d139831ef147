//! Text values with a little grammar: the database's address, the public address, paths, secrets, log filters.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use tracing_subscriber::EnvFilter;

use super::Secret;
use super::setting::{Raw, Setting, ValueError};
use crate::spelling::nearest;

/// Where accounts are kept. Shown without its password, in `Debug` too.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct DatabaseAddress(String);

impl DatabaseAddress {
    /// The whole address, the password included.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DatabaseAddress {
    /// Everything but what may be secret: the part of the user information behind its colon, and the values of all
    /// parameters, since `password` and `sslpassword` may stand among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.0.split_once("://") else { return f.write_str("***") };
        if scheme == "sqlite" {
            return f.write_str(&self.0);
        }
        let (place, parameters) =
            rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
        // A password may hold an unescaped `@` or `/` by mistake; the last `@` hides the most.
        let (user, host) = place.rsplit_once('@').map_or((None, place), |(user, host)| (Some(user), host));
        write!(f, "{scheme}://")?;
        if let Some(user) = user {
            let (name, password) = user.split_once(':').map_or((user, ""), |(name, _)| (name, ":***"));
            write!(f, "{name}{password}@")?;
        }
        f.write_str(host)?;
        for (at, parameter) in parameters.into_iter().flat_map(|query| query.split('&')).enumerate() {
            let (name, value) = parameter.split_once('=').map_or((parameter, ""), |(name, _)| (name, "=***"));
            write!(f, "{}{name}{value}", if at == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

impl fmt::Debug for DatabaseAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl Setting for DatabaseAddress {
    fn read(raw: Raw<'_>) -> Result<DatabaseAddress, ValueError> {
        // The value is not repeated in the complaint: it may hold a password.
        const EXPECTED: &str = "\"sqlite://PATH\" or \"postgres://USER@HOST/NAME\"";
        let text = raw.text(EXPECTED)?.trim();
        let known = ["sqlite", "postgres", "postgresql"];
        match text.split_once("://") {
            Some((scheme, rest)) if known.contains(&scheme) && !rest.is_empty() => {
                Ok(DatabaseAddress(text.to_owned()))
            }
            _ => Err(ValueError::Hidden { expected: EXPECTED }),
        }
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::String(self.to_string()))
    }
}

/// The address clients know this server by, or nothing, which means: take the one it listens on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// Without a trailing slash. `bound` is the address the listener really has; one that stands for every interface
    /// is shown as the loopback address, which works when pasted on the same machine. `scheme` is what it speaks.
    pub fn or_bound(&self, scheme: &str, bound: SocketAddr) -> String {
        if !self.0.is_empty() {
            return self.0.clone();
        }
        let ip = match bound.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        format!("{scheme}://{}", SocketAddr::new(ip, bound.port()))
    }

    /// Whether it was given and begins with `https://`.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl Setting for BaseUrl {
    fn read(raw: Raw<'_>) -> Result<BaseUrl, ValueError> {
        const EXPECTED: &str =
            "empty or an address like \"https://accounts.example.com\", without query or user";
        let text = raw.text(EXPECTED)?.trim();
        if text.is_empty() {
            return Ok(BaseUrl::default());
        }
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or("");
        let text = text.strip_suffix('/').unwrap_or(text);
        let plain = rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#@\\\"<>{}".contains(&byte));
        if !plain || rest.is_empty() || rest.starts_with('/') || rest.contains("//") {
            return Err(ValueError::Not { expected: EXPECTED, found: text.to_owned() });
        }
        Ok(BaseUrl(text.to_owned()))
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::String(self.0.clone()))
    }
}

impl Setting for String {
    fn read(raw: Raw<'_>) -> Result<String, ValueError> {
        raw.text("a string").map(str::to_owned)
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::String(self.clone()))
    }
}

impl Setting for Option<PathBuf> {
    fn read(raw: Raw<'_>) -> Result<Option<PathBuf>, ValueError> {
        let text = raw.text("a path")?;
        if text.is_empty() { Err(ValueError::Empty) } else { Ok(Some(PathBuf::from(text))) }
    }

    fn show(&self) -> Option<toml::Value> {
        self.as_ref().map(|path| toml::Value::String(path.display().to_string()))
    }
}

impl Setting for Option<Secret> {
    fn read(raw: Raw<'_>) -> Result<Option<Secret>, ValueError> {
        raw.text("a string").map(|text| Some(Secret::new(text)))
    }

    fn show(&self) -> Option<toml::Value> {
        self.as_ref().map(|secret| toml::Value::String(secret.to_string()))
    }
}

/// Refuses what `EnvFilter` refuses, and one thing that it takes: a mistyped level such as `inf` would be the name of
/// a module, and everything else would fall silent.
pub(super) fn check_filter(text: &String) -> Result<(), ValueError> {
    const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace", "off"];
    for part in text.split(',').map(str::trim).filter(|part| !part.contains(['=', '['])) {
        if !LEVELS.contains(&part.to_ascii_lowercase().as_str())
            && nearest(part, LEVELS.iter().copied()).is_some()
        {
            return Err(ValueError::Choice { choices: LEVELS, found: part.to_owned() });
        }
    }
    const EXPECTED: &str = "a filter like \"info\" or \"info,vestibule::http=debug\"";
    let not = || ValueError::Not { expected: EXPECTED, found: text.clone() };
    if text.trim().is_empty() {
        return Err(not());
    }
    EnvFilter::builder().parse(text).map(drop).map_err(|_| not())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_address_hides_its_password_and_all_parameter_values() {
        let shown = |text| DatabaseAddress::read(Raw::Text(text)).map(|address| address.to_string()).ok();
        assert_eq!(shown("postgres://u:p%40:x@h:1/d").unwrap(), "postgres://u:***@h:1/d");
        assert_eq!(shown("postgres://u:p/q@w@h/d").unwrap(), "postgres://u:***@h/d");
        assert_eq!(
            shown("postgresql://h/d?user=u&password=p").unwrap(),
            "postgresql://h/d?user=***&password=***"
        );
        assert_eq!(shown("sqlite://a:b@c.db").unwrap(), "sqlite://a:b@c.db");
        for text in ["", "vestibule.db", "mysql://u:p@h/d", "sqlite://", "postgres:h"] {
            assert_eq!(shown(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_public_address_falls_back_to_the_one_listened_on() {
        let read = |text| BaseUrl::read(Raw::Text(text));
        let bound = SocketAddr::from(([0, 0, 0, 0], 9));
        assert_eq!(read("").unwrap().or_bound("http", bound), "http://127.0.0.1:9");
        assert_eq!(read("").unwrap().or_bound("https", "[::1]:9".parse().unwrap()), "https://[::1]:9");
        assert_eq!(read("https://a.example/b/").unwrap().or_bound("http", bound), "https://a.example/b");
        for text in
            ["a.example", "ftp://a", "https://", "https:///x", "https://u@a", "https://a?b", "http://a b"]
        {
            assert!(read(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_mistyped_level_is_not_taken_for_a_module() {
        for text in ["info", "WARN", "off", "info,vestibule::http=debug", "hyper", "vestibule[request]=trace"]
        {
            assert!(check_filter(&text.to_owned()).is_ok(), "{text:?}");
        }
        for text in ["", "inf", "debgu", "info,warm", "a=loud", "[["] {
            assert!(check_filter(&text.to_owned()).is_err(), "{text:?}");
        }
    }
}
