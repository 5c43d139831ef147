//! The contracts that come with Vestibule.

use super::Contract;
use super::load::{Loaded, load_rehearsed};

/// A shipped contract file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shipped {
    /// The name by which it is asked for.
    pub name: &'static str,
    /// The file's text.
    pub text: &'static str,
}

impl Shipped {
    /// Reads and proves it. Its dry run is a test's: the text is the program's own, and the result would be the same at
    /// every start, which it made three times as long.
    pub fn load(&self) -> Loaded {
        load_rehearsed(self.text)
    }
}

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        /// All of them, in the order in which they are listed.
        pub const SHIPPED: &[Shipped] =
            &[$(Shipped { name: $name, text: include_str!(concat!("../../contracts/", $name, ".toml")) }),*];
    };
}

shipped!["standard", "knex", "flask", "express", "mongoose", "envelope"];

/// The shipped contract of this name, read and proved.
pub fn shipped(name: &str) -> Option<Contract> {
    let shipped = SHIPPED.iter().find(|s| s.name == name)?;
    shipped.load().contract
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::load;

    #[test]
    fn every_shipped_contract_loads_and_its_dry_run_finds_nothing() {
        for shipped in SHIPPED {
            let loaded = load(shipped.text);
            let shown = crate::contract::render(shipped.name, shipped.text, &loaded.complaints, false);
            assert!(loaded.contract.is_some(), "{shown}");
            let titles = |loaded: &Loaded| -> Vec<String> {
                loaded.complaints.iter().map(|complaint| complaint.title.clone()).collect()
            };
            assert_eq!(titles(&loaded), titles(&shipped.load()), "{shown}");
        }
    }
}
