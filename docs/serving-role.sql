-- The rights of a PostgreSQL role that serves sign-ups and changes no tables. As the tables' owner, after Vestibule has made them:
--
--     CREATE ROLE vestibule LOGIN PASSWORD '...';
--     \i serving-role.sql
--
-- Start Vestibule once as the owner after each update that brings new tables (it refuses to serve as this role until then), and give
-- these rights again.
GRANT USAGE ON SCHEMA public TO vestibule;
GRANT SELECT ON vestibule_migrations TO vestibule;
GRANT SELECT, INSERT, UPDATE ON users TO vestibule;
GRANT USAGE ON SEQUENCE users_id_seq TO vestibule;
GRANT SELECT, INSERT ON user_keys, events, tokens TO vestibule;
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys, spent_proofs, rate_limits, audit TO vestibule;
