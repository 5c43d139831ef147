//! Holds a journal against a database.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::journal::Journal;
use super::load::{email, password};
use super::rows::rows;

/// How many findings of a kind are shown.
const SHOWN: usize = 5;

/// What the judge found. Everything but the counts is a broken promise.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Sign-ups that were told a success.
    pub(super) acknowledged: usize,
    /// Sign-ups of which at least one try was never answered, or answered with "it is not known".
    pub(super) unknown: usize,
    /// Sign-ups that were only ever refused.
    pub(super) refused: usize,
    /// Acknowledged, but not there.
    pub(super) lost: Vec<String>,
    /// There more than once, or acknowledged as new more than once.
    pub(super) doubled: Vec<String>,
    /// There without what belongs to it, or with what does not; what belongs to nobody.
    pub(super) half_made: Vec<String>,
    /// There, although refused.
    pub(super) revived: Vec<String>,
    /// Told that the address is taken, which it never was.
    pub(super) falsely_taken: Vec<String>,
}

impl Verdict {
    /// Every broken promise, in words.
    pub(super) fn findings(&self) -> Vec<String> {
        let kinds = [
            ("lost", &self.lost),
            ("doubled", &self.doubled),
            ("half-made", &self.half_made),
            ("revived", &self.revived),
            ("falsely taken", &self.falsely_taken),
        ];
        let found = kinds.iter().filter(|(_, list)| !list.is_empty());
        found
            .map(|(kind, list)| format!("{} {kind}: {:?}", list.len(), &list[..list.len().min(SHOWN)]))
            .collect()
    }

    /// Fails the test unless every promise was kept.
    pub(super) fn assert_innocent(&self) {
        assert!(self.findings().is_empty(), "{:#?}", self.findings());
        assert!(self.acknowledged > 0, "nothing was acknowledged, so nothing was proved: {self:?}");
    }
}

/// What was told about one sign-up.
#[derive(Default)]
struct Told {
    sent: usize,
    created: usize,
    /// The accounts that it was told about.
    ids: BTreeSet<String>,
    taken: usize,
    refused: usize,
}

impl Told {
    /// Whether a try may have left an account without a word.
    fn is_doubtful(&self) -> bool {
        self.sent > self.created + self.taken + self.refused
    }
}

/// One user as the database has it.
struct Row {
    id: String,
    phc: String,
}

/// Everything in a database that is about sign-ups.
#[derive(Default)]
struct Contents {
    users: HashMap<String, Vec<Row>>,
    keys: HashMap<String, Vec<(String, String)>>,
    events: HashMap<String, Vec<String>>,
    /// How many answers are kept to be given again, per user.
    kept: HashMap<String, usize>,
}

impl Contents {
    async fn of(url: &str) -> Contents {
        let mut contents = Contents::default();
        for row in rows(url, "SELECT email, id, password FROM users").await {
            let [email, id, phc] = row.try_into().expect("three columns");
            contents.users.entry(email).or_default().push(Row { id, phc });
        }
        for row in rows(url, "SELECT user_id, kind, value FROM user_keys").await {
            let [id, kind, value] = row.try_into().expect("three columns");
            contents.keys.entry(id).or_default().push((kind, value));
        }
        for row in rows(url, "SELECT user_id, kind FROM events").await {
            let [id, kind] = row.try_into().expect("two columns");
            contents.events.entry(id).or_default().push(kind);
        }
        for row in rows(url, "SELECT user_id FROM idempotency_keys").await {
            *contents.kept.entry(row.concat()).or_default() += 1;
        }
        contents
    }

    /// What is wrong with a user, if anything.
    fn blemish(&self, row: &Row, email: &str, password: &str) -> Option<String> {
        let keys = self.keys.get(&row.id).cloned().unwrap_or_default();
        let events = self.events.get(&row.id).cloned().unwrap_or_default();
        if keys != [("email".to_owned(), email.to_owned())] {
            return Some(format!("{email} has the keys {keys:?}"));
        }
        if events != ["user.registered"] {
            return Some(format!("{email} has the events {events:?}"));
        }
        if self.kept.get(&row.id) != Some(&1) {
            return Some(format!("{email} has no answer, or several, under its idempotency key"));
        }
        (!opens(&row.phc, password)).then(|| format!("{email} does not open with its password"))
    }

