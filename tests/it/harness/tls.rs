//! Certificates made on the spot, and clients that trust them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme, SupportedProtocolVersion,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
pub(crate) use tokio_rustls::client::TlsStream;

use super::process::GUARD;

/// A certificate for `localhost` that vouches for itself, and its key, in PEM form.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Pair {
    pub(crate) fn new() -> Pair {
        Pair::with(|_| ())
    }

    pub(crate) fn with(change: impl FnOnce(&mut CertificateParams)) -> Pair {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        Pair { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// Writes both files, `certificate.pem` and `key.pem`.
    pub(crate) fn write(&self, folder: &Path) {
        for (name, text) in [("certificate.pem", &self.certificate), ("key.pem", &self.key)] {
            // Replaced in one step, as a careful operator does it.
            let new = folder.join(format!("{name}.new"));
            std::fs::write(&new, text).expect("the folder can be written");
            std::fs::rename(new, folder.join(name)).expect("the file can be replaced");
        }
    }

    /// Connects, trusts nobody but this certificate, and offers these protocols.
    pub(crate) async fn connect(
        &self,
        address: SocketAddr,
        protocols: &[&str],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        self.connect_with(address, protocols, rustls::ALL_VERSIONS).await
    }

    pub(crate) async fn connect_with(
        &self,
        address: SocketAddr,
        protocols: &[&str],
        versions: &[&'static SupportedProtocolVersion],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        self.connect_as(address, protocols, versions, aws_lc_rs::default_provider()).await
    }

    /// The same by a client with suites of its own choice.
    pub(crate) async fn connect_as(
        &self,
        address: SocketAddr,
        protocols: &[&str],
        versions: &[&'static SupportedProtocolVersion],
        provider: CryptoProvider,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes()).expect("PEM");
        roots.add(certificate).expect("a certificate");
        let builder =
            ClientConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(versions);
        let mut config = builder.expect("known versions").with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").expect("a name");
        let connected = TlsConnector::from(Arc::new(config)).connect(name, stream);
        tokio::time::timeout(GUARD, connected).await.expect("a handshake in time")
    }
}

/// Connects as somebody who believes any certificate, as a certificate authority does.
pub(crate) async fn connect_to_anybody(
    address: SocketAddr,
    name: &str,
    protocols: &[&str],
    version: &'static SupportedProtocolVersion,
) -> std::io::Result<TlsStream<TcpStream>> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_protocol_versions(&[version]).expect("a known version");
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody));
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream);
    tokio::time::timeout(GUARD, connected).await.expect("a handshake in time")
}

#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
