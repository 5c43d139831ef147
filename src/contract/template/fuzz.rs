//! Is the proof sound? The bodies of all contract files are damaged at random; whatever the proof still accepts must
//! render to JSON, whatever the data. The negative control renders what the proof refuses, and must break.
//!
//! Short by default; `VESTIBULE_FUZZ=3000000 cargo test --release --lib fuzz` tries as many templates.

use super::*;
use crate::contract::encode::{created_scene, refused_scene};
use crate::contract::tests::{circumstances, mint};
use crate::contract::{Contract, FieldError, Fields, Outcome, Registered, Scene, load};
use serde_json::{Value as Json, json};
use std::path::{Path, PathBuf};

/// Renderings of each accepted template.
const SCENES: usize = 4;

/// Marsaglia's xorshift: the same numbers on every machine.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n as u64).expect("below n")
    }

    fn pick<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }

    fn text(&mut self) -> String {
        const PIECES: [&str; 26] = [
            "\"", "\\", ",", "}", "]", "{", "[", ":", "{{", "}}", "{%", "%}", "admin", "\n", "\u{0}",
            "\u{2028}", "'", "//", "/*", "true", "é", "\\u0022", " ", "1", "\u{d7ff}", "😀",
        ];
        (0..self.below(10)).map(|_| self.pick(&PIECES)).collect()
    }

    fn value(&mut self) -> Json {
        match self.below(8) {
            0 => Json::Null,
            1 => json!(self.below(1000)),
            2 => json!(-0.5e-7),
            3 => json!([self.text(), { "k": self.text() }]),
            4 => Json::Object([(self.text(), json!(true))].into_iter().collect()),
            _ => self.text().into(),
        }
    }
}

/// A body that a contract file has, and names to render it with.
struct Body {
    source: String,
    scenes: Vec<Value>,
}

fn files(folder: &Path, out: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).expect("a folder of contracts");
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            files(&path, out);
        } else if path.extension().is_some_and(|e| e == "toml") {
            out.push(path);
        }
    }
    out.sort();
}

fn contracts() -> Vec<Contract> {
    let mut out = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts"), &mut out);
    // Those under `broken` do not load, which is what they are for.
    let texts = out.iter().map(|path| std::fs::read_to_string(path).expect("a contract file"));
    texts.filter_map(|text| load(&text).contract).collect()
}

fn bodies(random: &mut Random) -> Vec<Body> {
    let mut out: Vec<Body> = Vec::new();
    for contract in contracts() {
        for reply in &contract.register.replies {
            let source = reply.body.source();
            if reply.body.format != Format::Json
                || source.is_empty()
                || out.iter().any(|b| b.source == source)
            {
                continue;
            }
            let scenes = (0..24).map(|i| scene(&contract, &reply.outcome, i % 4, random)).collect();
            out.push(Body { source: source.to_owned(), scenes });
        }
    }
    out
}

/// Names with hostile values; `count` errors.
fn scene(contract: &Contract, outcome: &Outcome, count: usize, random: &mut Random) -> Value {
    let inputs = contract.register.fields.iter().map(|field| match random.below(4) {
        0 => None,
        _ => {
            Some(random.value()).filter(|v| field.json_type().fits(v)).or_else(|| Some(random.text().into()))
        }
    });
    let inputs = inputs.collect();
    let fields = Fields { inputs, body: json!({ "email": random.value() }) };
    let now = circumstances();
    if *outcome == Outcome::Created {
        let registered = Registered { id: random.value(), at: now.now, password_sha256: Some(random.text()) };
        let scene = created_scene(contract, &fields, &registered, &mint(), &now);
        return scene.expect("names are always there").0;
    }
    let errors: Vec<FieldError> = (0..count)
        .map(|_| FieldError {
            field: random.text().into(),
            code: random.value(),
            message: random.text(),
            limit: random.value(),
            value: Some(random.value()),
            sent: true,
            outcome: Outcome::Invalid,
            proof: None,
        })
        .collect();
    let reason = random.text();
    let scene = Scene { fields: Some(&fields), errors: &errors, reason: &reason, retry_after: Some(2) };
    refused_scene(contract, outcome, scene, &now).expect("names are always there")
}

/// A place between two characters.
fn cut(text: &str, random: &mut Random) -> usize {
    text.floor_char_boundary(random.below(text.len() + 1))
}

