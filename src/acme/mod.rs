//! Certificates by ACME (RFC 8555): one is ordered when there is none, and again in time.
//!
//! In reading order: [`Acme::keep`] decides when, `lifetime` knows what a certificate says about that, `order` gets a
//! new one, `client` asks the authority and `folder` keeps what must last. What the authority looks at is shown by
//! [`Challenges`]; the certificate in the folder is taken up like any other that was replaced. Nothing that the authority
//! does, or fails to do, ends the server.

mod client;
mod failure;
mod folder;
mod lifetime;
mod order;
mod pauses;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use tokio::sync::Notify;

use self::client::Https;
pub use self::failure::AcmeFailure;
use self::folder::Folder;
use self::lifetime::Leaf;
use self::pauses::Pauses;
use crate::clock::Clock;
use crate::config::{self, Challenge};
use crate::http::{CertificateError, Challenges, FileError, Tls, read_certificate};
use crate::metrics::CertificateMetrics;

/// How often a process that does not order looks whether it should.
const LOOK: Duration = Duration::from_secs(5);
/// The shortest time after which an authority is asked again about a certificate, whatever it says.
const SOON: Duration = Duration::from_secs(60);
/// The longest sleep: clocks are set, and machines sleep.
const NAP: Duration = Duration::from_secs(6 * 3600);
/// How long an order may take as a whole.
const PATIENCE: Duration = Duration::from_secs(600);

/// What gets certificates from one authority for certain names.
pub struct Acme {
    directory: String,
    /// A `mailto:` URL.
    contact: Option<String>,
    names: Arc<[String]>,
    challenge: Challenge,
    challenges: Challenges,
    folder: Folder,
    client: Https,
}

impl Acme {
    /// What these settings ask for; `None` without domains or a folder. `roots` are trusted for talking to the authority.
    pub fn new(config: &config::Acme, roots: RootCertStore) -> Option<Acme> {
        let state = config.folder.as_deref().filter(|_| !config.domains.is_empty())?;
        let names: Arc<[String]> = config.domains.iter().map(|name| name.as_str().to_owned()).collect();
        let folder = Folder::of(state, &config.directory);
        Some(Acme {
            directory: config.directory.clone(),
            contact: (!config.contact.is_empty()).then(|| format!("mailto:{}", config.contact)),
            challenge: config.challenge,
            challenges: Challenges::new(folder.challenges(), names.clone()),
            client: Https::trusting(roots),
            names,
            folder,
        })
    }

    /// What the listener speaks TLS with: the certificate in the folder, or, until there is one, none.
    pub fn tls(&self) -> Tls {
        let shown_there = self.challenge == Challenge::TlsAlpn01;
        Tls::obtained(self.folder.certificate(), shown_there.then(|| self.challenges.clone()))
    }

    /// What plain HTTP shows to the authority.
    pub fn http_challenges(&self) -> Option<Challenges> {
        (self.challenge == Challenge::Http01).then(|| self.challenges.clone())
    }

