//! Who stands in front of the server.

use super::setting::{Raw, Setting, ValueError};
use crate::network::Network;

const LIST: &str = "a list of addresses and networks like \"10.0.0.0/8\"";

impl Setting for Vec<Network> {
    fn read(raw: Raw<'_>) -> Result<Vec<Network>, ValueError> {
        raw.list(LIST, |item| {
            let text = item.text("an address or a network like \"10.0.0.0/8\"")?.trim();
            text.parse().map_err(|error| ValueError::Network { found: text.to_owned(), error })
        })
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::Array(self.iter().map(|net| toml::Value::String(net.to_string())).collect()))
    }
}
