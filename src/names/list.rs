//! Lists of names and domains, as files have them: one a line, `#` begins a comment.

use std::collections::HashSet;

use super::looks::look;
use crate::user::{Email, Username};

/// The first line that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Counted from 1.
    pub line: usize,
    /// As many more cannot be read.
    pub more: usize,
}

/// Reads a list of user names: the looks of each, as it stands and in capitals.
///
/// # Errors
/// When a line is no user name.
pub fn reserved(text: &str) -> Result<HashSet<String>, BadLine> {
    let looks = |name: &str| {
        let name = Username::parse(name).ok()?;
        Some([look(name.key()), look(&name.key().to_uppercase())])
    };
    entries(text, looks).map(|looks| looks.into_iter().flatten().collect())
}

/// Reads a list of domains, as their A-labels.
///
/// # Errors
/// When a line is no domain that an address can have.
pub fn domains(text: &str) -> Result<HashSet<String>, BadLine> {
    let domain = |domain: &str| {
        // Another @ would make it an address of the domain behind it.
        let email = Email::parse(&format!("x@{domain}")).ok().filter(|_| !domain.contains('@'))?;
        Some(email.domain().to_owned())
    };
    entries(text, domain).map(|domains| domains.into_iter().collect())
}

fn entries<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, BadLine> {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for (index, line) in text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate() {
        let entry = line.split_once('#').map_or(line, |(entry, _)| entry).trim();
        if entry.is_empty() {
            continue;
        }
        match read(entry) {
            Some(entry) => good.push(entry),
            None => bad.push(index + 1),
        }
    }
    match bad.first() {
        None => Ok(good),
        Some(&line) => Err(BadLine { line, more: bad.len() - 1 }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn comments_blank_lines_and_spellings_do_not_matter() {
        let read =
            domains("\u{feff}# a list\r\n\r\n  Mailinator.COM # known\nb\u{fc}cher.example\n").unwrap();
        assert_eq!(read, HashSet::from(["mailinator.com".to_owned(), "xn--bcher-kva.example".to_owned()]));
        assert_eq!(domains("# nothing"), Ok(HashSet::new()));
    }

    #[test]
    fn the_first_bad_line_is_told_with_how_many_follow() {
        assert_eq!(
            domains("a.example\n\nno domain\n@\nme@b.example\ncom"),
            Err(BadLine { line: 3, more: 3 })
        );
        assert_eq!(reserved("root\na b\n"), Err(BadLine { line: 2, more: 0 }));
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "(.|\n){0,200}") {
            let _ = (domains(&text), reserved(&text));
        }

        #[test]
        fn every_domain_is_read_back(names in prop::collection::hash_set("[a-z]{1,9}\\.[a-z]{2,5}", 0..9)) {
            let text: Vec<String> = names.iter().map(|name| format!(" {} #x", name.to_uppercase())).collect();
            prop_assert_eq!(domains(&text.join("\r\n")), Ok(names));
        }
    }
}
