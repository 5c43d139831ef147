//! Tests of the layers as a whole.

use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::password::Engine;

/// A folder of its own for each test, removed at the end.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn flag(key: &str, value: &str, flag: &str) -> Flag {
    Flag { key: key.to_owned(), value: value.to_owned(), flag: flag.to_owned() }
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn from_environment(pairs: &[(&str, &str)]) -> Result<Loaded, Problems> {
    Config::load(Sources { environment: variables(pairs), ..Sources::default() })
}

/// Loads a file and gives its problems with the folder's name taken out.
fn problems_of(folder: &Folder, text: &str) -> String {
    let file = folder.write("vestibule.toml", text);
    let problems = Config::load(Sources { file: Some(file), ..Sources::default() }).unwrap_err().to_string();
    problems.replace(&format!("{}/", folder.0.path().display()), "")
}

#[test]
fn the_default_file_holds_exactly_the_keys_each_explained() {
    let written: Vec<&str> = DEFAULT_FILE
        .lines()
        .map(|line| line.strip_prefix("# ").unwrap_or(line))
        .filter_map(|line| line.split_once(" = "))
        .map(|(key, _)| key)
        .filter(|key| !key.contains([' ', '`']))
        .collect();
    let last = |name: &'static str| name.rsplit('.').next().unwrap();
    assert_eq!(written, KEYS.iter().map(|key| last(key.name)).collect::<Vec<_>>());

    let loaded = Config::load(Sources::default()).unwrap();
    for key in KEYS {
        let optional = key.name.starts_with("token_secret")
            || key.name.starts_with("tls.")
            || [
                "admin_listen",
                "passwords.pepper_file",
                "passwords.breached",
                "names.also_reserved",
                "names.disposable",
                "names.accepted",
                "acme.folder",
                "acme.ca",
            ]
            .contains(&key.name);
        assert_eq!(key.show(&loaded.config).is_none(), optional, "{}", key.name);
        assert_eq!(loaded.origin(key.name).is_none(), optional, "{}", key.name);
    }
    let lines: Vec<&str> = DEFAULT_FILE.lines().collect();
    for (above, line) in lines.iter().zip(&lines[1..]) {
        let is_key = !line.starts_with('#') && line.contains(" = ");
        assert!(!is_key || above.starts_with("# "), "`{line}` is not explained");
    }
}

#[test]
fn the_defaults_are_what_the_documentation_promises() {
    let config = Config::default();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.database.expose(), "sqlite://vestibule.db");
    assert!(config.contracts.is_empty() && config.secrets.is_empty() && config.token_secret.is_none());
    assert_eq!(config.passwords.engine, Engine::Fast);
    assert_eq!(
        (config.passwords.memory_kib, config.passwords.iterations, config.passwords.parallelism),
        (19_456, 2, 1)
    );
    assert_eq!((config.passwords.workers, config.passwords.deadline), (0, Duration::from_secs(2)));
    assert_eq!((config.limits.connections, config.limits.body.bytes()), (10_000, 65_536));
    assert_eq!(config.limits.idle_timeout, Duration::from_secs(60));
    assert_eq!((config.log.format, config.log.level.as_str()), (LogFormat::Auto, "info"));
}

#[test]
fn later_layers_win_and_every_value_knows_its_origin() {
    let folder = Folder::new();
    let file = folder.write(
        "v.toml",
        "listen = '127.0.0.1:1'\nshutdown_grace = '1s'\n[limits]\nconnections = 0x10\nbody = '1KiB'\n",
    );
    let loaded = Config::load(Sources {
        file: Some(file.clone()),
        environment: variables(&[
            ("VESTIBULE_LISTEN", "127.0.0.1:2"),
            ("VESTIBULE_LIMITS_BODY", "2KiB"),
            ("VESTIBULE_CONTRACTS", "knex, flask@/f"),
            ("HOME", "/root"),
        ]),
        flags: vec![
            flag("listen", "127.0.0.1:3", "--listen"),
            flag("contracts", "a", "--contract"),
            flag("contracts", "b@/", "--contract"),
        ],
    })
    .unwrap();
    let at = |line, column| Origin::File { path: file.display().to_string(), line, column };
    assert_eq!(loaded.config.listen.port(), 3);
    assert_eq!(loaded.origin("listen"), Some(&Origin::Flag("--listen".to_owned())));
    assert_eq!(loaded.config.limits.body.bytes(), 2048);
    assert_eq!(loaded.origin("limits.body"), Some(&Origin::Variable("VESTIBULE_LIMITS_BODY".to_owned())));
    assert_eq!(loaded.config.limits.connections, 16);
    assert_eq!(loaded.origin("limits.connections"), Some(&at(4, 15)));
    assert_eq!(loaded.origin("shutdown_grace"), Some(&at(2, 18)));
    assert_eq!(loaded.origin("database"), Some(&Origin::Default));
    let mounts: Vec<String> = loaded.config.contracts.iter().map(ToString::to_string).collect();
    assert_eq!(mounts, ["a", "b@/"]);
}

