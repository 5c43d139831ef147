//! What a contract concedes to its clients, held against what a new one should ask (NIST SP 800-63B-4, section 3.1.1.2; OWASP
//! ASVS 5.0, 6.2 and 6.3.8).

use super::operation::Contract;

/// The shortest password, in characters, where it is the only factor.
const SHORTEST: usize = 15;

impl Contract {
    /// Whether a rule refuses passwords that attackers try first.
    pub fn refuses_common_passwords(&self) -> bool {
        self.register
            .fields
            .iter()
            .flat_map(|field| &field.rules)
            .any(|rule| rule.uncommon && rule.condition.is_none())
    }

    /// What its own rules let through, each in a few words; nothing for a contract that concedes nothing. A rule that holds on a
    /// condition asks nothing of everybody, and does not count.
    pub fn concessions(&self) -> Vec<String> {
        let rules =
            || self.register.fields.iter().filter(|field| field.is_password()).flat_map(|field| &field.rules);
        let mut out = Vec::new();
        match rules().filter(|rule| rule.condition.is_none()).filter_map(|rule| rule.min_length).max() {
            Some(least) if least >= SHORTEST => {}
            Some(least) => out.push(format!("passwords of {least} characters are taken")),
            None => out.push("no shortest password is asked for".to_owned()),
        }
        if !self.refuses_common_passwords() {
            out.push("common passwords are taken".to_owned());
        }
        if self.register.reveals_duplicates() {
            out.push("whoever asks is told who has an account".to_owned());
        }
        out
    }
}