fn damage(source: &str, random: &mut Random) -> String {
    const PIECES: [&str; 44] = [
        "{% if not loop.last %},{% endif %}",
        "{% for e in errors %}{{ e.message }}{% if not loop.last %},{% endif %}{% endfor %}",
        "{% for e in errors %}{{ e.message }},{% endfor %}",
        "{% for k, v in errors | by(\"field\") | items %}\"{{ k }}\": 1,{% endfor %}",
        "{% for e in errors %}{% if not loop.last %}{% for f in errors %}[{% endfor %}{% endif %}{% endfor %}",
        "{% for e in errors %}{% else %}1{% endfor %}",
        "{% if errors %}1{% elif not loop.last %}2{% endif %}",
        "{% set x = \"a\\\"\" %}{{ x }}",
        "{{ errors | map(attribute=\"value\") | list }}",
        "{{ [1, {\"a\": message}] }}",
        "{{ errors | length / 0 }}",
        "{{ \"}}\" }}",
        "{{ '{{' }}",
        "\"\\u00{{ status }}\"",
        "\"\\{{ status }}\"",
        "\\ud83d",
        "\\ude00",
        "1e",
        "1.",
        "0",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"k\": ",
        "\"a\"",
        "{{ status }}",
        "{{ message }}",
        "\"{{ message }}\"",
        "{% else %}",
        "{% endif %}",
        "{% for e in errors %}",
        "{% endfor %}",
        "\\",
        "1",
        "true",
        "-",
        " ",
        "{# x #}",
        "\n",
        "é",
    ];
    const CONDITIONS: [&str; 6] = [
        "{% if errors %}",
        "{% if status == 400 %}",
        "{% if outcome == 'taken' %}",
        "{% if not loop.last %}",
        "{% if now %}",
        "{% if message | length > 3 %}",
    ];
    let mut out = source.to_owned();
    for _ in 0..1 + random.below(4) {
        let at = cut(&out, random);
        match random.below(4) {
            0 => {
                let end = out.floor_char_boundary((at + random.below(12)).min(out.len()));
                out.replace_range(at..end.max(at), "");
            }
            1 => {
                let end = out.floor_char_boundary((at + random.below(20)).min(out.len()));
                out.insert_str(end.max(at), random.pick(&["{% endif %}", "{% else %}1{% endif %}"]));
                out.insert_str(at, random.pick(&CONDITIONS));
            }
            2 => {
                // A piece of the same template, elsewhere.
                let from = cut(&out, random);
                let to = out.floor_char_boundary((from + random.below(60)).min(out.len()));
                let piece = out[from..to.max(from)].to_owned();
                out.insert_str(at, &piece);
            }
            _ => out.insert_str(at, random.pick(&PIECES)),
        }
    }
    out
}

#[derive(Debug, Default)]
struct Count {
    tried: usize,
    accepted: usize,
    rendered: usize,
    /// Of the templates that the proof refused.
    refused_rendered: usize,
    refused_broken: usize,
}

/// `1e11000` is JSON, though it is no `f64`; the dry run complains about it.
fn is_json(text: &str) -> bool {
    let error = serde_json::from_str::<Json>(text).err();
    error.is_none_or(|error| error.to_string().contains("number out of range"))
}

/// Whether a template without its proof renders to something that is not JSON; `None` when a value cannot be written.
fn breaks(source: &str, nodes: Vec<Node>, scene: &Value) -> (Option<bool>, Vec<Node>) {
    let template = Template { source: source.to_owned(), nodes, format: Format::Json, origin: 0..0 };
    let broken = match template.render(scene) {
        Ok(text) => Some(!text.is_empty() && !is_json(&text)),
        Err(error) => error.unproved.then_some(true),
    };
    (broken, template.nodes)
}

#[test]
fn whatever_the_proof_accepts_renders_to_json() {
    let wanted = std::env::var("VESTIBULE_FUZZ").ok().and_then(|n| n.parse().ok()).unwrap_or(30_000);
    let mut random = Random(88_172_645_463_325_252);
    let bodies = bodies(&mut random);
    assert!(bodies.len() > 10);
    let mut count = Count::default();
    while count.tried < wanted {
        let body = &bodies[random.below(bodies.len())];
        let source = damage(&body.source, &mut random);
        count.tried += 1;
        let Ok(mut nodes) = parse::parse(&source) else { continue };
        let accepted =
            source.trim().is_empty() || prove::prove(&source, &nodes, json::Automaton::new()).is_ok();
        // The control needs fewer.
        if !accepted && random.below(8) > 0 {
            continue;
        }
        count.accepted += usize::from(accepted);
        for _ in 0..SCENES {
            let scene = &body.scenes[random.below(body.scenes.len())];
            let broken;
            (broken, nodes) = breaks(&source, nodes, scene);
            let Some(broken) = broken else { continue };
            if accepted {
                assert!(
                    !broken,
                    "the proof accepts\n{source}\nwhich can render to something that is not JSON"
                );
                count.rendered += 1;
            } else {
                count.refused_rendered += 1;
                count.refused_broken += usize::from(broken);
            }
        }
    }
    assert!(count.accepted * 100 > count.tried, "hardly anything was tried: {count:?}");
    assert!(count.refused_broken > 0, "without the proof something must break: {count:?}");
}

#[test]
fn the_bodies_of_all_contracts_render_with_hostile_values() {
    let mut random = Random(42);
    for body in bodies(&mut random) {
        for scene in &body.scenes {
            let nodes = parse::parse(&body.source).expect("a loaded template");
            assert_ne!(breaks(&body.source, nodes, scene).0, Some(true), "{}", body.source);
        }
    }
}
