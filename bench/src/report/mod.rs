//! From results to tables in Markdown and charts in SVG.

mod charts;
mod tables;

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::Value;

/// Whose results, and where to.
#[derive(clap::Args)]
pub struct ReportArgs {
    /// Results of `suite`; of a section that stands in several, the last counts
    #[arg(required = true)]
    results: Vec<PathBuf>,
    /// A document to write into, between its markers, with the charts in a folder of its name beside it
    #[arg(long)]
    write: Option<PathBuf>,
}

/// What stands in the document around the generated part.
const BEGIN: &str = "<!-- results: written by `vestibule-bench report` -->";
const END: &str = "<!-- end of results -->";

/// A section with the result that it is from.
pub struct Found<'r> {
    pub section: &'r Value,
    pub result: &'r Value,
}

/// All that was measured.
pub struct Results {
    files: Vec<Value>,
}

impl Results {
    fn read(paths: &[PathBuf]) -> anyhow::Result<Results> {
        let read = |path: &PathBuf| {
            let text =
                std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
            serde_json::from_str(&text).with_context(|| format!("{} is not a result", path.display()))
        };
        Ok(Results { files: paths.iter().map(read).collect::<anyhow::Result<_>>()? })
    }

    /// The last measurement of a section.
    pub fn section(&self, name: &str) -> Option<Found<'_>> {
        self.files.iter().rev().find_map(|result| {
            let section = result.pointer(&format!("/sections/{name}"))?;
            Some(Found { section, result })
        })
    }
}

pub fn run(args: &ReportArgs) -> anyhow::Result<()> {
    let results = Results::read(&args.results)?;
    let Some(document) = &args.write else {
        println!("{}", tables::all(&results, |_| String::new()));
        return Ok(());
    };
    let folder = document.with_extension("");
    std::fs::create_dir_all(&folder).context("the folder of the charts")?;
    let charts = charts::all(&results);
    for (name, svg) in &charts {
        std::fs::write(folder.join(format!("{name}.svg")), svg).context("writing a chart")?;
    }
    let shown = |section: &str| images(&charts, &folder, section);
    let generated = tables::all(&results, shown);
    let text =
        std::fs::read_to_string(document).with_context(|| format!("reading {}", document.display()))?;
    std::fs::write(document, replaced(&text, &generated)?).context("writing the document")
}

/// The charts of a section, which begin with its name.
fn images(charts: &[(String, String)], folder: &Path, section: &str) -> String {
    let folder = folder.file_name().unwrap_or_default().to_string_lossy();
    let of_section = charts.iter().filter(|(name, _)| name.starts_with(&section.replace('_', "-")));
    of_section.map(|(name, _)| format!("![{}]({folder}/{name}.svg)\n\n", name.replace('-', " "))).collect()
}

fn replaced(text: &str, generated: &str) -> anyhow::Result<String> {
    let (before, rest) = text.split_once(BEGIN).with_context(|| format!("the document lacks {BEGIN}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("the document lacks {END}"))?;
    Ok(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", generated.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_markers_is_replaced() {
        let document = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let written = replaced(&document, "new\n").expect("both markers");
        assert_eq!(written, format!("before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"));
        assert!(replaced("no markers", "new").is_err());
    }

    #[test]
    fn of_a_section_the_last_result_counts() {
        let result = |n: u32| serde_json::json!({ "sections": { "rates": n } });
        let results = Results { files: vec![result(1), result(2), serde_json::json!({ "sections": {} })] };
        assert_eq!(results.section("rates").map(|found| found.section.clone()), Some(2.into()));
        assert!(results.section("growth").is_none());
    }
}
