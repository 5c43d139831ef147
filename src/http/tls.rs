//! TLS 1.2 and 1.3 (RFC 8446), with a certificate that can be replaced while the server runs.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use super::acme_challenge::Challenges;
use super::certificate::{self, CertificateError};

/// What is spoken above TLS (RFC 7301), the preferred first.
pub(super) const HTTP_2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";
/// Not a protocol, but the question of a certificate authority (RFC 8737): nothing is spoken above it.
pub(super) const ACME: &[u8] = b"acme-tls/1";

/// What makes a listener speak TLS. Clones share one certificate.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    certificate: Arc<Certificate>,
}

/// The certificate in use.
#[derive(Debug)]
struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    /// `None` as long as none has been obtained.
    pair: RwLock<Option<Arc<CertifiedKey>>>,
    /// What certificate authorities are shown, if they ask here.
    challenges: Option<Challenges>,
}

impl Tls {
    /// Reads a certificate (its whole chain, in PEM form) and its private key.
    ///
    /// # Errors
    /// Every [`CertificateError`].
    pub fn load(chain: PathBuf, key: PathBuf) -> Result<Tls, CertificateError> {
        let pair = RwLock::new(Some(certificate::read(&chain, &key)?));
        Ok(Tls::with(Certificate { chain, key, pair, challenges: None }))
    }

    /// A certificate that may yet have to be obtained: it and its key stand in one file. Without it no handshake
    /// succeeds but those of a certificate authority that asks for one of the `challenges`.
    pub fn obtained(file: PathBuf, challenges: Option<Challenges>) -> Tls {
        let pair = RwLock::new(certificate::read(&file, &file).ok());
        Tls::with(Certificate { chain: file.clone(), key: file, pair, challenges })
    }

    fn with(certificate: Certificate) -> Tls {
        let certificate = Arc::new(certificate);
        // Every suite and group of this provider is a modern one: AEAD ciphers and forward secrecy only.
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .expect("the provider has suites for both versions");
        let mut config = builder.with_no_client_auth().with_cert_resolver(certificate.clone());
        config.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1.to_vec()];
        // Ours is the order of strength. All suites are good ones; scanners ask for it all the same.
        config.ignore_client_order = true;
        if certificate.challenges.is_some() {
            config.alpn_protocols.push(ACME.to_vec());
        }
        // Sessions are kept by the clients, sealed, so that they cost no memory here.
        match aws_lc_rs::Ticketer::new() {
            Ok(ticketer) => config.ticketer = ticketer,
            Err(error) => tracing::warn!(%error, "TLS sessions cannot be resumed"),
        }
        Tls { acceptor: TlsAcceptor::from(Arc::new(config)), certificate }
    }

    /// Reads both files again. Connections that begin from now on are shown the new certificate.
    ///
    /// # Errors
    /// Every [`CertificateError`]; the old certificate stays in use.
    pub fn reload(&self) -> Result<(), CertificateError> {
        let new = certificate::read(&self.certificate.chain, &self.certificate.key)?;
        *self.certificate.pair.write().unwrap_or_else(PoisonError::into_inner) = Some(new);
        Ok(())
    }

    /// The files of the certificate and of its key.
    pub fn files(&self) -> [PathBuf; 2] {
        [self.certificate.chain.clone(), self.certificate.key.clone()]
    }

    /// What somebody should know about a certificate that has expired, or soon will. `now` is in seconds of Unix time.
    pub fn warning(&self, now: u64) -> Option<String> {
        const DAY: u64 = 86_400;
        const SOON: u64 = 14 * DAY;
        let file = self.certificate.chain.display();
        let expiry = self.expiry()?;
        let date = jiff::Timestamp::from_second(i64::try_from(expiry).ok()?).ok()?;
        match expiry.checked_sub(now) {
            None => Some(format!("the certificate in {file} expired at {date}; clients will refuse it")),
            Some(left) if left < SOON => {
                Some(format!("the certificate in {file} expires at {date}, in {} days", left / DAY))
            }
            Some(_) => None,
        }
    }

    /// When the certificate in use ceases to be valid, in seconds of Unix time; `None` without one.
    pub fn expiry(&self) -> Option<u64> {
        certificate::expiry(&*self.certificate.pair()?)
    }

    pub(super) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("chain", &self.certificate.chain).finish_non_exhaustive()
    }
}

impl Certificate {
    fn pair(&self) -> Option<Arc<CertifiedKey>> {
        self.pair.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // RFC 8737, section 3: an authority offers this one protocol and no other.
        if hello.alpn().is_some_and(|offered| offered.eq([ACME])) {
            return self.challenges.as_ref()?.certificate(hello.server_name()?);
        }
        self.pair()
    }
}
