//! What a certificate says about itself, and when it should be replaced.

use instant_acme::CertificateIdentifier;
use rustls::pki_types::Der;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, SubjectAltName};

/// What a certificate says. Times are in seconds of Unix time.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    /// Valid from.
    begin: i64,
    /// Valid until.
    end: i64,
    /// The names it is for.
    names: Vec<String>,
    /// What its authority calls it when asked about its renewal (RFC 9773, section 4.1).
    pub(super) id: Option<CertificateIdentifier<'static>>,
    /// From 0 to 1, so that not all servers come at the same moment. It is made of the serial number, which authorities
    /// draw at random: whoever looks at the certificate, and however often, comes to the same moment.
    spread: f64,
}

impl Leaf {
    /// Reads a certificate in DER form; `None` when it is not understood.
    pub(super) fn read(der: &[u8]) -> Option<Leaf> {
        let certificate = Certificate::from_der(der).ok()?.tbs_certificate;
        let seconds = |time: x509_cert::time::Time| i64::try_from(time.to_unix_duration().as_secs()).ok();
        let names = certificate.get::<SubjectAltName>().ok()?.map(|(_, names)| names.0).unwrap_or_default();
        let dns = |name: GeneralName| match name {
            GeneralName::DnsName(name) => Some(name.as_str().to_ascii_lowercase()),
            _ => None,
        };
        let authority =
            certificate.get::<AuthorityKeyIdentifier>().ok()?.and_then(|(_, id)| id.key_identifier);
        let serial = certificate.serial_number.as_bytes();
        Some(Leaf {
            begin: seconds(certificate.validity.not_before)?,
            end: seconds(certificate.validity.not_after)?,
            spread: spread(serial),
            names: names.into_iter().filter_map(dns).collect(),
            id: authority.map(|authority| {
                CertificateIdentifier::new(Der::from(authority.as_bytes()), Der::from(serial)).into_owned()
            }),
        })
    }

    /// Whether it is for all these names.
    pub(super) fn covers(&self, names: &[String]) -> bool {
        names.iter().all(|name| self.names.contains(name))
    }

    /// Whether it has expired at `now`.
    pub(super) fn has_expired(&self, now: i64) -> bool {
        self.end <= now
    }

    /// When to replace it if its authority has no opinion: when two thirds of its time are over, or up to a thirtieth of
    /// it earlier.
    pub(super) fn due(&self) -> i64 {
        let length = self.length();
        self.begin + length / 3 * 2 - (length as f64 / 30.0 * self.spread) as i64
    }

    /// When to replace it if its authority suggests a time from `start` to `end` (RFC 9773, section 4.2); `None` for a
    /// suggestion that cannot be meant: one that ends before it begins, or when the certificate has expired. A tenth of
    /// its time is kept for tries that fail.
    pub(super) fn due_within(&self, start: i64, end: i64) -> Option<i64> {
        if end <= start || end > self.end {
            return None;
        }
        let chosen = start.saturating_add((end.saturating_sub(start) as f64 * self.spread) as i64);
        Some(chosen.min(self.end - self.length() / 10))
    }

    /// For how long it is valid as a whole, in seconds.
    pub(super) fn length(&self) -> i64 {
        self.end.saturating_sub(self.begin).max(0)
    }
}

fn spread(serial: &[u8]) -> f64 {
    let last = serial.last_chunk().map_or(0, |last| u32::from_be_bytes(*last));
    f64::from(last) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, Issuer, KeyIdMethod, KeyPair, SerialNumber, date_time_ymd};

    use super::*;

    fn leaf(change: impl FnOnce(&mut CertificateParams)) -> Leaf {
        // Key identifier and serial number are those of the example in RFC 9773, section 4.1.
        const AUTHORITY: [u8; 20] = [
            0x69, 0x88, 0x5b, 0x6b, 0x87, 0x46, 0x40, 0x41, 0xe1, 0xb3, 0x7b, 0x84, 0x7b, 0xa0, 0xae, 0x2c,
            0xde, 0x01, 0xc8, 0xd4,
        ];
        let key = KeyPair::generate().unwrap();
        let mut above = CertificateParams::default();
        above.key_identifier_method = KeyIdMethod::PreSpecified(AUTHORITY.to_vec());
        let issuer = Issuer::from_params(&above, &key);
        let mut params =
            CertificateParams::new(vec!["a.example".to_owned(), "b.example".to_owned()]).unwrap();
        params.serial_number = Some(SerialNumber::from_slice(&[0x87, 0x65, 0x43, 0x21]));
        params.use_authority_key_identifier_extension = true;
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2026, 4, 1);
        change(&mut params);
        Leaf::read(params.signed_by(&key, &issuer).unwrap().der()).unwrap()
    }

    #[test]
    fn a_certificate_is_called_what_the_rfc_calls_it() {
        let id = leaf(|_| ()).id.expect("an authority's key");
        assert_eq!(id.to_string(), "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
    }

    #[test]
    fn it_is_due_after_two_thirds_or_a_little_earlier() {
        const DAY: i64 = 86_400;
        let leaf = leaf(|_| ());
        assert_eq!(leaf.length(), 90 * DAY);
        let due = |spread| Leaf { spread, ..leaf.clone() }.due() - leaf.begin;
        assert_eq!((due(0.0), due(1.0)), (60 * DAY, 57 * DAY));
        assert!(!leaf.has_expired(leaf.end - 1) && leaf.has_expired(leaf.end));
    }

    #[test]
    fn a_suggestion_is_followed_where_it_can_be_meant() {
        const DAY: i64 = 86_400;
        let leaf = leaf(|_| ());
        let due = |spread, start, end| {
            let leaf = Leaf { spread, ..leaf.clone() };
            leaf.due_within(leaf.begin + start, leaf.begin + end).map(|due| due - leaf.begin)
        };
        assert_eq!((due(0.0, DAY, 3 * DAY), due(1.0, DAY, 3 * DAY)), (Some(DAY), Some(3 * DAY)));
        assert_eq!(due(0.5, -4 * DAY, -2 * DAY), Some(-3 * DAY), "at once, also before it was valid");
        assert_eq!(due(0.5, 88 * DAY, 90 * DAY), Some(81 * DAY), "there is time for tries that fail");
        for (start, end) in [(3 * DAY, DAY), (DAY, DAY), (89 * DAY, 91 * DAY), (900 * DAY, 902 * DAY)] {
            assert_eq!(due(0.5, start, end), None, "{start} to {end}");
        }
        assert_eq!(leaf.due_within(i64::MAX, i64::MIN), None);
        assert!(leaf.due_within(i64::MIN, leaf.end).is_some());
    }

    #[test]
    fn certificates_with_other_serial_numbers_have_other_moments() {
        assert_eq!((spread(&[0; 16]), spread(&[0xff; 16]), spread(&[1])), (0.0, 1.0, 0.0));
        let drawn = leaf(|params| params.serial_number = Some(SerialNumber::from_slice(&[7, 0x80, 0, 0, 0])));
        assert!((0.5..0.51).contains(&drawn.spread), "{}", drawn.spread);
    }

    #[test]
    fn every_name_must_be_in_it() {
        let leaf = leaf(|_| ());
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert!(leaf.covers(&names(&["b.example", "a.example"])) && leaf.covers(&names(&["a.example"])));
        assert!(!leaf.covers(&names(&["a.example", "c.example"])));
        assert!(Leaf::read(b"nothing").is_none());
    }
}
