-- 0004: proofs of work that were used.

-- A solution counts once: it is written here, before a password is hashed for it. A row outlives its challenge a little,
-- because the clocks of several processes differ, and is then removed.
CREATE TABLE spent_proofs (
    -- The challenge that was solved, 32 bytes; it is random and means nothing afterwards.
    digest      bytea CONSTRAINT spent_proofs_pkey PRIMARY KEY CHECK (octet_length(digest) = 32),
    -- HMAC-SHA-256 of the request that used it, if that may be repeated under its idempotency key: that very request passes
    -- again, a few times.
    request     bytea CHECK (octet_length(request) = 32),
    -- How often it has passed.
    uses        bigint NOT NULL DEFAULT 1,
    -- From this moment on the row means nothing.
    expires_at  timestamptz NOT NULL
);

CREATE INDEX spent_proofs_expires_at ON spent_proofs (expires_at);