#[test]
fn the_file_may_be_named_by_the_environment() {
    let folder = Folder::new();
    let file = folder.write("v.toml", "listen = '127.0.0.1:9'");
    let loaded = from_environment(&[("VESTIBULE_CONFIG", file.to_str().unwrap())]).unwrap();
    assert_eq!(loaded.config.listen.port(), 9);
    let problems = from_environment(&[("VESTIBULE_CONFIG", "/nowhere/v.toml")]).unwrap_err();
    assert!(problems.to_string().contains("environment variable VESTIBULE_CONFIG"));
}

#[test]
fn all_problems_of_all_layers_are_shown_at_once_as_a_compiler_would() {
    let folder = Folder::new();
    let file = folder.write(
        "vestibule.toml",
        r#"lisen = "127.0.0.1:1"
contracts = ["knex", 7, "a@//"]
token_secret = "too short"
token_secrte = "mistyped but real"
memory_kib = 9
limits = { body = "64KB", connections = 0, colour = "red" }

[passwords]
engine = "portabel"
deadline = 2

[secrets]
Parse = "also real"
"#,
    );
    let problems = Config::load(Sources {
        file: Some(file),
        environment: variables(&[("VESTIBULE_LISTN", "x"), ("VESTIBULE_LOG_LEVEL", "inof")]),
        flags: vec![flag("log.fromat", "json", "--set"), flag("token_secret", "real", "--set")],
    })
    .unwrap_err()
    .to_string()
    .replace(&format!("{}/", folder.0.path().display()), "");
    assert_eq!(problems, include_str!("tests/problems.txt").trim_end());
}

#[test]
fn a_broken_file_shows_no_secret() {
    let folder = Folder::new();
    let text = "token_secret = \"real one\nlisten = 127.0.0.1\n[secrets]\nparse = real two\n'real three";
    let problems = problems_of(&folder, text);
    assert!(!problems.contains("real"), "{problems}");
    assert!(problems.contains("1 | token_secret =***"), "{problems}");
    assert!(problems.contains("2 | listen = 127.0.0.1"), "{problems}");
}

#[test]
fn excerpts_never_show_a_neighbouring_secret() {
    let folder = Folder::new();
    let text = "secrets = { a = 'real', B = 'real' }\ndatabase = 'mysql://u:real@h'\n'token_secret' = 'real'\n\
                'passwords.workers' = 3\n";
    let problems = problems_of(&folder, text);
    assert!(!problems.contains("real"), "{problems}");
    assert!(problems.contains("4 problems"), "{problems}");
}

#[test]
fn unknown_variables_are_refused_with_a_suggestion() {
    let text = from_environment(&[("VESTIBULE_DATABSE", "sqlite://x")]).unwrap_err().to_string();
    assert!(text.contains("unknown environment variable `VESTIBULE_DATABSE`"), "{text}");
    assert!(text.contains("did you mean `VESTIBULE_DATABASE`?"), "{text}");
    assert!(from_environment(&[("VESTIBULE_SERVICE_HOST", "10.0.0.1"), ("VESTIBUL", "x")]).is_ok());
}

#[test]
fn a_token_secret_is_read_from_a_file_without_its_last_newline() {
    let folder = Folder::new();
    let raw: Vec<u8> = (200..=231).collect();
    for (end, extra) in [("", 0), ("\n", 0), ("\r\n", 0), ("\n\n", 1)] {
        let path = folder.write("token", [&raw[..], end.as_bytes()].concat());
        let path = path.to_str().unwrap();
        let loaded = from_environment(&[("VESTIBULE_TOKEN_SECRET_FILE", path)]).unwrap();
        let secret = loaded.config.token_secret.unwrap();
        assert_eq!(secret.expose().len(), 32 + extra);
        assert_eq!(&secret.expose()[..32], raw);
    }
}

#[test]
fn a_secret_below_its_least_length_is_refused_wherever_it_comes_from() {
    let folder = Folder::new();
    let path = folder.write("token", "x".repeat(31) + "\n");
    let short = "s".repeat(31);
    let two = [("VESTIBULE_TOKEN_SECRET", short.as_str())];
    for pairs in [&two[..], &[("VESTIBULE_TOKEN_SECRET_FILE", path.to_str().unwrap())]] {
        let text = from_environment(pairs).unwrap_err().to_string();
        assert!(text.contains("must have at least 32 bytes; this one has 31"), "{text}");
        assert!(!text.contains("sss") && !text.contains("xxx"), "{text}");
    }
    let text =
        from_environment(&[("VESTIBULE_TOKEN_SECRET_FILE", "/nowhere/token")]).unwrap_err().to_string();
    assert!(text.contains("names the file /nowhere/token, which cannot be read"), "{text}");
    assert!(from_environment(&[("VESTIBULE_SECRETS_X", "")]).is_err());
    assert!(from_environment(&[("VESTIBULE_TOKEN_SECRET", "")]).is_err());
}

