//! stub
use super::Contract;
/// stub
pub fn curl(_c: &Contract, url: &str) -> String {
    format!("curl {url}")
}
/// stub
pub fn describe(c: &Contract, _name: &str) -> String {
    c.title.clone()
}
