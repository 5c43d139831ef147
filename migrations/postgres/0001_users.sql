-- 0001: users, their unique keys, events and issued tokens.
-- The same number means the same in migrations/sqlite. A released migration is never edited: its checksum is
-- recorded in `vestibule_migrations`, and a difference stops the start.

-- One row per person. The names are those of the tables that such applications already have, so that other programs
-- can go on reading it. Text columns hold '' when nothing was given.
CREATE TABLE users (
    -- The serial number. It is drawn before the row is written, so a refused sign-up leaves a gap.
    id          bigserial PRIMARY KEY,
    -- UUID version 7 (RFC 9562): the id that may be shown to strangers.
    public_id   uuid NOT NULL CONSTRAINT users_public_id_key UNIQUE,
    -- The three names as written.
    first_name  varchar(255) NOT NULL DEFAULT '',
    last_name   varchar(255) NOT NULL DEFAULT '',
    name        varchar(255) NOT NULL DEFAULT '',
    -- The address as written; its unique, normalised form stands in user_keys.
    email       varchar(255) NOT NULL DEFAULT '',
    -- An Argon2id PHC string, never a password; '' means that nobody can sign in with one.
    password    varchar(255) NOT NULL DEFAULT '',
    -- The user name as written; its unique, case-mapped form stands in user_keys.
    username    varchar(255) NOT NULL DEFAULT '',
    -- 'active' is the only status so far.
    status      text NOT NULL DEFAULT 'active',
    -- Counts the changes of this row, from 1.
    version     bigint NOT NULL DEFAULT 1,
    -- What a contract declares beyond these columns: one JSON object. `json` keeps it as it was written, members in
    -- their order; `jsonb` would not. The bound is the last line of defence; a request is held to a narrower one.
    extra       json NOT NULL DEFAULT '{}'
                CHECK (json_typeof(extra) = 'object' AND octet_length(extra::text) <= 65536),
    -- Vestibule writes whole milliseconds.
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);

-- Every claim that only one user can have. The primary key alone decides who was first.
CREATE TABLE user_keys (
    -- 'email', 'username', 'id', or 'extra.<name>' for what a contract declares unique.
    kind     text COLLATE "C" NOT NULL,
    -- The normalised value, compared byte by byte. A longer one would not fit the index.
    value    text COLLATE "C" NOT NULL CHECK (octet_length(value) <= 2048),
    -- Whose claim it is.
    user_id  bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT user_keys_pkey PRIMARY KEY (kind, value)
);

CREATE INDEX user_keys_user_id ON user_keys (user_id);

-- What happened, written in the transaction in which it happened: mails and webhooks are sent from here.
CREATE TABLE events (
    -- UUID version 7: stable, so that a receiver can tell a repetition; sorts by time.
    id       uuid PRIMARY KEY,
    -- 'user.registered'.
    kind     text NOT NULL,
    -- The user it is about. No foreign key: the event outlives its user.
    user_id  bigint NOT NULL,
    -- When.
    at       timestamptz NOT NULL,
    -- One JSON object, without any secret.
    payload  json NOT NULL DEFAULT '{}' CHECK (json_typeof(payload) = 'object')
);

CREATE INDEX events_user_id ON events (user_id);

-- Opaque tokens that were handed out. The token itself is not here and cannot be computed from what is.
CREATE TABLE tokens (
    -- Lower-case hex SHA-256 of the token.
    digest      text COLLATE "C" PRIMARY KEY,
    -- What it is for: the name that the contract gave it.
    name        text NOT NULL,
    -- Whose it is.
    user_id     bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- From this moment on it opens nothing.
    expires_at  timestamptz NOT NULL
);

CREATE INDEX tokens_user_id ON tokens (user_id);
