//! Web pages that may ask.

use http::HeaderValue;

use super::setting::{Raw, Setting, ValueError};

/// The origin of a web page as browsers write it (RFC 6454, section 6.2): `https://app.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebOrigin(String);

impl PartialEq<HeaderValue> for WebOrigin {
    fn eq(&self, header: &HeaderValue) -> bool {
        header.as_bytes() == self.0.as_bytes()
    }
}

impl WebOrigin {
    /// `None` for what no browser would write, so that an entry that can never match is no silent mistake.
    fn parse(text: &str) -> Option<WebOrigin> {
        let (scheme, authority) = text.split_once("://")?;
        let usual = match scheme {
            "https" => ":443",
            "http" => ":80",
            _ => return None,
        };
        let plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._:[]".contains(&byte);
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let good = !host.is_empty()
            && authority.bytes().all(plain)
            && (host.starts_with('[') || !host.contains(':'))
            && port.is_none_or(|port| port.parse::<u16>().is_ok())
            && !authority.ends_with(usual);
        good.then(|| WebOrigin(text.to_owned()))
    }
}

impl Setting for Vec<WebOrigin> {
    fn read(raw: Raw<'_>) -> Result<Vec<WebOrigin>, ValueError> {
        const LIST: &str = "a list of origins like \"https://app.example.com\"";
        const EXPECTED: &str = "an origin as browsers write it, like \"https://app.example.com\": scheme, host in lower \
                                case, port unless it is the usual one, and nothing else";
        raw.list(LIST, |item| {
            let text = item.text(EXPECTED)?.trim();
            WebOrigin::parse(text)
                .ok_or_else(|| ValueError::Not { expected: EXPECTED, found: text.to_owned() })
        })
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::Array(self.iter().map(|origin| toml::Value::String(origin.0.clone())).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_in_one_way_only() {
        for good in
            ["https://app.example.com", "http://localhost:3000", "https://[2001:db8::1]:8443", "http://[::1]"]
        {
            assert!(WebOrigin::parse(good).is_some(), "{good}");
        }
        for bad in [
            "*",
            "null",
            "",
            "app.example.com",
            "https://",
            "https://a.example/",
            "https://a.example/x",
            "https://A.example",
            "https://*.example",
            "https://a.example:443",
            "http://a.example:80",
            "https://a:b:1",
            "https://a.example:99999",
            "ftp://a.example",
            "https://user@a.example",
            "https://a.example?x",
        ] {
            assert!(WebOrigin::parse(bad).is_none(), "{bad}");
        }
    }
}
