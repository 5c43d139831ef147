//! What can go wrong with a certificate authority, and with what is kept of it.

use std::io;

/// Why there is no new certificate.
#[derive(Debug, thiserror::Error)]
pub enum AcmeFailure {
    /// The authority says no.
    #[error("the certificate authority refuses: {0}")]
    Refused(String),
    /// The authority cannot be talked with.
    #[error("the certificate authority cannot be asked: {0}")]
    Unreachable(instant_acme::Error),
    /// What it sent is no certificate for us.
    #[error("the certificate authority sent a certificate of no use: {0}")]
    Useless(String),
    /// It went on for too long.
    #[error("the certificate authority takes too long")]
    Slow,
    /// The folder.
    #[error("the folder acme.folder: {0}")]
    Folder(#[from] io::Error),
    /// The account in it.
    #[error(
        "account.json in acme.folder is not what was written there; without it there will be a new account"
    )]
    Account,
    /// Keys and requests.
    #[error("no key or request can be made: {0}")]
    Key(#[from] rcgen::Error),
}

impl From<instant_acme::Error> for AcmeFailure {
    fn from(error: instant_acme::Error) -> AcmeFailure {
        match error {
            instant_acme::Error::Api(problem) => AcmeFailure::Refused(problem.to_string()),
            error => AcmeFailure::Unreachable(error),
        }
    }
}
