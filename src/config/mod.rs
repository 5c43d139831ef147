//! The effective configuration, and where every value of it came from.
//!
//! Four layers, later ones win: `config.default.toml` (compiled in) < a file that was named < the environment < flags.
//! [`KEYS`] defines every key once; the file reader, the environment, `--set`, `config show` and the tests all walk it.
//! Nothing here reads process globals: the caller passes flags and environment in as [`Sources`].

mod acme;
mod choices;
mod cors;
mod environment;
mod file;
mod flags;
mod keys;
mod layers;
mod merge;
mod mount;
mod problem;
mod quantity;
mod rate;
mod secret;
mod setting;
mod settings;
mod source;
#[cfg(test)]
mod tests;
mod text;

pub use acme::{Acme, Challenge, Domain};
pub use choices::{LogFormat, ProxyHeader};
pub use cors::WebOrigin;
pub use flags::Flag;
pub use keys::{KEYS, Key};
pub use layers::{DEFAULT_FILE, Loaded, Sources};
pub use mount::Mount;
pub use problem::{Origin, Problem, Problems};
pub use quantity::{NoQuantity, Size, parse_size, parse_time};
pub use rate::Rate;
pub use secret::Secret;
pub use settings::{Audit, Config, Cors, Idempotency, Limits, Log, Names, Passwords, Rates, Tls};
pub use text::{BaseUrl, DatabaseAddress};

impl Config {
    /// The shortest token secret in bytes: RFC 7518, section 3.2, asks for a key as long as the HS256 output.
    pub const TOKEN_SECRET_BYTES: usize = 32;

    /// Merges all layers.
    ///
    /// # Errors
    /// Every mistake of every layer at once, each with its origin; also when a later layer overrides the bad value,
    /// because a mistake nobody sees today is a surprise on the day the override goes away.
    pub fn load(sources: Sources) -> Result<Loaded, Problems> {
        let (loaded, problems) = Config::read(&sources);
        if problems.is_empty() { Ok(loaded) } else { Err(problems) }
    }

    /// The same for a caller who looks further before refusing, so that all mistakes can be told together: what is in
    /// effect without the refused values, and what was refused.
    pub fn read(sources: &Sources) -> (Loaded, Problems) {
        layers::read(sources)
    }
}

impl Default for Config {
    /// The shipped defaults, nothing else.
    fn default() -> Config {
        Config::load(Sources::default()).expect("a test loads config.default.toml").config
    }
}
