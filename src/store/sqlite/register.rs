//! One registration inside the writer's transaction.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::{Connection, ErrorCode, Transaction, ffi, params};
use tokio::sync::oneshot;

use super::super::Sql;
use super::super::account::{IDEMPOTENCY_KEY, IssuedToken, NewAccount, PUBLIC_ID, REGISTERED, Sealed};
use super::super::error::{RegisterError, StoreError};
use super::writer::{GroupError, Work};
use super::{read, repeat};
use crate::user::Key;

const INSERT_USER: Sql = "
    INSERT INTO users (public_id, email, username, name, first_name, last_name, password, extra, created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)
    RETURNING id";

const INSERT_KEY: Sql = "INSERT INTO user_keys (kind, value, user_id) VALUES (?1, ?2, ?3)";

const INSERT_EVENT: Sql = "INSERT INTO events (id, kind, user_id, at, payload) VALUES (?1, ?2, ?3, ?4, ?5)";

const INSERT_TOKEN: Sql = "INSERT INTO tokens (digest, name, user_id, expires_at) VALUES (?1, ?2, ?3, ?4)";

const PUBLIC_ID_TAKEN: Sql = "SELECT count(*) FROM users WHERE public_id = ?1";

pub(super) const STATEMENTS: &[Sql] = &[INSERT_USER, INSERT_KEY, INSERT_EVENT, INSERT_TOKEN, PUBLIC_ID_TAKEN];

type Outcome<T, E> = Result<T, RegisterError<E>>;

/// A registration on its way through the writer.
pub(super) struct Registration<T, E, F> {
    account: NewAccount,
    seal: Option<F>,
    outcome: Option<Outcome<T, E>>,
    reply: oneshot::Sender<Outcome<T, E>>,
}

/// Why the inserts of one registration stopped.
enum Stop<E> {
    Sql(rusqlite::Error),
    Seal(E),
    Panicked,
}

impl<E> From<rusqlite::Error> for Stop<E> {
    fn from(error: rusqlite::Error) -> Self {
        Stop::Sql(error)
    }
}

impl<T, E, F> Registration<T, E, F>
where
    F: FnOnce(i64) -> Result<Sealed<T>, E>,
{
    pub(super) fn new(account: NewAccount, seal: F) -> (Self, oneshot::Receiver<Outcome<T, E>>) {
        let (reply, answer) = oneshot::channel();
        (Registration { account, seal: Some(seal), outcome: None, reply }, answer)
    }

    /// The outer error means that the savepoint could be neither kept nor undone.
    fn attempt(&mut self, transaction: &mut Transaction<'_>) -> rusqlite::Result<Outcome<T, E>> {
        let savepoint = transaction.savepoint()?;
        match insert(&savepoint, &self.account, self.seal.take()) {
            Ok(answer) => savepoint.commit().map(|()| Ok(answer)),
            Err(stop) => {
                // Undone first: the look-up would otherwise find this registration's own keys.
                savepoint.finish()?;
                Ok(Err(refusal(transaction, &self.account, stop)))
            }
        }
    }
}

impl<T, E, F> Work for Registration<T, E, F>
where
    T: Send,
    E: Send,
    F: FnOnce(i64) -> Result<Sealed<T>, E> + Send,
{
    fn perform(&mut self, transaction: &mut Transaction<'_>) -> rusqlite::Result<()> {
        self.outcome = Some(self.attempt(transaction)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), GroupError>) {
        let outcome = match (committed, self.outcome) {
            (Ok(()), Some(outcome)) => outcome,
            (Ok(()), None) => Err(RegisterError::Unavailable(StoreError::Closed)),
            // Also for a "taken": the key may have been that of another of the group, which is gone as well.
            (Err(GroupError::Lost(error)), _) => Err(RegisterError::Unavailable(error)),
            (Err(GroupError::Unknown(error)), _) => Err(RegisterError::Unknown(error)),
        };
        // Nobody listens any more when the client's task was cancelled; the account is whole all the same.
        let _ = self.reply.send(outcome);
    }
}

