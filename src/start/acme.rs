//! What can be known about the `acme.` settings before an authority is asked.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::check::Check;
use crate::acme::Acme;
use crate::config::{self, Challenge};

impl Check<'_> {
    pub(super) fn acme(&mut self) -> Option<Acme> {
        let config = &self.loaded.config;
        let acme = &config.acme;
        if acme.domains.is_empty() {
            return None;
        }
        if config.tls.certificate.is_some() || config.tls.key.is_some() {
            let hint = "remove `tls.certificate` and `tls.key`, or `acme.domains`".to_owned();
            self.refuse("acme.domains", "asks for a certificate, but one is given in `tls`", Some(hint));
        }
        if !acme.accept_terms {
            let hint =
                format!("read the terms that {} names, then set `acme.accept_terms = true`", acme.directory);
            self.refuse(
                "acme.accept_terms",
                "must be true before a certificate authority is asked",
                Some(hint),
            );
        }
        if acme.folder.is_none() {
            let hint =
                "set it to a folder that outlives the server, such as \"/var/lib/vestibule/acme\"".to_owned();
            self.refuse("acme.folder", "is missing: keys and certificates must be kept", Some(hint));
        }
        if acme.challenge == Challenge::Http01 && config.tls.redirect_listen.is_none() {
            let hint = "set `tls.redirect_listen`, such as \"0.0.0.0:80\", and `base_url`".to_owned();
            self.refuse("acme.challenge", "is http-01, but nothing listens for plain HTTP", Some(hint));
        }
        if acme.challenge == Challenge::TlsAlpn01 && config.proxy_protocol {
            let hint = "have the proxy pass TLS through, or use http-01".to_owned();
            self.warnings.push(format!("acme.challenge is tls-alpn-01 behind a proxy: {hint}"));
        }
        let roots = self.roots(acme)?;
        Acme::new(acme, roots)
    }

    /// Whom to trust about the directory.
    fn roots(&mut self, acme: &config::Acme) -> Option<RootCertStore> {
        let mut roots = RootCertStore::empty();
        let Some(file) = &acme.ca else {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                let hint = "install the system's certificates (ca-certificates), or set `acme.ca`".to_owned();
                let why: String = found.errors.iter().map(|error| format!(" ({error})")).collect();
                let reason = format!("cannot be trusted: this system has no certificates{why}");
                self.refuse("acme.directory", reason, Some(hint));
            }
            return Some(roots);
        };
        let read = CertificateDer::pem_file_iter(file)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| format!("cannot be read: {error}"))
            .and_then(|found| match found.is_empty() {
                true => Err("holds no certificate in PEM form".to_owned()),
                false => found
                    .into_iter()
                    .try_for_each(|one| roots.add(one))
                    .map_err(|e| format!("cannot be used: {e}")),
            });
        if let Err(reason) = read {
            let hint = "it begins with -----BEGIN CERTIFICATE-----".to_owned();
            self.refuse("acme.ca", format!("names the file {}, which {reason}", file.display()), Some(hint));
            return None;
        }
        Some(roots)
    }
}