    /// Makes the folder.
    ///
    /// # Errors
    /// What the system says.
    pub fn make_folder(&self) -> io::Result<()> {
        self.folder.make()
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The files of its folder that nobody else may read; not all of them need be there.
    pub fn secret_files(&self) -> [PathBuf; 2] {
        [self.folder.account(), self.folder.certificate()]
    }

    /// Sees to it that there is a certificate, for ever. `fresh` is notified of every new one.
    pub async fn keep(self, clock: Clock, metrics: CertificateMetrics, fresh: Arc<Notify>) {
        let mut pauses = Pauses::default();
        if self.leaf().is_ok_and(|leaf| leaf.is_none()) {
            tracing::warn!(
                names = self.names.join(","),
                directory = self.directory,
                "there is no certificate yet: HTTPS waits for the certificate authority"
            );
        }
        let mut lock = None;
        loop {
            let done = match &lock {
                Some(_) => self.step(&clock, &fresh).await,
                None => self.folder.lock().map(|got| lock = got).map_err(AcmeFailure::from).map(|()| {
                    // Whoever has just become the one who orders begins at once.
                    if lock.is_some() { Duration::ZERO } else { LOOK }
                }),
            };
            let pause = match done {
                Ok(pause) => {
                    pauses = Pauses::default();
                    pause
                }
                Err(error) => {
                    metrics.failed.set(clock.now().as_second());
                    let pause = pauses.after(&error, share(&clock));
                    let error = plain(&error.to_string());
                    tracing::error!(error, again_in_s = pause.as_secs(), "no certificate was obtained");
                    pause
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Orders if it is time to, and says how long to wait for the next look.
    async fn step(&self, clock: &Clock, fresh: &Notify) -> Result<Duration, AcmeFailure> {
        let now = clock.now().as_second();
        let leaf = self.leaf()?;
        if let Some(leaf) = leaf.as_ref().filter(|leaf| leaf.covers(&self.names) && !leaf.has_expired(now)) {
            let left = self.left(leaf, now).await;
            if !left.is_zero() {
                return Ok(left);
            }
        }
        tracing::info!(names = self.names.join(","), directory = self.directory, "ordering a certificate");
        let ordered = tokio::time::timeout(PATIENCE, self.order(leaf.as_ref(), now)).await;
        ordered.map_err(|_| AcmeFailure::Slow)??;
        tracing::info!("a certificate was obtained");
        fresh.notify_one();
        // Whatever it says about itself, the next one is not ordered at once.
        let length = self.leaf()?.map_or(0, |leaf| leaf.length());
        Ok(Duration::from_secs(u64::try_from(length / 10).unwrap_or(0).clamp(1, 3600)))
    }

    /// How long to wait until the certificate must be replaced, or its authority asked again.
    async fn left(&self, leaf: &Leaf, now: i64) -> Duration {
        let (due, look) = self.suggested(leaf).await.unwrap_or_else(|| (leaf.due(), NAP));
        Duration::from_secs(u64::try_from(due.saturating_sub(now)).unwrap_or(0)).min(look)
    }

    /// When the authority suggests to replace the certificate, and after what time it wants to be asked again (RFC 9773,
    /// sections 4.2 and 4.3); `None` when it does not say, or says what cannot be meant.
    async fn suggested(&self, leaf: &Leaf) -> Option<(i64, Duration)> {
        let (id, account) = (leaf.id.as_ref()?, self.account().await.ok()?);
        let (info, again) = account.renewal_info(id).await.ok()?;
        let window = info.suggested_window;
        let due = leaf.due_within(window.start.unix_timestamp(), window.end.unix_timestamp())?;
        Some((due, again.clamp(SOON, NAP)))
    }

    /// The certificate in the folder. What is there and is none is as if it were not; what cannot be read may be a good one, and is no
    /// reason to order another.
    fn leaf(&self) -> Result<Option<Leaf>, AcmeFailure> {
        let file: PathBuf = self.folder.certificate();
        match read_certificate(&file, &file) {
            Ok(pair) => Ok(pair.end_entity_cert().ok().and_then(|certificate| Leaf::read(certificate))),
            Err(
                CertificateError::Certificate { reason: FileError::Read(error), .. }
                | CertificateError::Key { reason: FileError::Read(error), .. },
            ) => {
                if error.kind() == io::ErrorKind::NotFound {
                    Ok(None)
                } else {
                    Err(error.into())
                }
            }
            Err(error) => {
                let error = plain(&error.to_string());
                tracing::warn!(error, "what lies in the folder is no certificate; another one is ordered");
                Ok(None)
            }
        }
    }
}

impl std::fmt::Debug for Acme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acme")
            .field("directory", &self.directory)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

/// A number from 0 to 1, so that not all servers come at the same moment.
fn share(clock: &Clock) -> f64 {
    f64::from(u32::from_be_bytes(clock.random())) / f64::from(u32::MAX)
}

/// What others wrote, made fit for one line of the log.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(1000).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_one_line() {
        assert_eq!(plain("a\nb\u{1b}[31mc"), "a b [31mc");
        assert_eq!(plain(&"é".repeat(5000)).chars().count(), 1000);
    }
}
