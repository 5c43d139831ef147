//! The third layer: variables that start with `VESTIBULE_`.

use super::keys::{CONFIG_VARIABLE, SECRETS, VARIABLE_PREFIX, variable};
use super::merge::{Entry, Merge, Target};
use super::problem::Place;
use super::setting::Raw;
use super::{KEYS, Origin, Problem};
use crate::spelling::nearest;

pub(super) fn read(environment: &[(String, String)], merge: &mut Merge) {
    let ours = environment
        .iter()
        .filter(|(name, _)| name.starts_with(VARIABLE_PREFIX) && name != CONFIG_VARIABLE)
        .filter(|(name, value)| !is_kubernetes_link(name, value));
    let mut entries = Vec::new();
    for (name, value) in ours {
        let place = Place::of(Origin::Variable(name.clone()));
        match target(name) {
            Some(target) => entries.push(Entry { target, raw: Raw::Text(value), place, items: Vec::new() }),
            None => merge.refuse(unknown(name, place)),
        }
    }
    merge.layer(entries);
}

fn target(name: &str) -> Option<Target> {
    if let Some(key) = KEYS.iter().find(|key| key.variable() == name) {
        return Some(Target::Key(key));
    }
    let secret = name.strip_prefix(&variable(SECRETS))?.strip_prefix('_')?;
    // Lower case is refused, so that one secret has one spelling.
    let shouted = !secret.bytes().any(|byte| byte.is_ascii_lowercase());
    shouted.then(|| Target::named(&format!("{SECRETS}.{}", secret.to_ascii_lowercase())))?
}

fn unknown(name: &str, place: Place) -> Problem {
    let known: Vec<String> =
        KEYS.iter().map(|key| key.variable()).chain([CONFIG_VARIABLE.to_owned()]).collect();
    let near = nearest(name, known.iter().map(String::as_str));
    let hint = near.map(|near| format!("did you mean `{near}`?"));
    Problem::new(place, format!("unknown environment variable `{}`", name.escape_debug())).with_hint(hint)
}

/// Kubernetes puts `VESTIBULE_SERVICE_HOST`, `VESTIBULE_PORT=tcp://...` and more into every pod beside a Service that
/// is called `vestibule`; those are nobody's mistake.
fn is_kubernetes_link(name: &str, value: &str) -> bool {
    let rest = name.strip_prefix(VARIABLE_PREFIX).unwrap_or(name);
    let protocol = |text: &str| ["TCP", "UDP", "SCTP"].iter().any(|name| text.starts_with(name));
    match rest.strip_prefix("PORT") {
        Some("") => value.contains("://"),
        Some(port) => {
            let port = port.strip_prefix('_').and_then(|port| port.split_once('_'));
            port.is_some_and(|(number, rest)| number.parse::<u16>().is_ok() && protocol(rest))
        }
        None => rest == "SERVICE_HOST" || rest == "SERVICE_PORT" || rest.starts_with("SERVICE_PORT_"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubernetes_service_links_are_told_from_mistakes() {
        for (name, value) in [
            ("VESTIBULE_SERVICE_HOST", "10.0.0.1"),
            ("VESTIBULE_SERVICE_PORT", "80"),
            ("VESTIBULE_SERVICE_PORT_HTTP", "80"),
            ("VESTIBULE_PORT", "tcp://10.0.0.1:80"),
            ("VESTIBULE_PORT_80_TCP", "tcp://10.0.0.1:80"),
            ("VESTIBULE_PORT_80_TCP_PROTO", "tcp"),
        ] {
            assert!(is_kubernetes_link(name, value), "{name}");
        }
        for (name, value) in
            [("VESTIBULE_PORT", "8080"), ("VESTIBULE_PORTS", "x"), ("VESTIBULE_SERVICE", "x")]
        {
            assert!(!is_kubernetes_link(name, value), "{name}");
        }
    }
}
