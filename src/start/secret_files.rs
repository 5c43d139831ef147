//! Files of secrets that others than the server's user can read or change.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::acme::Acme;
use crate::config::{Loaded, Origin};
use crate::store::DatabaseUrl;

/// What should be said about the files that hold what this configuration needs kept secret, in the order of their names.
/// `user` is the id of the user whom the server runs as. A file that cannot be looked at is for others to complain about.
pub(super) fn warnings(loaded: &Loaded, url: &DatabaseUrl, acme: Option<&Acme>, user: u32) -> Vec<String> {
    let mut files = named(loaded);
    if loaded.config.token_secret.is_none() {
        files.insert(super::secret::kept_in(url));
    }
    files.extend(acme.into_iter().flat_map(Acme::secret_files));
    files.iter().filter_map(|file| warning(file, user)).collect()
}

/// Those that the configuration names, itself included where it holds a secret.
fn named(loaded: &Loaded) -> BTreeSet<PathBuf> {
    let config = &loaded.config;
    let in_address = config.database.to_string() != config.database.expose();
    let secrets = config.secrets.keys().map(|name| format!("secrets.{name}"));
    let keys = secrets.chain(["token_secret".to_owned()]).chain(in_address.then(|| "database".to_owned()));
    let holding = keys.filter_map(|key| match loaded.origin(&key)? {
        Origin::File { path, .. } => Some(PathBuf::from(path)),
        Origin::SecretFile { path, .. } => Some(path.clone()),
        Origin::Default | Origin::Variable(_) | Origin::Flag(_) => None,
    });
    holding.chain(config.passwords.pepper_file.clone()).chain(config.tls.key.clone()).collect()
}

fn warning(file: &Path, user: u32) -> Option<String> {
    let about = fs::metadata(file).ok()?;
    told(&file.display().to_string(), about.mode() & 0o777, about.uid(), user)
}

fn told(file: &str, mode: u32, owner: u32, user: u32) -> Option<String> {
    let mut faults = Vec::new();
    // Root can read and change everything anyhow.
    if owner != user && owner != 0 {
        faults.push(format!("it belongs to the user with the id {owner}, and the server runs as {user}"));
    }
    if mode & 0o077 != 0 {
        faults.push(format!("others can use it (mode {mode:04o})"));
    }
    let hand_over = if owner == user { String::new() } else { format!("chown {user} {file} && ") };
    let remedy = format!("{hand_over}chmod 600 {file}");
    (!faults.is_empty()).then(|| format!("{file} holds secrets, and {}: {remedy}", faults.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_right_of_others_is_told_with_the_remedy_and_so_is_another_owner() {
        for private in [0o600, 0o400, 0o700] {
            assert_eq!(told("f", private, 1000, 1000), None, "{private:o}");
            assert_eq!(told("f", private, 0, 1000), None, "what belongs to root is no secret from root");
        }
        for open in [0o640, 0o604, 0o620, 0o602, 0o610, 0o644] {
            let expected = format!("f holds secrets, and others can use it (mode {open:04o}): chmod 600 f");
            assert_eq!(told("f", open, 1000, 1000), Some(expected));
        }
        let foreign = told("f", 0o600, 1001, 1000).unwrap();
        assert!(
            foreign.contains("id 1001, and the server runs as 1000: chown 1000 f && chmod 600 f"),
            "{foreign}"
        );
        assert!(told("f", 0o640, 0, 1000).unwrap().ends_with(": chown 1000 f && chmod 600 f"));
        assert_eq!(warning(Path::new("no/such/file"), 1000), None);
    }
}
