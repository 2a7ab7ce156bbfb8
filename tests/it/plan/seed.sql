-- COUNT identities with what a living Kratos v1.3.1 has of each: credential, identifier, session, device, mail.
SET synchronous_commit = off;
-- No foreign key is checked: the rows are made to fit.
SET session_replication_role = replica;
INSERT INTO networks VALUES ('00000000-0000-0000-0000-000000000001', now(), now());
CREATE TEMP TABLE person AS
  SELECT g, md5('i' || g)::uuid AS i, md5('c' || g)::uuid AS c, md5('s' || g)::uuid AS s,
         '00000000-0000-0000-0000-000000000001'::uuid AS n, (SELECT id FROM identity_credential_types WHERE name = 'password') AS t
  FROM generate_series(1, COUNT) g;
INSERT INTO identities (id, schema_id, traits, created_at, updated_at, nid, state)
  SELECT i, 'default',
         jsonb_build_object('email', 'user' || g || '@example.org', 'name', jsonb_build_object('first', 'First' || g, 'last', 'Last' || g)),
         now(), now(), n, 'active' FROM person;
INSERT INTO identity_credentials (id, config, identity_credential_type_id, identity_id, created_at, updated_at, nid, version)
  SELECT c, jsonb_build_object('hashed_password', '$argon2id$v=19$m=131072,t=3,p=1$' || md5(g::text) || '$' || md5(i::text) || md5(c::text)),
         t, i, now(), now(), n, 0 FROM person;
INSERT INTO identity_credential_identifiers
    (id, identifier, identity_credential_id, created_at, updated_at, nid, identity_credential_type_id)
  SELECT md5('x' || g)::uuid, 'user' || g || '@example.org', c, now(), now(), n, t FROM person;
INSERT INTO sessions
    (id, issued_at, expires_at, authenticated_at, identity_id, created_at, updated_at, token, active, nid, logout_token, aal,
     authentication_methods)
  SELECT s, now(), now(), now(), i, now(), now(), 't' || left(md5('t' || g), 38), true, n, left(md5('l' || g), 38), 'aal1',
         '[{"method": "password", "aal": "aal1", "completed_at": "2026-01-01T00:00:00Z"}]' FROM person;
INSERT INTO session_devices (id, ip_address, user_agent, location, nid, session_id, created_at, updated_at)
  SELECT md5('d' || g)::uuid, '10.0.0.1', 'Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0', '', n, s,
         now(), now() FROM person;
INSERT INTO courier_messages
    (id, type, status, body, subject, recipient, created_at, updated_at, template_type, nid, send_count)
  SELECT md5('m' || g)::uuid, 1, 2, repeat('Hello, please verify your address by entering the following code. ', 5),
         'Please verify', 'user' || g || '@example.org', now(), now(), 'verification_code_valid', n, 0 FROM person;
