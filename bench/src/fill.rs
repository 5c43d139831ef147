//! Many accounts at once: what as many registrations would have left in `users`, `user_keys` and `events`, written by a
//! few large statements. The addresses are scattered as real ones are; ids and times ascend as real ones do.

use rusqlite::Connection;

use crate::database::{self, Database};

/// The address of the account with this number, which [`fill`] has made.
pub fn address(number: u64) -> String {
    format!("user{:08x}@example.com", (number * 2_654_435_761) % 4_294_967_296)
}

/// Fills a database that has the schema and that no server has open.
pub async fn fill(database: &Database, users: u64) -> anyhow::Result<()> {
    let with = |sql: &str| sql.replace("{users}", &users.to_string());
    match &database.postgres {
        Some(postgres) => database::connect(&postgres.url()).await?.batch_execute(&with(POSTGRES)).await?,
        None => Connection::open(database.file())?.execute_batch(&with(SQLITE))?,
    }
    Ok(())
}

/// 2026-01-01 and a millisecond more for every account. Keys go in by value and their other index is built at the end,
/// so that every index is written in its own order.
const SQLITE: &str = "
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    PRAGMA foreign_keys = OFF;
    PRAGMA cache_size = -500000;
    DROP INDEX user_keys_user_id;
    BEGIN;
    WITH RECURSIVE number (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < {users}),
         moment (i, at) AS (SELECT i, 1767225600000 + i FROM number)
    INSERT INTO users (public_id, first_name, last_name, email, password, extra, created_at, updated_at)
    SELECT printf('%08x-%04x-7%03x-%04x-%012x', at >> 16, at & 65535, random() & 4095,
                  32768 | (random() & 16383), random() & 281474976710655),
           'Jane', 'Doe', printf('user%08x@example.com', (i * 2654435761) % 4294967296),
           '$argon2id$v=19$m=19456,t=2,p=1$' || substr(hex(randomblob(11)), 1, 22) || '$'
               || substr(hex(randomblob(22)), 1, 43),
           '{}', strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch'),
           strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch')
    FROM moment;
    INSERT INTO user_keys (kind, value, user_id) SELECT 'email', email, id FROM users ORDER BY email;
    INSERT INTO events (id, kind, user_id, at, payload)
    SELECT substr(public_id, 1, 15) || printf('%03x-%04x-%012x', random() & 4095, 32768 | (random() & 16383),
                                              random() & 281474976710655),
           'user.registered', id, created_at,
           json_object('public_id', public_id, 'email', email, 'username', username)
    FROM users ORDER BY id;
    COMMIT;
    CREATE INDEX user_keys_user_id ON user_keys (user_id);
    PRAGMA journal_mode = WAL;";

/// `replica` leaves out the look-up of every foreign key, which holds by construction.
const POSTGRES: &str = "
    SET session_replication_role = replica;
    SET maintenance_work_mem = '512MB';
    SET work_mem = '256MB';
    DROP INDEX user_keys_user_id;
    INSERT INTO users (public_id, first_name, last_name, email, password, created_at, updated_at)
    SELECT (lpad(to_hex(1767225600000 + i), 12, '0') || '7' || substr(md5(i::text), 1, 3) || '8'
                || substr(md5(i::text), 4, 15))::uuid,
           'Jane', 'Doe', 'user' || lpad(to_hex((i * 2654435761) % 4294967296), 8, '0') || '@example.com',
           '$argon2id$v=19$m=19456,t=2,p=1$' || substr(md5('salt' || i), 1, 22) || '$'
               || substr(md5('one' || i) || md5('two' || i), 1, 43),
           timestamptz '2026-01-01 00:00:00Z' + i * interval '1 millisecond',
           timestamptz '2026-01-01 00:00:00Z' + i * interval '1 millisecond'
    FROM generate_series(1::bigint, {users}) AS number (i);
    INSERT INTO user_keys (kind, value, user_id)
    SELECT 'email', email, id FROM users ORDER BY email COLLATE \"C\";
    INSERT INTO events (id, kind, user_id, at, payload)
    SELECT (substr(replace(public_id::text, '-', ''), 1, 13) || substr(md5('event' || id), 1, 3) || '8'
                || substr(md5('event' || id), 4, 15))::uuid,
           'user.registered', id, created_at,
           json_build_object('public_id', public_id, 'email', email, 'username', username)
    FROM users ORDER BY id;
    CREATE INDEX user_keys_user_id ON user_keys (user_id);
    ANALYZE;
    CHECKPOINT;";
