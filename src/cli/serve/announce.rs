//! What the server prints when it serves.

use std::io::Write;
use std::net::SocketAddr;

use crate::app::App;
use crate::cli::table;
use crate::contract;

/// All contracts fill one table of users, so each example registers somebody else. The names are as long as the one
/// in the examples, whose length may be what a contract asks for.
const PEOPLE: [&str; 24] = [
    "jane", "ruth", "anna", "emma", "nina", "vera", "olga", "rosa", "lucy", "mary", "irma", "cora", "elsa",
    "hana", "joan", "kira", "lena", "maya", "noor", "sara", "tara", "yuki", "zora", "edda",
];

/// A command for another person than Jane. Its first line is left alone: there is nothing but the address.
fn as_person(command: &str, person: &str) -> String {
    let Some((address, rest)) = command.split_once('\n') else { return command.to_owned() };
    let capital = person[..1].to_uppercase() + &person[1..];
    format!("{address}\n{}", rest.replace("jane", person).replace("Jane", &capital))
}

/// Prints what is served: a table, and for each contract a line that works when pasted.
pub(super) fn announce(app: &App, bound: SocketAddr, scheme: &str) -> anyhow::Result<()> {
    let mut table = table(["METHOD", "PATH", "CONTRACT"]);
    for mounted in &app.contracts {
        let title = match mounted.contract.title.as_str() {
            "" => mounted.name.clone(),
            title => format!("{} ({title})", mounted.name),
        };
        table.add_row(["POST".to_owned(), mounted.path_and_query(), title]);
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "Vestibule serves on {scheme}://{bound}\n\n{}\n\nTry it:", table.trim_fmt())?;
    for (mounted, person) in app.contracts.iter().zip(PEOPLE.iter().cycle()) {
        let command = contract::curl(&mounted.contract, &app.base_url, &mounted.path());
        writeln!(out, "  {}", as_person(&command, person).replace('\n', "\n  "))?;
    }
    writeln!(out)?;
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_about_somebody_else_of_the_same_length() {
        let command = "curl 'http://jane.example/'\n -d '{\"name\":\"Jane\",\"email\":\"jane@example.com\"}'";
        let other = "curl 'http://jane.example/'\n -d '{\"name\":\"Ruth\",\"email\":\"ruth@example.com\"}'";
        assert_eq!(as_person(command, "ruth"), other);
        let mut people = PEOPLE.to_vec();
        people.sort_unstable();
        people.dedup();
        assert!(people.len() == PEOPLE.len() && people.iter().all(|name| name.len() == "jane".len()));
    }
}
