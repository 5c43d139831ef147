//! How a certificate authority sees that a name is ours (ACME): by a text that plain HTTP answers with (http-01, RFC 8555,
//! section 8.3), or by a certificate that is shown in a handshake (tls-alpn-01, RFC 8737).
//!
//! What is shown lies in a folder that only this server's processes can read, so that each of them can show it,
//! whichever has ordered. Files are named by values that have no room for a path.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::sign::CertifiedKey;

use super::certificate;

/// Longer than any token in use: they are 43 letters of base64url at Let's Encrypt.
const TOKEN_BYTES: usize = 128;

/// The challenges that are open. Clones share them.
#[derive(Clone, Debug)]
pub struct Challenges {
    folder: PathBuf,
    names: Arc<[String]>,
}

impl Challenges {
    /// Those in this folder, about these names in lower case.
    pub fn new(folder: PathBuf, names: Arc<[String]>) -> Challenges {
        Challenges { folder, names }
    }

    /// The folder.
    pub fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// Where the answer for a token of http-01 lies; `None` for what is no token.
    pub fn token_file(&self, token: &str) -> Option<PathBuf> {
        let base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let is_token = (1..=TOKEN_BYTES).contains(&token.len()) && token.bytes().all(base64url);
        is_token.then(|| self.folder.join(format!("http-01.{token}")))
    }

    /// Where the certificate of tls-alpn-01 and its key lie for a name; `None` for a name that is not ours.
    pub fn name_file(&self, name: &str) -> Option<PathBuf> {
        let ours = self.names.iter().find(|ours| ours.eq_ignore_ascii_case(name))?;
        Some(self.folder.join(format!("tls-alpn-01.{ours}.pem")))
    }

    /// What http-01 answers for a token.
    pub(super) fn answer(&self, token: &str) -> Option<String> {
        fs::read_to_string(self.token_file(token)?).ok()
    }

    /// What tls-alpn-01 shows for a name. It reads a small file, also where others wait; nobody can ask for any but the
    /// few that are ours.
    pub(super) fn certificate(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let file = self.name_file(name)?;
        // Its extension is critical and strange to webpki (RFC 8737, section 3); we have made both ourselves.
        certificate::read_unchecked(&file, &file).ok().map(Arc::new)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn challenges() -> Challenges {
        Challenges::new(PathBuf::from("/state/challenges"), ["a.example".to_owned()].into())
    }

    proptest! {
        #[test]
        fn no_file_lies_outside_of_the_folder(text in ".{0,140}|[./a-z]{0,12}") {
            let challenges = challenges();
            for file in [challenges.token_file(&text), challenges.name_file(&text)].into_iter().flatten() {
                prop_assert_eq!(file.parent(), Some(challenges.folder()));
            }
        }
    }

    #[test]
    fn only_tokens_and_names_of_ours_have_files() {
        let longest = "a".repeat(TOKEN_BYTES);
        for token in ["evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr_oA", &longest] {
            assert!(challenges().token_file(token).is_some(), "{token}");
        }
        for text in ["", "..", "../account.json", "a/b", "a.b", "a%2fb", "a\0", "é", &format!("{longest}a")]
        {
            assert_eq!(challenges().token_file(text), None, "{text:?}");
        }
        assert_eq!(challenges().name_file("A.example"), challenges().name_file("a.example"));
        assert_eq!(challenges().name_file("b.example"), None);
    }
}