#[test]
fn a_secret_and_its_file_exclude_each_other_within_a_layer_and_override_across_layers() {
    let folder = Folder::new();
    let (held, given) = ("h".repeat(32), "g".repeat(32));
    let path = folder.write("token", &held);
    let path = path.to_str().unwrap();
    let both = [("VESTIBULE_TOKEN_SECRET", given.as_str()), ("VESTIBULE_TOKEN_SECRET_FILE", path)];
    let text = from_environment(&both).unwrap_err().to_string();
    assert!(text.contains("second value for `token_secret`"), "{text}");

    let file = folder.write("v.toml", format!("token_secret_file = '{path}'\nsecrets.app_file = '{path}'"));
    let load =
        |environment| Config::load(Sources { file: Some(file.clone()), environment, flags: vec![] }).unwrap();
    let below = load(vec![]);
    assert_eq!(below.config.token_secret.as_ref().unwrap().expose(), held.as_bytes());
    assert_eq!(below.config.secrets["app"].expose(), held.as_bytes());
    assert!(
        matches!(below.origin("token_secret"), Some(Origin::SecretFile { path: p, .. }) if p == Path::new(path))
    );
    assert!(matches!(below.origin("secrets.app"), Some(Origin::SecretFile { .. })));

    let above = load(variables(&[("VESTIBULE_TOKEN_SECRET", &given), ("VESTIBULE_SECRETS_APP", "now")]));
    assert_eq!(above.config.token_secret.as_ref().unwrap().expose(), given.as_bytes());
    assert_eq!(above.config.secrets["app"].expose(), b"now");
    assert_eq!((above.config.token_secret_file.as_ref(), above.origin("token_secret_file")), (None, None));
    assert_eq!(above.origin("secrets.app"), Some(&Origin::Variable("VESTIBULE_SECRETS_APP".to_owned())));
}

#[test]
fn what_is_compared_with_texts_is_a_text() {
    let folder = Folder::new();
    let file = folder.write("app", b"not \xff text");
    let variable = [("VESTIBULE_SECRETS_APP_FILE", file.to_str().unwrap())];
    let text = from_environment(&variable).unwrap_err().to_string();
    assert!(text.contains("must be text in UTF-8") && !text.contains("not \u{fffd}"), "{text}");
    let file = folder.write("app", "ein Schlüssel\n");
    let loaded = from_environment(&[("VESTIBULE_SECRETS_APP_FILE", file.to_str().unwrap())]).unwrap();
    assert_eq!(loaded.config.named_secrets().named("app"), Some("ein Schlüssel"));
}

#[test]
fn nothing_that_is_shown_shows_a_secret() {
    let loaded = from_environment(&[
        ("VESTIBULE_TOKEN_SECRET", "a real secret of thirty-two bytes"),
        ("VESTIBULE_SECRETS_APP", "a real app secret"),
        ("VESTIBULE_DATABASE", "postgres://u:real@h/d"),
    ])
    .unwrap();
    assert!(!format!("{loaded:?}").contains("real"));
    assert!(loaded.config.secrets["app"].to_string() == "***");
    let shown: Vec<String> =
        KEYS.iter().filter_map(|key| key.show(&loaded.config)).map(|value| value.to_string()).collect();
    assert!(!shown.concat().contains("real"));
}

#[test]
fn later_rooms_can_refuse_a_value_at_its_origin() {
    let folder = Folder::new();
    let file = folder.write("v.toml", "\npasswords.memory_kib = 64");
    let loaded = Config::load(Sources { file: Some(file), ..Sources::default() }).unwrap();
    let problem = loaded.problem("passwords.memory_kib", "is too little");
    let text = Problems::from(vec![problem]).to_string();
    assert!(text.contains("v.toml:2:24") && text.contains("`passwords.memory_kib` is too little"), "{text}");
}

#[test]
fn a_plain_value_is_given_by_one_flag_only() {
    let flags = vec![flag("listen", "127.0.0.1:1", "--listen"), flag("listen", "127.0.0.1:2", "--set")];
    let text = Config::load(Sources { flags, ..Sources::default() }).unwrap_err().to_string();
    assert!(text.contains("the first is from flag --listen"), "{text}");
}

proptest! {
    /// Whatever a file says, the answer is a configuration or problems, and the value of a secret is not among them.
    #[test]
    fn no_file_makes_the_reader_panic_or_talk(
        before in "[\\PC\n]{0,40}",
        name in "token_secret|secrets\\.[a-z]{1,3}|token_secre|[a-z_]{1,12}",
        after in "[\\PC\n]{0,40}",
    ) {
        // The marker is no substring of anything that is printed otherwise.
        let text = format!("{before}\n{name} = \"Q7x_\"\n{after}\n");
        let mut merge = merge::Merge::new(Config::blank());
        file::read(Some(Path::new("v.toml")), &text, &mut merge);
        let harmless = Key::named(&name).is_some_and(|key| !key.secret)
            || merge::suggestion(&name).is_some_and(|near| near != "token_secret" && near != "database");
        let problems = merge.finish().2.render(true);
        prop_assert!(harmless || !problems.contains("Q7x_"), "{}", problems);
    }
}
