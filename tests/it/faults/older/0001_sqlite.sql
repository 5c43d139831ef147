-- What Vestibule asked of the schema 0001, with person {n} in the place of the parameters. Not to be edited: programs that
-- ask this may be running while a newer one migrates.
BEGIN IMMEDIATE;
INSERT INTO users (public_id, email, username, name, first_name, last_name, password, extra, created_at, updated_at)
    VALUES ('019a0000-0000-7000-8000-000000000{n}', 'Older{n}@example.com', 'older{n}', 'Ol''der "{n}" Ωß', 'Old', '',
            '{phc}', '{"plan":"free","n":{n}}', '2026-11-20T09:30:00.{n}Z', '2026-11-20T09:30:00.{n}Z')
    RETURNING id;
INSERT INTO user_keys (kind, value, user_id)
    VALUES ('email', 'older{n}@example.com', (SELECT id FROM users WHERE email = 'Older{n}@example.com'));
INSERT INTO user_keys (kind, value, user_id)
    VALUES ('username', 'older{n}', (SELECT id FROM users WHERE email = 'Older{n}@example.com'));
INSERT INTO events (id, kind, user_id, at, payload)
    VALUES ('019a0000-0000-7000-9000-000000000{n}', 'user.registered',
            (SELECT id FROM users WHERE email = 'Older{n}@example.com'), '2026-11-20T09:30:00.{n}Z', '{"n":{n}}');
INSERT INTO tokens (digest, name, user_id, expires_at)
    VALUES ('digest of {n}', 'session', (SELECT id FROM users WHERE email = 'Older{n}@example.com'), '2086-01-01T00:00:00.000Z');
COMMIT;
SELECT count(*) FROM users WHERE public_id = '019a0000-0000-7000-8000-000000000{n}';
SELECT count(*) FROM user_keys WHERE kind = 'email' AND value = 'older{n}@example.com';
SELECT id, public_id, email, username, name, first_name, last_name, extra, status, version, created_at, updated_at
    FROM users WHERE id = (SELECT user_id FROM user_keys WHERE kind = 'email' AND value = 'older{n}@example.com');
SELECT password FROM users WHERE id = 1;
SELECT count(*) FROM (SELECT 1 FROM users LIMIT 1);
