-- What Vestibule asked of the schema 0001, with person {n} in the place of the parameters. Not to be edited: programs that
-- ask this may be running while a newer one migrates.
SELECT nextval('users_id_seq');
WITH account AS (
    INSERT INTO users (id, public_id, email, username, name, first_name, last_name, password, extra,
                       created_at, updated_at)
    VALUES (currval('users_id_seq'), '019a0000-0000-7000-8000-000000000{n}'::uuid, 'Older{n}@example.com'::text,
            'older{n}'::text, 'Ol''der "{n}" Ωß'::text, 'Old'::text, ''::text, '{phc}'::text,
            '{"plan":"free","n":{n}}'::json, '2026-11-20T09:30:00.{n}Z'::timestamptz,
            '2026-11-20T09:30:00.{n}Z'::timestamptz)
), claims AS (
    INSERT INTO user_keys (kind, value, user_id)
    SELECT kind, value, currval('users_id_seq')
    FROM unnest('{email,username}'::text[], '{older{n}@example.com,older{n}}'::text[]) AS claim (kind, value)
), event AS (
    INSERT INTO events (id, kind, user_id, at, payload)
    VALUES ('019a0000-0000-7000-9000-000000000{n}'::uuid, 'user.registered'::text, currval('users_id_seq'),
            '2026-11-20T09:30:00.{n}Z'::timestamptz, '{"n":{n}}'::json)
)
INSERT INTO tokens (digest, name, user_id, expires_at)
SELECT digest, name, currval('users_id_seq'), expires_at
FROM unnest('{digest of {n}}'::text[], '{session}'::text[], '{2086-01-01T00:00:00Z}'::timestamptz[])
    AS token (digest, name, expires_at);
SELECT kind, value FROM user_keys
    WHERE (kind, value) IN (SELECT * FROM unnest('{email}'::text[], '{older{n}@example.com}'::text[]))
    UNION ALL SELECT 'public_id', public_id::text FROM users WHERE public_id = '019a0000-0000-7000-8000-000000000{n}'::uuid;
SELECT id, public_id, email, username, name, first_name, last_name, extra, status, version, created_at, updated_at,
       ARRAY(SELECT kind FROM user_keys WHERE user_id = users.id ORDER BY kind, value)
    FROM users
    WHERE id = (SELECT user_id FROM user_keys WHERE kind = 'email'::text AND value = 'older{n}@example.com'::text);
SELECT password FROM users WHERE id = 1::bigint;
SELECT count(*) FROM (SELECT 1 FROM users LIMIT 1) AS first;
