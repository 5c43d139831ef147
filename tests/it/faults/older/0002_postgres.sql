-- What 0002 added to that. Not to be edited.
INSERT INTO idempotency_keys (digest, fingerprint, user_id, reply, expires_at)
    SELECT 'digest of the key of person 0{n}'::bytea, 'the fingerprint of request 0{n}.'::bytea,
           (SELECT id FROM users WHERE email = 'Older{n}@example.com'), '\x00ff10'::bytea,
           '2086-01-01T00:00:00Z'::timestamptz;
WITH forgotten AS (
    DELETE FROM idempotency_keys WHERE digest = 'digest of the key of person 0{n}'::bytea
        AND expires_at <= '2026-11-20T09:30:00Z'::timestamptz
)
UPDATE idempotency_keys SET repeats = repeats + 1 WHERE digest = 'digest of the key of person 0{n}'::bytea
    AND expires_at > '2026-11-20T09:30:00Z'::timestamptz
    RETURNING fingerprint, reply;
WITH purged AS (
    DELETE FROM idempotency_keys WHERE digest IN
        (SELECT digest FROM idempotency_keys WHERE expires_at <= '2026-11-20T09:30:00Z'::timestamptz
         ORDER BY expires_at LIMIT 1000 FOR UPDATE SKIP LOCKED)
    RETURNING 1
) SELECT count(*) FROM purged;
SELECT id, kind, user_id, at, payload FROM events
    WHERE id > '00000000-0000-0000-0000-000000000000'::uuid ORDER BY id LIMIT 9::bigint;