    /// Keys and events whose user is not there.
    fn orphans(&self) -> Vec<String> {
        let mut ids: Vec<&String> = self.users.values().flatten().map(|row| &row.id).collect();
        ids.sort_unstable();
        let nobody = |id: &&String| ids.binary_search(id).is_err();
        let keys = self.keys.keys().filter(nobody).map(|id| format!("keys of nobody, user {id}"));
        keys.chain(self.events.keys().filter(nobody).map(|id| format!("an event of nobody, user {id}")))
            .collect()
    }
}

/// Judges. The server must have ended, or at least all that was sent must have been answered.
pub(super) async fn judge(journal: &Journal, url: &str) -> Verdict {
    let mut told: BTreeMap<usize, Told> = BTreeMap::new();
    for line in journal.read() {
        let about = told.entry(line.number).or_default();
        match line.told {
            None => about.sent += 1,
            Some((200..300, id)) => {
                about.created += 1;
                about.ids.insert(id);
            }
            Some((409, _)) => about.taken += 1,
            // Whoever is told to come again, or that something failed, may be there.
            Some((500 | 503, _)) => {}
            Some((400 | 422, _)) => about.refused += 1,
            Some((other, _)) => panic!("status {other} for a sign-up"),
        }
    }
    let contents = Contents::of(url).await;
    let mut verdict = Verdict { half_made: contents.orphans(), ..Verdict::default() };
    for (number, told) in &told {
        verdict.weigh(&contents, *number, told);
    }
    let known: HashSet<String> = told.keys().map(|number| email(*number)).collect();
    let strangers = contents.users.keys().filter(|email| !known.contains(*email));
    verdict.revived.extend(strangers.map(|email| format!("nobody sent {email}")));
    verdict
}

impl Verdict {
    fn weigh(&mut self, contents: &Contents, number: usize, told: &Told) {
        let email = email(number);
        let rows = contents.users.get(&email).map_or(&[][..], Vec::as_slice);
        self.acknowledged += usize::from(told.created > 0);
        self.unknown += usize::from(told.is_doubtful());
        self.refused += usize::from(told.created == 0 && !told.is_doubtful());
        if rows.len() > 1 || told.ids.len() > 1 {
            self.doubled.push(format!("{email}: {} users, told as {:?}", rows.len(), told.ids));
        }
        // The control tells a success without knowing the account.
        let is_told = |row: &Row| told.ids.iter().all(|id| *id == row.id || id == "-");
        if told.created > 0 && !rows.iter().any(is_told) {
            self.lost.push(email.clone());
        }
        if rows.is_empty() && told.created == 0 && told.taken > 0 || told.taken > 0 && told.sent == told.taken
        {
            self.falsely_taken.push(email.clone());
        }
        if !rows.is_empty() && told.created == 0 && !told.is_doubtful() {
            self.revived.push(email.clone());
        }
        self.half_made.extend(rows.iter().filter_map(|row| contents.blemish(row, &email, &password(number))));
    }
}

/// Whether a password belongs to a PHC string, computed by another implementation than the server's.
fn opens(phc: &str, password: &str) -> bool {
    let parts: Vec<&str> = phc.split('$').collect();
    let ["", "argon2id", "v=19", cost, salt, hash] = parts[..] else { return false };
    let number = |name: &str| {
        cost.split(',').find_map(|part| part.strip_prefix(name)?.parse::<u32>().ok()).expect("a cost")
    };
    let params = Params::new(number("m="), number("t="), number("p="), Some(32)).expect("a possible cost");
    let salt = STANDARD_NO_PAD.decode(salt).expect("a salt");
    let mut out = [0; 32];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(password.as_bytes(), &salt, &mut out).expect("a hash");
    STANDARD_NO_PAD.decode(hash).is_ok_and(|stored| stored == out)
}
