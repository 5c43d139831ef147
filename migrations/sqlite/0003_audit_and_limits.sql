-- 0003: the record of attempts, and rate limits that several processes share.

-- One row per attempt to sign up, or one for several refusals that were counted together. Written after the answer, and
-- only when `audit.store` asks for it. Nothing that a client wrote is here.
CREATE TABLE audit (
    -- UUID version 7, which sorts by time: the id of the request; one of its own where several were counted together.
    id               TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    -- When the request came, written like users.created_at; of several, when they were counted.
    at               TEXT NOT NULL,
    -- The contract's name; '-' when nothing answers there.
    contract         TEXT NOT NULL,
    -- How it ended: 'created', 'taken', 'invalid', ...
    outcome          TEXT NOT NULL,
    -- The answer's status; NULL when the client left before there was one.
    status           INTEGER,
    -- The client's network as CIDR (an IPv4 address, an IPv6 /64); NULL when it is not known.
    network          TEXT,
    -- The public id of the account that was made.
    user_id          TEXT,
    -- The address and the user name that were claimed, as keyed hashes (HMAC-SHA-256, its first 16 bytes).
    email_digest     BLOB CHECK (length(email_digest) = 16),
    username_digest  BLOB CHECK (length(username_digest) = 16),
    -- How many requests this row stands for.
    attempts         INTEGER NOT NULL DEFAULT 1 CHECK (attempts > 0)
) STRICT, WITHOUT ROWID;

-- How close somebody is to a rate limit. It is written without a sync of the disk where nothing else is written with it.
CREATE TABLE rate_limits (
    -- HMAC-SHA-256 of the limit, its rate, the contract and whom it counts: the first 16 bytes.
    digest  BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 16),
    -- Up to when the tries so far fill the time, in microseconds of Unix time by this machine's clock. A row of the past
    -- means nothing.
    until   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
