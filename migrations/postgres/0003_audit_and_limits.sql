-- 0003: the record of attempts, and rate limits that several processes share.

-- One row per attempt to sign up, or one for several refusals that were counted together. Written after the answer, and
-- only when `audit.store` asks for it. Nothing that a client wrote is here.
CREATE TABLE audit (
    -- UUID version 7, which sorts by time: the id of the request; one of its own where several were counted together.
    id               uuid PRIMARY KEY,
    -- When the request came; of several, when they were counted.
    at               timestamptz NOT NULL,
    -- The contract's name; '-' when nothing answers there.
    contract         text NOT NULL,
    -- How it ended: 'created', 'taken', 'invalid', ...
    outcome          text NOT NULL,
    -- The answer's status; NULL when the client left before there was one.
    status           smallint,
    -- The client's network as CIDR (an IPv4 address, an IPv6 /64); NULL when it is not known.
    network          text,
    -- The public id of the account that was made.
    user_id          uuid,
    -- The address and the user name that were claimed, as keyed hashes (HMAC-SHA-256, its first 16 bytes).
    email_digest     bytea CHECK (octet_length(email_digest) = 16),
    username_digest  bytea CHECK (octet_length(username_digest) = 16),
    -- How many requests this row stands for.
    attempts         bigint NOT NULL DEFAULT 1 CHECK (attempts > 0)
);

-- How close somebody is to a rate limit. UNLOGGED: it is not worth a sync of the disk, a crash empties it, and the
-- commits of accounts are as durable as ever.
CREATE UNLOGGED TABLE rate_limits (
    -- HMAC-SHA-256 of the limit, its rate, the contract and whom it counts: the first 16 bytes.
    digest  bytea CONSTRAINT rate_limits_pkey PRIMARY KEY CHECK (octet_length(digest) = 16),
    -- Up to when the tries so far fill the time, in microseconds of Unix time by this server's clock. A row of the past
    -- means nothing. There is no index on it, so that counting a try rewrites no index.
    until   bigint NOT NULL
) WITH (fillfactor = 50);
