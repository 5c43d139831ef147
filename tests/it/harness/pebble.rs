//! Pebble, a certificate authority for tests, with a DNS server for which all names are here. Each has a loopback address of
//! its own, so that fixed ports do for everybody.

use std::net::{IpAddr, Ipv4Addr};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};

use super::folder::Folder;

pub(crate) struct Pebble {
    pub(crate) address: Ipv4Addr,
    folder: Folder,
    running: Vec<Child>,
}

impl Pebble {
    /// One that is down. `seconds` is how long its certificates will be valid.
    pub(crate) fn new(seconds: u64) -> Pebble {
        static COUNT: AtomicU8 = AtomicU8::new(1);
        let [.., high, low] = std::process::id().to_be_bytes();
        let address = Ipv4Addr::new(127, high, low, COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = Folder::new();
        let config = format!(
            r#"{{"pebble": {{"listenAddress": "{address}:14000", "managementListenAddress": "{address}:15000",
                "certificate": "pebble.pem", "privateKey": "pebble.key", "httpPort": 5002, "tlsPort": 5001,
                "certificateValidityPeriod": {seconds}}}}}"#
        );
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a folder");
        write("pebble.json", &config);
        let (ca, key) = (KeyPair::generate().expect("a key"), KeyPair::generate().expect("a key"));
        let mut above = CertificateParams::default();
        above.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        write("ca.pem", &above.self_signed(&ca).expect("a certificate").pem());
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(address))];
        let below = params.signed_by(&key, &Issuer::from_params(&above, &ca)).expect("a certificate");
        write("pebble.pem", &below.pem());
        write("pebble.key", &key.serialize_pem());
        Pebble { address, folder, running: Vec::new() }
    }

    /// The certificate to trust about its directory.
    pub(crate) fn ca(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("ca.pem")).expect("it was written")
    }

    /// Starts it. Whoever asks it tries until it listens.
    pub(crate) fn start(&mut self) {
        let at = |port: u16| format!("{}:{port}", self.address);
        let mut dns = Command::new("pebble-challtestsrv");
        dns.args(["-defaultIPv4", &self.address.to_string(), "-defaultIPv6", "", "-dns01", &at(8053)]);
        dns.args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-management", &at(8055)]);
        let mut pebble = Command::new("pebble");
        pebble.args(["-config", "pebble.json", "-dnsserver", &at(8053)]);
        // No rehearsal of slow and forgetful authorities: these tests are about us.
        pebble.envs([
            ("PEBBLE_VA_NOSLEEP", "1"),
            ("PEBBLE_WFE_NONCEREJECT", "0"),
            ("PEBBLE_AUTHZREUSE", "0"),
        ]);
        for mut command in [dns, pebble] {
            command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
            let child = command.stderr(Stdio::null()).spawn();
            self.running.push(child.expect("Debian's package `pebble` is installed"));
        }
    }

    pub(crate) fn stop(&mut self) {
        for mut child in self.running.drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        self.stop();
    }
}
