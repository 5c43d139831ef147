-- 0002: answers that are given again to the same request under the same idempotency key.

-- Written with the account that the answer tells about. Neither the key, nor the request, nor the answer can be read
-- from a row: the first two are keyed hashes, and what the third is encrypted with is made of the client's own key.
CREATE TABLE idempotency_keys (
    -- HMAC-SHA-256 of the scope and the key that the client sent, 32 bytes.
    digest       BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    -- HMAC-SHA-256 of the request, 32 bytes: by it a repetition is told from another request.
    fingerprint  BLOB NOT NULL CHECK (length(fingerprint) = 32),
    -- The account. With it goes the answer about it.
    user_id      INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- The answer, encrypted (AES-256-GCM: nonce, ciphertext, tag).
    reply        BLOB NOT NULL,
    -- From this moment on the key means nothing; written like users.created_at.
    expires_at   TEXT NOT NULL,
    -- How often the answer was given again.
    repeats      INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_keys_expires_at ON idempotency_keys (expires_at);
CREATE INDEX idempotency_keys_user_id ON idempotency_keys (user_id);
