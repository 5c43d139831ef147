-- 0001: users, their unique keys, events and issued tokens.
-- The same number means the same in migrations/postgres. A released migration is never edited: its checksum is
-- recorded in `vestibule_migrations`, and a difference stops the start.

-- "VSTB": by this mark in the file's header Vestibule knows its own files and refuses everybody else's.
PRAGMA application_id = 0x56535442;

-- One row per person. The names are those of the tables that such applications already have, so that other programs
-- can go on reading it. Text columns hold '' when nothing was given.
CREATE TABLE users (
    -- The serial number, given in order; AUTOINCREMENT never hands out a deleted user's number again.
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    -- UUID version 7 (RFC 9562), 36 lower-case characters: the id that may be shown to strangers.
    public_id   TEXT NOT NULL UNIQUE CHECK (length(public_id) = 36),
    -- The three names as written. SQLite does not enforce varchar(255); the CHECKs do, in code points as PostgreSQL.
    first_name  varchar(255) NOT NULL DEFAULT '' CHECK (length(first_name) <= 255),
    last_name   varchar(255) NOT NULL DEFAULT '' CHECK (length(last_name) <= 255),
    name        varchar(255) NOT NULL DEFAULT '' CHECK (length(name) <= 255),
    -- The address as written; its unique, normalised form stands in user_keys.
    email       varchar(255) NOT NULL DEFAULT '' CHECK (length(email) <= 255),
    -- An Argon2id PHC string, never a password; '' means that nobody can sign in with one.
    password    varchar(255) NOT NULL DEFAULT '' CHECK (length(password) <= 255),
    -- The user name as written; its unique, case-mapped form stands in user_keys.
    username    varchar(255) NOT NULL DEFAULT '' CHECK (length(username) <= 255),
    -- 'active' is the only status so far.
    status      TEXT NOT NULL DEFAULT 'active',
    -- Counts the changes of this row, from 1.
    version     INTEGER NOT NULL DEFAULT 1,
    -- What a contract declares beyond these columns: one JSON object. The bound is the last line of defence;
    -- a request is held to a narrower one.
    extra       TEXT NOT NULL DEFAULT '{}' CHECK (json_type(extra) = 'object' AND octet_length(extra) <= 65536),
    -- ISO 8601 in UTC with milliseconds, e.g. 2026-11-20T09:30:00.000Z: sorts as text.
    created_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

-- Every claim that only one user can have. The primary key alone decides who was first.
CREATE TABLE user_keys (
    -- 'email', 'username', 'id', or 'extra.<name>' for what a contract declares unique.
    kind     TEXT NOT NULL,
    -- The normalised value, compared byte by byte. The bound is PostgreSQL's: a longer one does not fit its index.
    value    TEXT NOT NULL CHECK (octet_length(value) <= 2048),
    -- Whose claim it is.
    user_id  INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT user_keys_pkey PRIMARY KEY (kind, value)
) STRICT, WITHOUT ROWID;

CREATE INDEX user_keys_user_id ON user_keys (user_id);

-- What happened, written in the transaction in which it happened: mails and webhooks are sent from here.
CREATE TABLE events (
    -- UUID version 7: stable, so that a receiver can tell a repetition; sorts by time.
    id       TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    -- 'user.registered'.
    kind     TEXT NOT NULL,
    -- The user it is about. No foreign key: the event outlives its user.
    user_id  INTEGER NOT NULL,
    -- When, written like users.created_at.
    at       TEXT NOT NULL,
    -- One JSON object, without any secret.
    payload  TEXT NOT NULL DEFAULT '{}' CHECK (json_type(payload) = 'object')
) STRICT, WITHOUT ROWID;

CREATE INDEX events_user_id ON events (user_id);

-- Opaque tokens that were handed out. The token itself is not here and cannot be computed from what is.
CREATE TABLE tokens (
    -- Lower-case hex SHA-256 of the token.
    digest      TEXT NOT NULL PRIMARY KEY,
    -- What it is for: the name that the contract gave it.
    name        TEXT NOT NULL,
    -- Whose it is.
    user_id     INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- From this moment on it opens nothing; written like users.created_at.
    expires_at  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX tokens_user_id ON tokens (user_id);
