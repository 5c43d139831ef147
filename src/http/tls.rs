//! TLS 1.2 and 1.3 (RFC 8446), with a certificate that can be replaced while the server runs.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use super::certificate::{self, CertificateError};

/// What is spoken above TLS (RFC 7301), the preferred first.
pub(super) const HTTP_2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";

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
    pair: RwLock<Arc<CertifiedKey>>,
}

impl Tls {
    /// Reads a certificate (its whole chain, in PEM form) and its private key.
    ///
    /// # Errors
    /// Every [`CertificateError`].
    pub fn load(chain: PathBuf, key: PathBuf) -> Result<Tls, CertificateError> {
        let pair = RwLock::new(certificate::read(&chain, &key)?);
        let certificate = Arc::new(Certificate { chain, key, pair });
        // Every suite and group of this provider is a modern one: AEAD ciphers and forward secrecy only.
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .expect("the provider has suites for both versions");
        let mut config = builder.with_no_client_auth().with_cert_resolver(certificate.clone());
        config.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1.to_vec()];
        // Ours is the order of strength. All suites are good ones; scanners ask for it all the same.
        config.ignore_client_order = true;
        // Sessions are kept by the clients, sealed, so that they cost no memory here.
        if let Ok(ticketer) = aws_lc_rs::Ticketer::new() {
            config.ticketer = ticketer;
        }
        Ok(Tls { acceptor: TlsAcceptor::from(Arc::new(config)), certificate })
    }

    /// Reads both files again. Connections that begin from now on are shown the new certificate.
    ///
    /// # Errors
    /// Every [`CertificateError`]; the old certificate stays in use.
    pub fn reload(&self) -> Result<(), CertificateError> {
        let new = certificate::read(&self.certificate.chain, &self.certificate.key)?;
        *self.certificate.pair.write().unwrap_or_else(PoisonError::into_inner) = new;
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
        let expiry = certificate::expiry(&self.certificate.pair())?;
        let date = jiff::Timestamp::from_second(i64::try_from(expiry).ok()?).ok()?;
        match expiry.checked_sub(now) {
            None => Some(format!("the certificate in {file} expired at {date}; clients will refuse it")),
            Some(left) if left < SOON => {
                Some(format!("the certificate in {file} expires at {date}, in {} days", left / DAY))
            }
            Some(_) => None,
        }
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
    fn pair(&self) -> Arc<CertifiedKey> {
        self.pair.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.pair())
    }
}
