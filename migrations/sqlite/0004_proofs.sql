-- 0004: proofs of work that were used.

-- A solution counts once: it is written here, before a password is hashed for it. A row outlives its challenge a little,
-- because the clocks of several processes differ, and is then removed.
CREATE TABLE spent_proofs (
    -- The challenge that was solved, 32 bytes; it is random and means nothing afterwards.
    digest      BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    -- HMAC-SHA-256 of the request that used it, if that may be repeated under its idempotency key: that very request passes
    -- again, a few times.
    request     BLOB CHECK (length(request) = 32),
    -- How often it has passed.
    uses        INTEGER NOT NULL DEFAULT 1,
    -- From this moment on the row means nothing; written like users.created_at.
    expires_at  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX spent_proofs_expires_at ON spent_proofs (expires_at);
