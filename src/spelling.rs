//! Which word was meant: whoever writes a contract or a configuration is told, and so is whoever gives a name.

/// The word that was probably meant, if one is near; case does not count.
pub fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let near = |known: &&str| *known != word && distance(word, known) <= 1 + known.len() / 4;
    known.into_iter().filter(near).min_by_key(|known| distance(word, known))
}

/// Insertions, deletions, exchanges and swaps of neighbours between two words.
fn distance(a: &str, b: &str) -> usize {
    let folded = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<Vec<char>>();
    let (a, b) = (folded(a), folded(b));
    // A word this long is no typing mistake, and the table would be large.
    if a.len().max(b.len()) > 100 {
        return usize::MAX;
    }
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let exchange = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = exchange.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_that_was_meant() {
        assert_eq!(nearest("minlength", ["max_length", "min_length"]), Some("min_length"));
        assert_eq!(nearest("min_lenght", ["max_length", "min_length"]), Some("min_length"));
        assert_eq!(nearest("Min_Length", ["max_length", "min_length"]), Some("min_length"));
        assert_eq!(nearest("databse", ["listen", "database"]), Some("database"));
        assert_eq!(nearest("zebra", ["max_length", "min_length"]), None);
        assert_eq!(nearest("listen", ["listen"]), None);
        assert_eq!(nearest(&"a".repeat(1 << 20), ["a"]), None);
    }
}
