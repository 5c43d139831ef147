-- The rights of a PostgreSQL role that serves sign-ups and changes no tables. As the tables' owner, after Vestibule has made them:
--
--     CREATE ROLE vestibule_serving LOGIN PASSWORD '...';
--     \i serving-role.sql
--
-- Start Vestibule once as the owner after each update that brings new tables (it refuses to serve as this role until then), and give
-- these rights again.
-- Before PostgreSQL 15 everybody may make tables here; only the owner of the schema can change that.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO vestibule_serving;
GRANT SELECT ON vestibule_migrations TO vestibule_serving;
GRANT SELECT, INSERT, UPDATE ON users TO vestibule_serving;
GRANT USAGE ON SEQUENCE users_id_seq TO vestibule_serving;
GRANT SELECT, INSERT ON user_keys, events, tokens TO vestibule_serving;
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys, spent_proofs, rate_limits, audit TO vestibule_serving;
