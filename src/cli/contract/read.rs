//! The contract that an argument names.

use anyhow::anyhow;

use crate::cli::{Caller, Failure};
use crate::contract::{self, Contract, Level, SHIPPED, Shipped};

/// A shipped contract by name, or a file; a broken one is refused with all its mistakes.
pub(super) fn read(name_or_file: &str, caller: &Caller) -> anyhow::Result<(String, Contract)> {
    let shipped = SHIPPED.iter().find(|s| s.name == name_or_file);
    let text = match shipped {
        Some(shipped) => shipped.text.to_owned(),
        None => std::fs::read_to_string(name_or_file).map_err(|error| {
            let names = SHIPPED.iter().map(|s| s.name).collect::<Vec<_>>().join(", ");
            Failure::refused(anyhow!(
                "{name_or_file} is neither a shipped contract ({names}) nor a file: {error}"
            ))
        })?,
    };
    let loaded = shipped.map_or_else(|| contract::load(&text), Shipped::load);
    let errors: Vec<_> = loaded.complaints.iter().filter(|c| c.level == Level::Error).cloned().collect();
    let name =
        std::path::Path::new(name_or_file).file_stem().map_or(name_or_file.into(), |s| s.to_string_lossy());
    loaded.contract.map(|contract| (name.into_owned(), contract)).ok_or_else(|| {
        let report = contract::render(name_or_file, &text, &errors, caller.colour);
        Failure::Report(report.trim_end().to_owned()).into()
    })
}
