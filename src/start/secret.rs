//! The key that signs tokens when nobody gave one.

use super::error::StartError;
use crate::clock::Clock;
use crate::config::Config;
use crate::store::DatabaseUrl;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The key that signs tokens: the configured one, or one that is generated once and kept beside the database.
pub(super) fn token_secret(
    config: &Config,
    url: &DatabaseUrl,
    clock: &Clock,
    warnings: &mut Vec<String>,
) -> Result<Vec<u8>, StartError> {
    if let Some(secret) = known_secret(config, url)? {
        return Ok(secret);
    }
    let path = kept_in(url);
    let failed = |source| StartError::Secret { path: path.clone(), source };
    let secret: String = clock.random::<32>().iter().map(|b| format!("{b:02x}")).collect();
    match create(&path, &secret, clock) {
        Ok(()) => {
            warnings.push(format!(
                "no token secret was configured: one was generated and kept in {}; other processes on this database \
                 need the same one (VESTIBULE_TOKEN_SECRET_FILE)",
                path.display()
            ));
            Ok(secret.into_bytes())
        }
        // Another process was faster; its secret counts.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Ok(fs::read(&path).map_err(failed)?.trim_ascii().to_vec())
        }
        Err(error) => Err(failed(error)),
    }
}

/// The same for who only looks: `None` where there is none yet.
///
/// # Errors
/// [`StartError::Secret`] when it is there and cannot be read.
pub fn known_secret(config: &Config, url: &DatabaseUrl) -> Result<Option<Vec<u8>>, StartError> {
    if let Some(secret) = &config.token_secret {
        return Ok(Some(secret.expose().to_vec()));
    }
    let path = kept_in(url);
    match fs::read(&path) {
        Ok(bytes) if bytes.trim_ascii().len() >= Config::TOKEN_SECRET_BYTES => {
            Ok(Some(bytes.trim_ascii().to_vec()))
        }
        Ok(_) => Err(StartError::Secret { path, source: io::Error::other("it is shorter than 32 bytes") }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StartError::Secret { path, source }),
    }
}

/// Where a generated one is kept.
pub(super) fn kept_in(url: &DatabaseUrl) -> PathBuf {
    url.sqlite_path()
        .map_or_else(|| PathBuf::from("vestibule.token-secret"), |f: &Path| f.with_extension("token-secret"))
}

/// Writes a file that only its owner can read, whole or not at all: it is written beside its place and linked there.
fn create(path: &Path, text: &str, clock: &Clock) -> io::Result<()> {
    // A process id would not do: in containers that share a folder they are all the same.
    let beside = path.with_extension(format!("token-secret.new-{:016x}", u64::from_ne_bytes(clock.random())));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    let written =
        writeln!(file, "{text}").and_then(|()| file.sync_all()).and_then(|()| fs::hard_link(&beside, path));
    fs::remove_file(&beside)?;
    written?;
    // A new name is durable only when its folder is.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder)?.sync_all()
}
