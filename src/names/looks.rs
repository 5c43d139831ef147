//! What a user name looks like: two names that cannot be told apart by eye have a look in common.

use unicode_normalization::char::is_combining_mark;
use unicode_security::skeleton;

use crate::user::Username;

/// The looks of a name, without repetitions: as it is compared, and as it is written. `paypaI`, with a capital I, is
/// `paypai` to a program and `paypal` to people.
pub(super) fn looks(name: &Username) -> Vec<String> {
    let mut looks = vec![look(name.key()), look(name.as_str())];
    looks.dedup();
    looks
}

/// The skeleton of UTS 39, section 4, without regard to case. It is taken before and after lower-casing: capitals have
/// look-alikes of their own (`I` and `l`), and skeletons can be capitals (`0` becomes `O`).
pub(super) fn look(text: &str) -> String {
    let drawn: String = skeleton(text).collect();
    let skeleton: String = skeleton(&drawn.to_lowercase()).collect();
    undotted(&skeleton)
}

/// Without the dots above an i or a j. These letters lose their own dot to a mark above them (Unicode, section 7.1, "Diacritics
/// on i and j"), so with a dot above they are drawn as they are without one. UTS 39 does not say so: its tables are of single
/// characters.
fn undotted(skeleton: &str) -> String {
    let mut on_dotted = false;
    let is_kept = |c: &char| {
        if !is_combining_mark(*c) {
            on_dotted = matches!(c, 'i' | 'j');
        }
        !(on_dotted && *c == '\u{307}')
    };
    skeleton.chars().filter(is_kept).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn alike(a: &str, b: &str) -> bool {
        let (a, b) = (looks(&Username::parse(a).unwrap()), looks(&Username::parse(b).unwrap()));
        a.iter().any(|look| b.contains(look))
    }

    #[test]
    fn what_the_eye_confuses_is_one_look() {
        for (a, b) in [
            ("paypal", "paypaI"),
            ("paypal", "paypa1"),
            ("paypal", "p\u{430}ypal"),
            ("modern", "modem"),
            ("root", "r00t"),
            ("admin", "adm\u{131}n"),
            ("admin", "admi\u{307}n"),
            ("admin", "adm\u{131}\u{307}n"),
            ("admin", "ADM\u{130}N"),
            ("admin", "adm\u{456}\u{307}n"),
            ("jane", "j\u{307}ane"),
            ("th\u{1ecb}", "thi\u{307}\u{323}"),
            ("Scope", "\u{455}\u{441}\u{43e}\u{440}\u{435}"),
        ] {
            assert!(alike(a, b) && alike(b, a), "{a} and {b}");
        }
    }

    #[test]
    fn what_the_eye_tells_apart_and_what_is_not_caught() {
        for (a, b) in [
            ("anna", "hanna"),
            ("zoe", "zo\u{eb}"),
            ("zoe", "zoe\u{307}"),
            ("i", "\u{ed}"),
            ("vvest", "west"),
            ("clan", "dan"),
            ("jane", "jane_"),
        ] {
            assert!(!alike(a, b), "{a} and {b}");
        }
    }

    proptest! {
        /// However a name is spelled, it keeps the look by which it is compared: it can never escape itself.
        #[test]
        fn spellings_of_one_name_share_a_look(text in "[\\p{L}\\p{N}]{1,20}") {
            if let Ok(name) = Username::parse(&text) {
                let again = Username::parse(name.key()).unwrap();
                prop_assert!(looks(&name).contains(&look(again.as_str())));
                prop_assert!(looks(&name).len() <= 2);
            }
        }

        #[test]
        fn a_digit_or_a_capital_in_disguise_is_found(text in "[a-z]{0,10}[lo][a-z]{0,10}") {
            let disguised = text.replace('l', "1").replace('o', "0");
            prop_assert!(alike(&text, &disguised));
            prop_assert!(alike(&text, &text.replace('l', "I")));
        }
    }
}
