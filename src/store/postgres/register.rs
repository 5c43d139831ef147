//! One registration: draw the number, seal the reply, write everything in one statement.
//!
//! No transaction is ever open while something else is waited for: the statement is its own transaction, so there is
//! no BEGIN to lose, no lock held over a round trip, and one synced commit. The number is drawn before, because the
//! reply that must not fail later contains it; a refused sign-up leaves a gap in the numbers.

use std::time::Duration;

use deadpool_postgres::Client;
use jiff::Timestamp;
use tokio_postgres::types::{Json, Type};

use super::super::Sql;
use super::super::account::{IssuedToken, NewAccount, REGISTERED, Sealed};
use super::super::error::{RegisterError, StoreError};
use super::connections::{DEADLINE, Postgres, discard};
use super::fault::Verdict;
use super::{fault, read};
use crate::user::Key;

const NEXT_ID: Sql = "SELECT nextval('users_id_seq')";

/// User, keys, event, kept answer and tokens, all or nothing. The keys come sorted and are inserted in that order.
const INSERT_ACCOUNT: Sql = "
    WITH account AS (
        INSERT INTO users (id, public_id, email, username, name, first_name, last_name, password, extra,
                           created_at, updated_at)
        VALUES ($1::bigint, $2::uuid, $3::text, $4::text, $5::text, $6::text, $7::text, $8::text, $9::json,
                $10::timestamptz, $10::timestamptz)
    ), claims AS (
        INSERT INTO user_keys (kind, value, user_id)
        SELECT kind, value, $1::bigint FROM unnest($11::text[], $12::text[]) AS claim (kind, value)
    ), event AS (
        INSERT INTO events (id, kind, user_id, at, payload)
        VALUES ($13::uuid, $14::text, $1::bigint, $10::timestamptz, $15::json)
    ), kept AS (
        INSERT INTO idempotency_keys (digest, fingerprint, user_id, reply, expires_at)
        SELECT $19::bytea, $20::bytea, $1::bigint, $21::bytea, $22::timestamptz WHERE $19::bytea IS NOT NULL
    )
    INSERT INTO tokens (digest, name, user_id, expires_at)
    SELECT digest, name, $1::bigint, expires_at
    FROM unnest($16::text[], $17::text[], $18::timestamptz[]) AS token (digest, name, expires_at)";

pub(super) const STATEMENTS: &[Sql] = &[NEXT_ID, INSERT_ACCOUNT];

/// How often the write is tried when the server asks for it (40001, 40P01) or when whoever took the key rolled back.
const ATTEMPTS: u32 = 5;

pub(super) async fn register<T, E>(
    store: &Postgres,
    new: &NewAccount,
    seal: impl FnOnce(i64) -> Result<Sealed<T>, E>,
) -> Result<T, RegisterError<E>> {
    let (client, rows) = store.ask(NEXT_ID, &[]).await.map_err(RegisterError::Unavailable)?;
    let id = rows.first().map(|row| row.try_get(0)).transpose();
    let id = id.map_err(|error| RegisterError::Unavailable(fault::told(&error)))?;
    let id = id.ok_or(RegisterError::Unavailable(StoreError::Undecided))?;
    let Sealed { answer, tokens, kept } = seal(id).map_err(RegisterError::Seal)?;
    match write(client, &Row { id, new, tokens: &tokens, kept: &kept }).await {
        Outcome::Written => Ok(answer),
        Outcome::Taken(keys) => Err(RegisterError::Taken(keys)),
        Outcome::Nothing(error) => Err(RegisterError::Unavailable(error)),
        Outcome::Unknown(error) => Err(RegisterError::Unknown(error)),
    }
}

/// What is written.
struct Row<'a> {
    id: i64,
    new: &'a NewAccount,
    tokens: &'a [IssuedToken],
    kept: &'a [u8],
}

enum Outcome {
    Written,
    Taken(Vec<Key>),
    Nothing(StoreError),
    Unknown(StoreError),
}

async fn write(client: Client, row: &Row<'_>) -> Outcome {
    let mut last = StoreError::Undecided;
    for attempt in 0..ATTEMPTS {
        let result = match tokio::time::timeout(DEADLINE, insert(&client, row)).await {
            Ok(result) => result,
            Err(_) => {
                discard(client);
                return Outcome::Unknown(StoreError::Busy("the server does not answer"));
            }
        };
        let Err(error) = result else { return Outcome::Written };
        last = fault::told(&error);
        match fault::verdict(&error) {
            Verdict::Taken => match read::collisions_of(&client, row.new).await {
                // Whoever held the key has rolled back meanwhile: it is free again.
                Ok(keys) if keys.is_empty() => last = StoreError::Undecided,
                Ok(keys) => return Outcome::Taken(keys),
                Err(error) => return Outcome::Nothing(error),
            },
            Verdict::Again => {}
            Verdict::Unknown => {
                discard(client);
                return Outcome::Unknown(last);
            }
            Verdict::Nothing => {
                if fault::breaks_connection(&error) {
                    discard(client);
                }
                return Outcome::Nothing(last);
            }
        }
        tokio::time::sleep(pause(attempt, row.new)).await;
    }
    Outcome::Nothing(last)
}

/// A few milliseconds, longer each time, and not the same for two that ran into each other: the event's id is
/// random enough for that.
fn pause(attempt: u32, new: &NewAccount) -> Duration {
    let jitter = u64::from(new.event_id.as_bytes()[15]) % 16;
    Duration::from_millis((5 << attempt) + jitter)
}

/// Runs the one statement. It returns only when the server is ready again, which is after its commit; the row count
/// alone would come earlier.
async fn insert(client: &Client, row: &Row<'_>) -> Result<u64, tokio_postgres::Error> {
    let Row { id, new, tokens, kept } = row;
    let user = &new.user;
    let (kinds, values): (Vec<&str>, Vec<&str>) =
        new.keys.iter().map(|key| (key.kind.as_str(), key.value.as_str())).unzip();
    let digests: Vec<&str> = tokens.iter().map(|token| token.digest.as_str()).collect();
    let names: Vec<&str> = tokens.iter().map(|token| token.name.as_str()).collect();
    let expiries: Vec<Timestamp> = tokens.iter().map(|token| token.expires_at).collect();
    let (extra, payload) = (Json(&user.extra), Json(new.event_payload()));
    let repetition = new.repetition.as_ref();
    let digest = repetition.map(|r| r.digest.as_slice());
    let fingerprint = repetition.map(|r| r.fingerprint.as_slice());
    let until = repetition.map(|r| r.expires_at);
    client
        .execute_typed(
            INSERT_ACCOUNT,
            &[
                (id, Type::INT8),
                (&new.public_id, Type::UUID),
                (&user.email, Type::TEXT),
                (&user.username, Type::TEXT),
                (&user.name, Type::TEXT),
                (&user.first_name, Type::TEXT),
                (&user.last_name, Type::TEXT),
                (&new.password, Type::TEXT),
                (&extra, Type::JSON),
                (&new.created_at, Type::TIMESTAMPTZ),
                (&kinds, Type::TEXT_ARRAY),
                (&values, Type::TEXT_ARRAY),
                (&new.event_id, Type::UUID),
                (&REGISTERED, Type::TEXT),
                (&payload, Type::JSON),
                (&digests, Type::TEXT_ARRAY),
                (&names, Type::TEXT_ARRAY),
                (&expiries, Type::TIMESTAMPTZ_ARRAY),
                (&digest, Type::BYTEA),
                (&fingerprint, Type::BYTEA),
                (kept, Type::BYTEA),
                (&until, Type::TIMESTAMPTZ),
            ],
        )
        .await
}
