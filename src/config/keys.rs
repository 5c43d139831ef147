//! The keys, each defined once: everything that reads, names, shows or documents a key walks this table.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::acme::{check_contact, check_directory};
use super::setting::{Raw, Setting, ValueError, within};
use super::text::check_filter;
use super::{Config, Secret, Size};

/// The variable of a dotted name: `VESTIBULE_PASSWORDS_MEMORY_KIB`.
pub(super) fn variable(name: &str) -> String {
    format!("{VARIABLE_PREFIX}{}", name.replace('.', "_").to_ascii_uppercase())
}

/// One configuration key.
pub struct Key {
    /// Dotted, as in a file: `passwords.memory_kib`.
    pub name: &'static str,
    /// Must not appear in a message or an excerpt.
    pub(super) secret: bool,
    pub(super) set: fn(&mut Config, Raw<'_>) -> Result<(), ValueError>,
    show: fn(&Config) -> Option<toml::Value>,
}

/// Defines a key by the path of its field in [`Config`], so that name and field cannot drift apart.
macro_rules! key {
    ($field:ident $(. $more:ident)?) => { key!($field $(. $more)?, |_| Ok(())) };
    ($field:ident $(. $more:ident)?, in $range:expr) => { key!($field $(. $more)?, |value| within(value, &$range)) };
    ($field:ident $(. $more:ident)?, $check:expr) => {
        Key {
            name: concat!(stringify!($field) $(, ".", stringify!($more))?),
            secret: false,
            set: |config, raw| {
                let value = Setting::read(raw)?;
                checked(&value, $check)?;
                config.$field $(. $more)? = value;
                Ok(())
            },
            show: |config| config.$field $(. $more)?.show(),
        }
    };
}

/// In the order of `config.default.toml`.
pub const KEYS: &[Key] = &[
    key!(listen),
    key!(reuse_port),
    key!(trusted_proxies),
    key!(proxy_header),
    key!(proxy_protocol),
    key!(admin_listen),
    // Hidden although it may be a flag: an address may carry a password.
    Key { secret: true, ..key!(database) },
    key!(contracts),
    key!(base_url),
    key!(closed),
    key!(docs),
    Key { secret: true, set: set_token_secret, ..key!(token_secret) },
    Key { set: set_token_secret_file, ..key!(token_secret_file) },
    key!(shutdown_grace, in Duration::ZERO..=DAY),
    key!(tls.certificate),
    key!(tls.key),
    key!(tls.redirect_listen),
    key!(acme.domains),
    key!(acme.accept_terms),
    key!(acme.folder),
    key!(acme.challenge),
    key!(acme.contact, |text: &String| check_contact(text)),
    key!(acme.directory, |text: &String| check_directory(text)),
    key!(acme.ca),
    key!(cors.origins),
    key!(passwords.engine),
    key!(passwords.memory_kib, in 8..=u32::MAX),
    key!(passwords.iterations, in 1..=u32::MAX),
    // RFC 9106, section 3.1: 1 to 2^24-1 lanes.
    key!(passwords.parallelism, in 1..=0xff_ffff),
    key!(passwords.workers, in 0..=1024),
    key!(passwords.deadline, in TIME),
    key!(passwords.pepper_file),
    key!(passwords.breached),
    key!(names.reserved),
    key!(names.also_reserved),
    key!(names.restriction),
    key!(names.distinct),
    key!(names.disposable),
    key!(names.accepted),
    key!(idempotency.lifetime, in Duration::from_secs(60)..=30 * DAY),
    key!(idempotency.window, in Duration::ZERO..=Duration::from_secs(3600)),
    key!(rates.network),
    key!(rates.site),
    key!(rates.account),
    key!(rates.total),
    key!(rates.keys, in 1000..=100_000_000),
    key!(rates.shared),
    key!(audit.store),
    key!(audit.keep, in Duration::from_secs(3600)..=3660 * DAY),
    key!(audit.refusals),
    key!(proof.demand),
    key!(proof.difficulty, in 1..=100_000_000),
    key!(proof.difficulty_under_load, in 1..=100_000_000),
    key!(proof.lifetime, in Duration::from_secs(30)..=DAY),
    key!(limits.connections, in 1..=10_000_000),
    key!(limits.body, in Size::of(1)..=Size::of(1 << 30)),
    key!(limits.header_timeout, in TIME),
    key!(limits.body_timeout, in TIME),
    key!(limits.idle_timeout, in TIME),
    key!(limits.write_timeout, in TIME),
    key!(log.format),
    key!(log.level, check_filter),
];

const DAY: Duration = Duration::from_secs(86_400);
/// No limit is zero, which some would read as "none", and none is so long that adding it to a clock could overflow.
const TIME: RangeInclusive<Duration> = Duration::from_millis(1)..=DAY;

/// The name of the environment variable that names the configuration file. It is no key: a file cannot name itself.
pub(super) const CONFIG_VARIABLE: &str = "VESTIBULE_CONFIG";
/// What the name of every variable begins with.
pub(super) const VARIABLE_PREFIX: &str = "VESTIBULE_";
/// The table of named secrets, whose keys no table can list.
pub(super) const SECRETS: &str = "secrets";

impl Key {
    /// The key of this dotted name.
    pub fn named(name: &str) -> Option<&'static Key> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// Its environment variable: `VESTIBULE_PASSWORDS_MEMORY_KIB`.
    pub fn variable(&self) -> String {
        variable(self.name)
    }

    /// The value in effect as it would be written in a file, secrets as `***`; `None` when it is not set.
    pub fn show(&self, config: &Config) -> Option<toml::Value> {
        (self.show)(config)
    }
}

/// Ties the closure's argument to the type of the field; inference alone does not get there.
fn checked<T>(value: &T, check: impl FnOnce(&T) -> Result<(), ValueError>) -> Result<(), ValueError> {
    check(value)
}

fn set_token_secret(config: &mut Config, raw: Raw<'_>) -> Result<(), ValueError> {
    let text = raw.text("a string")?;
    config.token_secret = Some(Secret::new(text).at_least(Config::TOKEN_SECRET_BYTES)?);
    config.token_secret_file = None;
    Ok(())
}

/// The file is read here, where a failure still knows who named it.
fn set_token_secret_file(config: &mut Config, raw: Raw<'_>) -> Result<(), ValueError> {
    let path = Option::<PathBuf>::read(raw)?;
    if let Some(path) = &path {
        config.token_secret = Some(Secret::from_file(path)?.at_least(Config::TOKEN_SECRET_BYTES)?);
    }
    config.token_secret_file = path;
    Ok(())
}

/// Sets a named secret, or reads it from the file that `NAME_file` names.
pub(super) fn set_named_secret(config: &mut Config, name: &str, raw: Raw<'_>) -> Result<(), ValueError> {
    let secret = match name.strip_suffix("_file") {
        None => Secret::new(raw.text("a string")?),
        Some(_) => match Option::<PathBuf>::read(raw)? {
            Some(path) => Secret::from_file(&path)?,
            None => return Ok(()),
        },
    };
    let name = name.strip_suffix("_file").unwrap_or(name);
    config.secrets.insert(name.to_owned(), secret.not_empty()?.text_only()?);
    Ok(())
}

/// A name that is the same in a file and, in capitals, in the environment.
pub(super) fn is_secret_name(name: &str) -> bool {
    let name = name.strip_suffix("_file").unwrap_or(name);
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
