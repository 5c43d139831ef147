//! "Did you mean ...?"

/// The candidate that differs by the fewest typing mistakes, unless that is more than a third of the word.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (mistakes(word, candidate), candidate))
        .filter(|(count, _)| *count <= limit)
        .min_by_key(|(count, _)| *count)
        .map(|(_, candidate)| candidate)
}

/// The distance of Damerau and Levenshtein (optimal string alignment): insertions, deletions, replacements and swaps
/// of neighbours, whatever the case.
fn mistakes(a: &str, b: &str) -> usize {
    let fold = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<Vec<_>>();
    let (a, b) = (fold(a), fold(b));
    // A word this long is no typing mistake, and the table would be large.
    if a.len().max(b.len()) > 100 {
        return usize::MAX;
    }
    let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            if i == 0 || j == 0 {
                table[i][j] = i + j;
                continue;
            }
            let replaced = table[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(table[i - 1][j] + 1).min(table[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(table[i - 2][j - 2] + 1);
            }
            table[i][j] = least;
        }
    }
    table[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_typing_mistakes() {
        assert_eq!(mistakes("listen", "listen"), 0);
        assert_eq!(mistakes("lisetn", "listen"), 1);
        assert_eq!(mistakes("lstn", "listen"), 2);
        assert_eq!(mistakes("", "abc"), 3);
        assert_eq!(mistakes("JSON", "json"), 0);
        assert_eq!(nearest("databse", ["listen", "database"]), Some("database"));
        assert_eq!(nearest("colour", ["listen", "database"]), None);
    }
}
