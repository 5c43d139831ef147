-- What 0002 added to that. Not to be edited.
INSERT INTO idempotency_keys (digest, fingerprint, user_id, reply, expires_at)
    VALUES (CAST('digest of the key of person 0{n}' AS BLOB), CAST('the fingerprint of request 0{n}.' AS BLOB),
            (SELECT id FROM users WHERE email = 'Older{n}@example.com'), x'00ff10', '2086-01-01T00:00:00.000Z');
SELECT count(*) FROM idempotency_keys WHERE digest = CAST('digest of the key of person 0{n}' AS BLOB);
UPDATE idempotency_keys SET repeats = repeats + 1
    WHERE digest = CAST('digest of the key of person 0{n}' AS BLOB) AND expires_at > '2026-11-20T09:30:00.000Z'
    RETURNING fingerprint, reply;
DELETE FROM idempotency_keys
    WHERE digest = CAST('digest of the key of person 0{n}' AS BLOB) AND expires_at <= '2026-11-20T09:30:00.000Z';
DELETE FROM idempotency_keys WHERE digest IN
    (SELECT digest FROM idempotency_keys WHERE expires_at <= '2026-11-20T09:30:00.000Z' ORDER BY expires_at LIMIT 1000);
SELECT id, kind, user_id, at, payload FROM events WHERE id > '00000000-0000-0000-0000-000000000000' ORDER BY id LIMIT 9;
