//! The contracts that come with Vestibule.

use super::{Contract, load};

/// A shipped contract file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shipped {
    /// The name by which it is asked for.
    pub name: &'static str,
    /// The file's text.
    pub text: &'static str,
}

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        /// All of them, in the order in which they are listed.
        pub const SHIPPED: &[Shipped] =
            &[$(Shipped { name: $name, text: include_str!(concat!("../../contracts/", $name, ".toml")) }),*];
    };
}

shipped!["knex", "flask", "express", "mongoose", "envelope"];

/// The shipped contract of this name, read and proved.
pub fn shipped(name: &str) -> Option<Contract> {
    let shipped = SHIPPED.iter().find(|s| s.name == name)?;
    load(shipped.text).contract
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_contract_loads() {
        for shipped in SHIPPED {
            let loaded = load(shipped.text);
            let shown = crate::contract::render(shipped.name, shipped.text, &loaded.complaints, false);
            assert!(loaded.contract.is_some(), "{shown}");
        }
    }
}
