//! Pebble, a certificate authority for tests, with a DNS server for which all names are here. Each has a loopback address of
//! its own, so that fixed ports do for everybody.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};

use super::folder::Folder;
use super::process::GUARD;

const DNS_PORT: u16 = 8053;

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
        self.file("ca.pem")
    }

    /// What is in a file of its folder.
    pub(crate) fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).expect("it was written")
    }

    /// Starts it, and before it the DNS server: a name that cannot be looked up is a refusal, after which nobody comes back
    /// soon. Pebble itself is tried by whoever asks until it listens.
    pub(crate) fn start(&mut self) {
        let at = |port: u16| format!("{}:{port}", self.address);
        let mut dns = Command::new("pebble-challtestsrv");
        dns.args(["-defaultIPv4", &self.address.to_string(), "-defaultIPv6", "", "-dns01", &at(DNS_PORT)]);
        dns.args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-management", &at(8055)]);
        let mut pebble = Command::new("pebble");
        pebble.args(["-config", "pebble.json", "-dnsserver", &at(DNS_PORT)]);
        // No rehearsal of slow and forgetful authorities: these tests are about us.
        pebble.envs([
            ("PEBBLE_VA_NOSLEEP", "1"),
            ("PEBBLE_WFE_NONCEREJECT", "0"),
            ("PEBBLE_AUTHZREUSE", "0"),
        ]);
        self.spawn(dns);
        self.wait_for_dns();
        self.spawn(pebble);
    }

    fn spawn(&mut self, mut command: Command) {
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.stderr(Stdio::null()).spawn();
        self.running.push(child.expect("Debian's package `pebble` is installed"));
    }

    /// Asks for the address of a name until there is an answer.
    fn wait_for_dns(&self) {
        // RFC 1035, section 4: one question for `a.example`, type A, class IN.
        const QUESTION: &[u8] =
            b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x07example\x00\x00\x01\x00\x01";
        let socket = UdpSocket::bind((self.address, 0)).expect("a port");
        socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a socket");
        let (begun, mut answer) = (Instant::now(), [0; 512]);
        loop {
            // Nobody may listen yet.
            let _ = socket.send_to(QUESTION, (self.address, DNS_PORT));
            if socket.recv(&mut answer).is_ok_and(|length| length > QUESTION.len())
                && answer[..2] == QUESTION[..2]
            {
                return;
            }
            assert!(begun.elapsed() < GUARD, "the DNS server does not answer");
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
