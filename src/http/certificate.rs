//! A certificate and its private key, as two files in PEM form.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{Error as RustlsError, InconsistentKeys};

/// Why two files are no certificate with its key.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The file of the certificate.
    #[error("names the file {}, which {reason}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: FileError,
    },
    /// The file of the key.
    #[error("names the file {}, which {reason}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: FileError,
    },
    /// Both are good, but not for each other.
    #[error("is not the key of the certificate in {}", certificate.display())]
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
    },
}

/// What is wrong with one of the files.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Read(io::Error),
    /// It is not what it should be.
    #[error("holds no {0} in PEM form")]
    Lacks(&'static str),
    /// It is broken.
    #[error("is not PEM: {0}")]
    Pem(pem::Error),
    /// It is of a kind that cannot be used.
    #[error("cannot be used: {0}")]
    Unusable(RustlsError),
}

impl CertificateError {
    /// Whether it may be otherwise the next time without anybody's doing: the system could not read a file.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            CertificateError::Certificate { reason: FileError::Read(_), .. }
                | CertificateError::Key { reason: FileError::Read(_), .. }
        )
    }

    /// Whether the key is at fault, or else the certificate.
    pub fn is_about_the_key(&self) -> bool {
        !matches!(self, CertificateError::Certificate { .. })
    }

    /// What to do about it, when that can be told.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            CertificateError::Mismatch { .. } => Some(
                "the first certificate in the file must be the server's own; name the key it was made with",
            ),
            CertificateError::Certificate { reason: FileError::Lacks(_), .. } => {
                Some("it begins with -----BEGIN CERTIFICATE-----")
            }
            CertificateError::Key { reason: FileError::Lacks(_), .. } => {
                Some("it begins with -----BEGIN PRIVATE KEY-----, and must not be encrypted")
            }
            _ => None,
        }
    }
}

/// Reads a chain of certificates (the server's own first) and the key that belongs to it. Both may be in one file.
///
/// # Errors
/// Every [`CertificateError`].
pub fn read(certificate: &Path, key: &Path) -> Result<Arc<CertifiedKey>, CertificateError> {
    let about_certificate = |reason| CertificateError::Certificate { path: certificate.to_owned(), reason };
    let pair = read_unchecked(certificate, key)?;
    match pair.keys_match() {
        Ok(()) => Ok(Arc::new(pair)),
        Err(RustlsError::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(CertificateError::Mismatch { certificate: certificate.to_owned() })
        }
        Err(error) => Err(about_certificate(FileError::Unusable(error))),
    }
}

/// The same without asking whether the two belong together, which webpki cannot tell of a certificate with a critical
/// extension that it does not know.
pub(super) fn read_unchecked(certificate: &Path, key: &Path) -> Result<CertifiedKey, CertificateError> {
    let about_certificate = |reason| CertificateError::Certificate { path: certificate.to_owned(), reason };
    let about_key = |reason| CertificateError::Key { path: key.to_owned(), reason };
    let chain = chain(certificate).map_err(about_certificate)?;
    let text =
        zeroize::Zeroizing::new(std::fs::read(key).map_err(|error| about_key(FileError::Read(error)))?);
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        about_key(match error {
            pem::Error::NoItemsFound => FileError::Lacks("private key"),
            error => FileError::Pem(error),
        })
    })?;
    let provider = aws_lc_rs::default_provider();
    let key = provider.key_provider.load_private_key(key);
    Ok(CertifiedKey::new(chain, key.map_err(|error| about_key(FileError::Unusable(error)))?))
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let text = std::fs::read(path).map_err(FileError::Read)?;
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(&text).collect::<Result<_, _>>().map_err(FileError::Pem)?;
    if chain.is_empty() { Err(FileError::Lacks("certificate")) } else { Ok(chain) }
}

/// When a certificate ceases to be valid, in seconds of Unix time; `None` when that is not known.
///
/// webpki shows no dates, but names them when it refuses a certificate for one; so it is asked about the last second
/// of the year 9999. That spares a second reader of X.509.
pub(super) fn expiry(pair: &CertifiedKey) -> Option<u64> {
    const LAST: Duration = Duration::from_secs(253_402_300_799);
    let leaf = webpki::EndEntityCert::try_from(pair.end_entity_cert().ok()?).ok()?;
    let usage = webpki::KeyUsage::server_auth();
    let judged = leaf.verify_for_usage(&[], &[], &[], UnixTime::since_unix_epoch(LAST), usage, None, None);
    match judged.err()? {
        webpki::Error::CertExpired { not_after, .. } => Some(not_after.as_secs()),
        _ => None,
    }
}