/// Writes one account and gives back the sealed answer.
fn insert<T, E, F>(connection: &Connection, new: &NewAccount, seal: Option<F>) -> Result<T, Stop<E>>
where
    F: FnOnce(i64) -> Result<Sealed<T>, E>,
{
    let id = insert_user(connection, new)?;
    // A panic in foreign code must not end the thread that writes for everybody.
    let sealed = catch_unwind(AssertUnwindSafe(|| seal.map(|seal| seal(id))));
    let sealed = sealed.ok().flatten().ok_or(Stop::Panicked)?.map_err(Stop::Seal)?;
    insert_keys(connection, id, &new.keys)?;
    insert_event(connection, id, new)?;
    insert_tokens(connection, id, &sealed.tokens)?;
    if let Some(repetition) = &new.repetition {
        repeat::keep(connection, id, repetition, &sealed.kept)?;
    }
    Ok(sealed.answer)
}

fn insert_user(connection: &Connection, new: &NewAccount) -> rusqlite::Result<i64> {
    let user = &new.user;
    connection.prepare_cached(INSERT_USER)?.query_row(
        params![
            new.public_id.to_string(),
            user.email,
            user.username,
            user.name,
            user.first_name,
            user.last_name,
            new.password,
            serde_json::Value::Object(user.extra.clone()).to_string(),
            read::moment(new.created_at),
        ],
        |row| row.get(0),
    )
}

fn insert_keys(connection: &Connection, id: i64, keys: &[Key]) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(INSERT_KEY)?;
    keys.iter().try_for_each(|key| statement.execute(params![key.kind, key.value, id]).map(|_| ()))
}

fn insert_event(connection: &Connection, id: i64, new: &NewAccount) -> rusqlite::Result<()> {
    let (event, at) = (new.event_id.to_string(), read::moment(new.created_at));
    let payload = new.event_payload().to_string();
    connection.prepare_cached(INSERT_EVENT)?.execute(params![event, REGISTERED, id, at, payload]).map(|_| ())
}

fn insert_tokens(connection: &Connection, id: i64, tokens: &[IssuedToken]) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(INSERT_TOKEN)?;
    tokens.iter().try_for_each(|token| {
        statement.execute(params![token.digest, token.name, id, read::moment(token.expires_at)]).map(|_| ())
    })
}

/// What a stopped registration is told; for a unique index's refusal, every claim that collides.
fn refusal<E>(connection: &Connection, new: &NewAccount, stop: Stop<E>) -> RegisterError<E> {
    let error = match stop {
        Stop::Seal(error) => return RegisterError::Seal(error),
        Stop::Panicked => return RegisterError::Unavailable(StoreError::Panicked),
        Stop::Sql(error) if !is_unique_violation(&error) => return RegisterError::Unavailable(error.into()),
        Stop::Sql(_) => taken(connection, new),
    };
    match error {
        Ok(keys) if keys.is_empty() => RegisterError::Unavailable(StoreError::Undecided),
        Ok(keys) => RegisterError::Taken(keys),
        Err(error) => RegisterError::Unavailable(error.into()),
    }
}

fn taken(connection: &Connection, new: &NewAccount) -> rusqlite::Result<Vec<Key>> {
    let mut keys = read::collisions(connection, &new.keys)?;
    let value = new.public_id.to_string();
    let same: i64 = connection.prepare_cached(PUBLIC_ID_TAKEN)?.query_row([&value], |row| row.get(0))?;
    if same > 0 {
        keys.push(Key { kind: PUBLIC_ID.to_owned(), value });
    }
    if let Some(repetition) = &new.repetition
        && repeat::is_known(connection, &repetition.digest)?
    {
        // The digest means nothing to anybody, so it need not be told.
        keys.push(Key { kind: IDEMPOTENCY_KEY.to_owned(), value: String::new() });
    }
    Ok(keys)
}

fn is_unique_violation(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|failure| {
        failure.code == ErrorCode::ConstraintViolation
            && matches!(
                failure.extended_code,
                ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_UNIQUE
            )
    })
}
