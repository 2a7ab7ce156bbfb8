--- 20150100000001000000 up
CREATE TABLE networks (id UUID PRIMARY KEY, created_at TIMESTAMP NOT NULL, updated_at TIMESTAMP NOT NULL);
--- 20150100000001000000 down
DROP TABLE networks;
--- 20191100000001000000 up
CREATE TABLE identities (
  id UUID PRIMARY KEY,
  traits_schema_id VARCHAR(2048) NOT NULL,
  traits JSONB NOT NULL,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL
);
--- 20191100000001000000 down
DROP TABLE identities;
--- 20191100000001000001 up
CREATE TABLE identity_credential_types (id UUID PRIMARY KEY, name VARCHAR(32) NOT NULL);
--- 20191100000001000001 down
DROP TABLE identity_credential_types;
--- 20191100000001000002 up
CREATE UNIQUE INDEX identity_credential_types_name_idx ON identity_credential_types (name);
--- 20191100000001000002 down
DROP INDEX identity_credential_types_name_idx;
--- 20191100000001000003 up
CREATE TABLE identity_credentials (
  id UUID PRIMARY KEY,
  config JSONB NOT NULL,
  identity_credential_type_id UUID NOT NULL REFERENCES identity_credential_types (id) ON DELETE CASCADE,
  identity_id UUID NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL
);
--- 20191100000001000003 down
DROP TABLE identity_credentials;
--- 20191100000001000004 up
CREATE TABLE identity_credential_identifiers (
  id UUID PRIMARY KEY,
  identifier VARCHAR(255) NOT NULL,
  identity_credential_id UUID NOT NULL REFERENCES identity_credentials (id) ON DELETE CASCADE,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL
);
--- 20191100000001000004 down
DROP TABLE identity_credential_identifiers;
--- 20191100000001000005 up
CREATE UNIQUE INDEX identity_credential_identifiers_identifier_idx ON identity_credential_identifiers (identifier);
--- 20191100000001000005 down
DROP INDEX identity_credential_identifiers_identifier_idx;
--- 20191100000002000000 up
CREATE TABLE selfservice_login_requests (
  id UUID PRIMARY KEY,
  request_url VARCHAR(2048) NOT NULL,
  issued_at TIMESTAMP NOT NULL,
  expires_at TIMESTAMP NOT NULL,
  active_method VARCHAR(32) NOT NULL,
  csrf_token VARCHAR(255) NOT NULL,
  internal_context JSONB NOT NULL,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL
);
--- 20191100000002000000 down
DROP TABLE selfservice_login_requests;
--- 20191100000002000001 up
CREATE TABLE selfservice_registration_requests (
  id UUID PRIMARY KEY,
  request_url VARCHAR(2048) NOT NULL,
  issued_at TIMESTAMP NOT NULL,
  expires_at TIMESTAMP NOT NULL,
  active_method VARCHAR(32) NOT NULL,
  csrf_token VARCHAR(255) NOT NULL,
  internal_context JSONB NOT NULL,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL
);
--- 20191100000002000001 down
DROP TABLE selfservice_registration_requests;
--- 20191100000002000002 up
CREATE TABLE selfservice_settings_requests (
  id UUID PRIMARY KEY,
  identity_id UUID NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
  request_url VARCHAR(2048) NOT NULL,
  issued_at TIMESTAMP NOT NULL,
  expires_at TIMESTAMP NOT NULL,
  active_method VARCHAR(32),
  internal_context JSONB NOT NULL,
  state VARCHAR(255) NOT NULL DEFAULT 'show_form',
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL
);
--- 20191100000002000002 down
DROP TABLE selfservice_settings_requests;
--- 20191100000003000000 up
CREATE TABLE sessions (
  id UUID PRIMARY KEY,
  issued_at TIMESTAMP NOT NULL,
  expires_at TIMESTAMP NOT NULL,
  authenticated_at TIMESTAMP NOT NULL,
  identity_id UUID NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL
);
--- 20191100000003000000 down
DROP TABLE sessions;
--- 20191100000004000000 up
CREATE TABLE selfservice_errors (
  id UUID PRIMARY KEY,
  errors JSONB NOT NULL,
  seen_at TIMESTAMP,
  was_seen BOOLEAN NOT NULL,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL
);
--- 20191100000004000000 down
DROP TABLE selfservice_errors;
--- 20191100000006000000 up
CREATE TABLE courier_messages (
  id UUID PRIMARY KEY,
  type INT NOT NULL,
  status INT NOT NULL,
  body TEXT NOT NULL,
  subject VARCHAR(255) NOT NULL,
  recipient VARCHAR(255) NOT NULL,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL
);
--- 20191100000006000000 down
DROP TABLE courier_messages;
--- 20191100000007000000 up
ALTER TABLE selfservice_errors ADD COLUMN csrf_token VARCHAR(255) NOT NULL DEFAULT '';
--- 20191100000007000000 down
ALTER TABLE selfservice_errors DROP COLUMN csrf_token;
--- 20191100000008000000 up
CREATE TABLE identity_verifiable_addresses (
  id UUID PRIMARY KEY,
  status VARCHAR(16) NOT NULL,
  via VARCHAR(16) NOT NULL,
  verified BOOLEAN NOT NULL,
  value VARCHAR(400) NOT NULL,
  verified_at TIMESTAMP,
  identity_id UUID NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL
);
--- 20191100000008000000 down
DROP TABLE identity_verifiable_addresses;
--- 20191100000008000003 up
CREATE UNIQUE INDEX identity_verifiable_addresses_status_via_uq_idx ON identity_verifiable_addresses (via, value);
--- 20191100000008000003 down
DROP INDEX identity_verifiable_addresses_status_via_uq_idx;
--- 20191100000008000005 up
CREATE TABLE selfservice_verification_requests (
  id UUID PRIMARY KEY,
  request_url VARCHAR(2048) NOT NULL,
  issued_at TIMESTAMP NOT NULL,
  expires_at TIMESTAMP NOT NULL,
  active_method VARCHAR(32),
  csrf_token VARCHAR(255) NOT NULL,
  state VARCHAR(255) NOT NULL DEFAULT 'show_form',
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL
);
--- 20191100000008000005 down
DROP TABLE selfservice_verification_requests;
--- 20200401183443000000 up
CREATE TABLE continuity_containers (
  id UUID PRIMARY KEY,
  identity_id UUID REFERENCES identities (id) ON DELETE CASCADE,
  name VARCHAR(255) NOT NULL,
  payload JSONB,
  expires_at TIMESTAMP NOT NULL,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL
);
--- 20200401183443000000 down
DROP TABLE continuity_containers;
--- 20200519101057000000 up
CREATE TABLE identity_recovery_addresses (
  id UUID PRIMARY KEY,
  via VARCHAR(16) NOT NULL,
  value VARCHAR(400) NOT NULL,
  identity_id UUID NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL
);
--- 20200519101057000000 down
DROP TABLE identity_recovery_addresses;
--- 20200519101057000001 up
CREATE UNIQUE INDEX identity_recovery_addresses_status_via_uq_idx ON identity_recovery_addresses (via, value);
--- 20200519101057000001 down
DROP INDEX identity_recovery_addresses_status_via_uq_idx;
--- 20200519101057000003 up
CREATE TABLE selfservice_recovery_requests (
  id UUID PRIMARY KEY,
  request_url VARCHAR(2048) NOT NULL,
  issued_at TIMESTAMP NOT NULL,
  expires_at TIMESTAMP NOT NULL,
  recovered_identity_id UUID REFERENCES identities (id) ON DELETE CASCADE,
  active_method VARCHAR(32),
  csrf_token VARCHAR(255) NOT NULL,
  state VARCHAR(32) NOT NULL,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL
);
--- 20200519101057000003 down
DROP TABLE selfservice_recovery_requests;
--- 20200519101057000005 up
CREATE TABLE identity_recovery_tokens (
  id UUID PRIMARY KEY,
  token VARCHAR(64) NOT NULL,
  used BOOLEAN NOT NULL DEFAULT false,
  used_at TIMESTAMP,
  identity_recovery_address_id UUID REFERENCES identity_recovery_addresses (id) ON DELETE CASCADE,
  selfservice_recovery_flow_id UUID,
  identity_id UUID NOT NULL REFERENCES identities (id) ON UPDATE RESTRICT ON DELETE CASCADE,
  token_type INT NOT NULL DEFAULT 0 CHECK (token_type = 1 OR token_type = 2),
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL
);
--- 20200519101057000005 down
DROP TABLE identity_recovery_tokens;
--- 20200705105359000000 up
ALTER TABLE identities RENAME COLUMN traits_schema_id TO schema_id;
--- 20200705105359000000 down
ALTER TABLE identities RENAME COLUMN schema_id TO traits_schema_id;
--- 20200810161022000000 up
ALTER TABLE selfservice_login_requests RENAME TO selfservice_login_flows;
--- 20200810161022000000 down
ALTER TABLE selfservice_login_flows RENAME TO selfservice_login_requests;
--- 20200810161022000002 up
ALTER TABLE selfservice_registration_requests RENAME TO selfservice_registration_flows;
--- 20200810161022000002 down
ALTER TABLE selfservice_registration_flows RENAME TO selfservice_registration_requests;
--- 20200810161022000004 up
ALTER TABLE selfservice_settings_requests RENAME TO selfservice_settings_flows;
--- 20200810161022000004 down
ALTER TABLE selfservice_settings_flows RENAME TO selfservice_settings_requests;
--- 20200810161022000006 up
ALTER TABLE selfservice_recovery_requests RENAME TO selfservice_recovery_flows;
--- 20200810161022000006 down
ALTER TABLE selfservice_recovery_flows RENAME TO selfservice_recovery_requests;
--- 20200810161022000008 up
ALTER TABLE selfservice_verification_requests RENAME TO selfservice_verification_flows;
--- 20200810161022000008 down
ALTER TABLE selfservice_verification_flows RENAME TO selfservice_verification_requests;
--- 20200812124254000003 up
ALTER TABLE sessions ADD COLUMN token VARCHAR(39) NOT NULL;
--- 20200812124254000003 down
ALTER TABLE sessions DROP COLUMN token;
--- 20200812124254000004 up
CREATE UNIQUE INDEX sessions_token_uq_idx ON sessions (token);
--- 20200812124254000004 down
DROP INDEX sessions_token_uq_idx;
--- 20200812160551000000 up
ALTER TABLE sessions ADD COLUMN active BOOLEAN DEFAULT false;
--- 20200812160551000000 down
ALTER TABLE sessions DROP COLUMN active;
--- 20200830154602000000 up
CREATE TABLE identity_verification_tokens (
  id UUID PRIMARY KEY,
  token VARCHAR(64) NOT NULL,
  used BOOLEAN NOT NULL DEFAULT false,
  used_at TIMESTAMP,
  expires_at TIMESTAMP NOT NULL,
  issued_at TIMESTAMP NOT NULL,
  identity_verifiable_address_id UUID NOT NULL REFERENCES identity_verifiable_addresses (id) ON DELETE CASCADE,
  selfservice_verification_flow_id UUID,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL
);
--- 20200830154602000000 down
DROP TABLE identity_verification_tokens;
--- 20201201161451000000 up
INSERT INTO identity_credential_types (id, name) VALUES (gen_random_uuid(), 'password') ON CONFLICT DO NOTHING;
--- 20201201161451000000 down
DELETE FROM identity_credential_types WHERE name = 'password';
--- 20201201161451000001 up
INSERT INTO identity_credential_types (id, name) VALUES (gen_random_uuid(), 'oidc') ON CONFLICT DO NOTHING;
--- 20201201161451000001 down
DELETE FROM identity_credential_types WHERE name = 'oidc';
--- 20210307130558000000 up
CREATE INDEX courier_messages_status_idx ON courier_messages (status);
--- 20210307130558000000 down
DROP INDEX courier_messages_status_idx;
--- 20210307130559000000 up
ALTER TABLE courier_messages ADD COLUMN template_type VARCHAR(255) NOT NULL DEFAULT '';
--- 20210307130559000000 down
ALTER TABLE courier_messages DROP COLUMN template_type;
--- 20210307130559000001 up
ALTER TABLE courier_messages ADD COLUMN template_data BYTEA;
--- 20210307130559000001 down
ALTER TABLE courier_messages DROP COLUMN template_data;
--- 20210410175418000000 up
ALTER TABLE selfservice_login_flows ADD COLUMN nid UUID REFERENCES networks (id) ON UPDATE RESTRICT ON DELETE CASCADE;
--- 20210410175418000000 down
ALTER TABLE selfservice_login_flows DROP COLUMN nid;
--- 20210410175418000005 up
ALTER TABLE selfservice_registration_flows ADD COLUMN nid UUID REFERENCES networks (id) ON UPDATE RESTRICT ON DELETE CASCADE;
--- 20210410175418000005 down
ALTER TABLE selfservice_registration_flows DROP COLUMN nid;
--- 20210410175418000010 up
ALTER TABLE selfservice_settings_flows ADD COLUMN nid UUID REFERENCES networks (id) ON UPDATE RESTRICT ON DELETE CASCADE;
--- 20210410175418000010 down
ALTER TABLE selfservice_settings_flows DROP COLUMN nid;
--- 20210410175418000015 up
ALTER TABLE selfservice_recovery_flows ADD COLUMN nid UUID REFERENCES networks (id) ON UPDATE RESTRICT ON DELETE CASCADE;
--- 20210410175418000015 down
ALTER TABLE selfservice_recovery_flows DROP COLUMN nid;
--- 20210410175418000020 up
ALTER TABLE selfservice_verification_flows ADD COLUMN nid UUID REFERENCES networks (id) ON UPDATE RESTRICT ON DELETE CASCADE;
--- 20210410175418000020 down
ALTER TABLE selfservice_verification_flows DROP COLUMN nid;
--- 20210410175418000025 up
ALTER TABLE selfservice_errors ADD COLUMN nid UUID REFERENCES networks (id) ON UPDATE RESTRICT ON DELETE CASCADE;
--- 20210410175418000025 down
ALTER TABLE selfservice_errors DROP COLUMN nid;
--- 20210410175418000030 up
ALTER TABLE sessions ADD COLUMN nid UUID REFERENCES networks (id) ON UPDATE RESTRICT ON DELETE CASCADE;
--- 20210410175418000030 down
ALTER TABLE sessions DROP COLUMN nid;
--- 20210410175418000035 up
ALTER TABLE identities ADD COLUMN nid UUID REFERENCES networks (id) ON UPDATE RESTRICT ON DELETE CASCADE;
CREATE INDEX identities_nid_idx ON identities (id, nid);
--- 20210410175418000035 down
ALTER TABLE identities DROP COLUMN nid;
--- 20210410175418000040 up
ALTER TABLE identity_credentials ADD COLUMN nid UUID REFERENCES networks (id) ON UPDATE RESTRICT ON DELETE CASCADE;
CREATE INDEX identity_credentials_nid_idx ON identity_credentials (id, nid);
--- 20210410175418000040 down
ALTER TABLE identity_credentials DROP COLUMN nid;
--- 20210410175418000046 up
ALTER TABLE identity_credential_identifiers ADD COLUMN nid UUID REFERENCES networks (id) ON UPDATE RESTRICT ON DELETE CASCADE;
--- 20210410175418000046 down
ALTER TABLE identity_credential_identifiers DROP COLUMN nid;
--- 20210410175418000052 up
ALTER TABLE identity_verifiable_addresses ADD COLUMN nid UUID REFERENCES networks (id) ON UPDATE RESTRICT ON DELETE CASCADE;
--- 20210410175418000052 down
ALTER TABLE identity_verifiable_addresses DROP COLUMN nid;
--- 20210410175418000058 up
DROP INDEX identity_verifiable_addresses_status_via_uq_idx;
CREATE UNIQUE INDEX identity_verifiable_addresses_status_via_uq_idx ON identity_verifiable_addresses (nid, via, value);
--- 20210410175418000058 down
DROP INDEX identity_verifiable_addresses_status_via_uq_idx;
CREATE UNIQUE INDEX identity_verifiable_addresses_status_via_uq_idx ON identity_verifiable_addresses (via, value);
--- 20210410175418000061 up
ALTER TABLE courier_messages ADD COLUMN nid UUID REFERENCES networks (id) ON UPDATE RESTRICT ON DELETE CASCADE;
--- 20210410175418000061 down
ALTER TABLE courier_messages DROP COLUMN nid;
--- 20210410175418000066 up
ALTER TABLE identity_recovery_addresses ADD COLUMN nid UUID REFERENCES networks (id) ON UPDATE RESTRICT ON DELETE CASCADE;
--- 20210410175418000066 down
ALTER TABLE identity_recovery_addresses DROP COLUMN nid;
--- 20210410175418000070 up
DROP INDEX identity_recovery_addresses_status_via_uq_idx;
CREATE UNIQUE INDEX identity_recovery_addresses_status_via_uq_idx ON identity_recovery_addresses (nid, via, value);
--- 20210410175418000070 down
DROP INDEX identity_recovery_addresses_status_via_uq_idx;
CREATE UNIQUE INDEX identity_recovery_addresses_status_via_uq_idx ON identity_recovery_addresses (via, value);
--- 20210410175418000071 up
ALTER TABLE identity_recovery_tokens ADD COLUMN nid UUID REFERENCES networks (id) ON UPDATE RESTRICT ON DELETE CASCADE;
--- 20210410175418000071 down
ALTER TABLE identity_recovery_tokens DROP COLUMN nid;
--- 20210410175418000080 up
ALTER TABLE identity_verification_tokens ADD COLUMN nid UUID REFERENCES networks (id) ON UPDATE RESTRICT ON DELETE CASCADE;
--- 20210410175418000080 down
ALTER TABLE identity_verification_tokens DROP COLUMN nid;
--- 20210410175418000085 up
ALTER TABLE continuity_containers ADD COLUMN nid UUID REFERENCES networks (id) ON UPDATE RESTRICT ON DELETE CASCADE;
--- 20210410175418000085 down
ALTER TABLE continuity_containers DROP COLUMN nid;
--- 20210504121624000000 up
ALTER TABLE identities ADD COLUMN state VARCHAR(255) NOT NULL DEFAULT 'active';
--- 20210504121624000000 down
ALTER TABLE identities DROP COLUMN state;
--- 20210504121624000001 up
ALTER TABLE identities ADD COLUMN state_changed_at TIMESTAMP;
--- 20210504121624000001 down
ALTER TABLE identities DROP COLUMN state_changed_at;
--- 20210618103120000000 up
ALTER TABLE sessions ADD COLUMN logout_token VARCHAR(39);
--- 20210618103120000000 down
ALTER TABLE sessions DROP COLUMN logout_token;
--- 20210805122535000000 up
INSERT INTO identity_credential_types (id, name) VALUES (gen_random_uuid(), 'totp') ON CONFLICT DO NOTHING;
--- 20210805122535000000 down
DELETE FROM identity_credential_types WHERE name = 'totp';
--- 20210810153530000000 up
ALTER TABLE sessions ADD COLUMN aal VARCHAR(4) NOT NULL DEFAULT '';
--- 20210810153530000000 down
ALTER TABLE sessions DROP COLUMN aal;
--- 20210810153530000002 up
ALTER TABLE sessions ADD COLUMN authentication_methods JSONB NOT NULL DEFAULT '[]';
--- 20210810153530000002 down
ALTER TABLE sessions DROP COLUMN authentication_methods;
--- 20210813150152000000 up
INSERT INTO identity_credential_types (id, name) VALUES (gen_random_uuid(), 'lookup_secret') ON CONFLICT DO NOTHING;
--- 20210813150152000000 down
DELETE FROM identity_credential_types WHERE name = 'lookup_secret';
--- 20210816113956000000 up
INSERT INTO identity_credential_types (id, name) VALUES (gen_random_uuid(), 'webauthn') ON CONFLICT DO NOTHING;
--- 20210816113956000000 down
DELETE FROM identity_credential_types WHERE name = 'webauthn';
--- 20210817181232000000 up
DROP INDEX identity_credential_identifiers_identifier_idx;
--- 20210817181232000000 down
CREATE UNIQUE INDEX identity_credential_identifiers_identifier_idx ON identity_credential_identifiers (identifier);
--- 20210817181232000001 up
ALTER TABLE identity_credential_identifiers ADD COLUMN identity_credential_type_id UUID;
--- 20210817181232000001 down
ALTER TABLE identity_credential_identifiers DROP COLUMN identity_credential_type_id;
--- 20210817181232000005 up
CREATE UNIQUE INDEX identity_credential_identifiers_identifier_nid_type_uq_idx
  ON identity_credential_identifiers (nid, identity_credential_type_id, identifier);
--- 20210817181232000005 down
DROP INDEX identity_credential_identifiers_identifier_nid_type_uq_idx;
--- 20220118104539000000 up
CREATE INDEX identity_credential_identifiers_identity_credential_id_idx ON identity_credential_identifiers (identity_credential_id);
--- 20220118104539000000 down
DROP INDEX identity_credential_identifiers_identity_credential_id_idx;
--- 20220301102701000000 up
ALTER TABLE identity_credentials ADD COLUMN version INT NOT NULL DEFAULT 0;
--- 20220301102701000000 down
ALTER TABLE identity_credentials DROP COLUMN version;
--- 20220420102701000000 up
ALTER TABLE identities ADD COLUMN metadata_public JSONB, ADD COLUMN metadata_admin JSONB;
--- 20220420102701000000 down
ALTER TABLE identities DROP COLUMN metadata_public, DROP COLUMN metadata_admin;
--- 20220802103909000000 up
ALTER TABLE courier_messages ADD COLUMN send_count INT NOT NULL DEFAULT 0;
--- 20220802103909000000 down
ALTER TABLE courier_messages DROP COLUMN send_count;
--- 20220901123209000000 up
CREATE TABLE identity_recovery_codes (
  id UUID PRIMARY KEY,
  code VARCHAR(64) NOT NULL,
  used_at TIMESTAMP,
  identity_recovery_address_id UUID REFERENCES identity_recovery_addresses (id) ON DELETE CASCADE,
  code_type INT NOT NULL,
  expires_at TIMESTAMP NOT NULL,
  issued_at TIMESTAMP NOT NULL,
  selfservice_recovery_flow_id UUID NOT NULL REFERENCES selfservice_recovery_flows (id) ON DELETE CASCADE,
  identity_id UUID NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
  nid UUID NOT NULL REFERENCES networks (id) ON UPDATE RESTRICT ON DELETE CASCADE,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL
);
--- 20220901123209000000 down
DROP TABLE identity_recovery_codes;
--- 20220907132836000000 up
CREATE TABLE session_devices (
  id UUID PRIMARY KEY,
  ip_address VARCHAR(50) DEFAULT '',
  user_agent VARCHAR(512) DEFAULT '',
  location VARCHAR(512) DEFAULT '',
  nid UUID NOT NULL REFERENCES networks (id) ON UPDATE RESTRICT ON DELETE CASCADE,
  session_id UUID NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL
);
CREATE INDEX session_devices_session_id_idx ON session_devices (session_id);
--- 20220907132836000000 down
DROP TABLE session_devices;
--- 20221024182336000000 up
CREATE TABLE identity_verification_codes (
  id UUID PRIMARY KEY,
  code_hmac VARCHAR(64) NOT NULL,
  used_at TIMESTAMP,
  identity_verifiable_address_id UUID REFERENCES identity_verifiable_addresses (id) ON DELETE CASCADE,
  expires_at TIMESTAMP NOT NULL,
  issued_at TIMESTAMP NOT NULL,
  selfservice_verification_flow_id UUID NOT NULL REFERENCES selfservice_verification_flows (id) ON DELETE CASCADE,
  nid UUID NOT NULL REFERENCES networks (id) ON UPDATE RESTRICT ON DELETE CASCADE,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL
);
--- 20221024182336000000 down
DROP TABLE identity_verification_codes;
--- 20221205092803000000 up
CREATE TABLE courier_message_dispatches (
  id UUID PRIMARY KEY,
  message_id UUID NOT NULL REFERENCES courier_messages (id) ON DELETE CASCADE,
  status VARCHAR(7) NOT NULL,
  error JSONB,
  nid UUID NOT NULL REFERENCES networks (id) ON UPDATE RESTRICT ON DELETE CASCADE,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL
);
--- 20221205092803000000 down
DROP TABLE courier_message_dispatches;
--- 20221214101328000000 up
CREATE INDEX sessions_identity_id_nid_idx ON sessions (identity_id, nid);
CREATE INDEX identity_credentials_identity_id_idx ON identity_credentials (identity_id);
CREATE INDEX identity_verifiable_addresses_identity_id_idx ON identity_verifiable_addresses (identity_id);
CREATE INDEX identity_recovery_addresses_identity_id_idx ON identity_recovery_addresses (identity_id);
--- 20221214101328000000 down
DROP INDEX sessions_identity_id_nid_idx;
DROP INDEX identity_credentials_identity_id_idx;
DROP INDEX identity_verifiable_addresses_identity_id_idx;
DROP INDEX identity_recovery_addresses_identity_id_idx;
--- 20230405000000000001 up
CREATE TABLE session_token_exchanges (
  id UUID PRIMARY KEY,
  nid UUID NOT NULL REFERENCES networks (id) ON UPDATE RESTRICT ON DELETE CASCADE,
  flow_id UUID NOT NULL,
  session_id UUID,
  init_code VARCHAR(64) NOT NULL,
  return_to_code VARCHAR(64) NOT NULL,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL
);
--- 20230405000000000001 down
DROP TABLE session_token_exchanges;
--- 20230706000000000001 up
ALTER TABLE identities ADD COLUMN available_aal VARCHAR(4);
--- 20230706000000000001 down
ALTER TABLE identities DROP COLUMN available_aal;
--- 20230707133700000000 up
CREATE TABLE identity_login_codes (
  id UUID PRIMARY KEY,
  code VARCHAR(64) NOT NULL,
  address VARCHAR(255) NOT NULL,
  address_type CHAR(36) NOT NULL,
  used_at TIMESTAMP,
  expires_at TIMESTAMP NOT NULL,
  issued_at TIMESTAMP NOT NULL,
  selfservice_login_flow_id UUID NOT NULL REFERENCES selfservice_login_flows (id) ON DELETE CASCADE,
  identity_id UUID NOT NULL,
  nid UUID NOT NULL REFERENCES networks (id) ON UPDATE RESTRICT ON DELETE CASCADE,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL
);
--- 20230707133700000000 down
DROP TABLE identity_login_codes;
--- 20230707133700000001 up
CREATE TABLE identity_registration_codes (
  id UUID PRIMARY KEY,
  code VARCHAR(64) NOT NULL,
  address VARCHAR(255) NOT NULL,
  address_type CHAR(36) NOT NULL,
  used_at TIMESTAMP,
  expires_at TIMESTAMP NOT NULL,
  issued_at TIMESTAMP NOT NULL,
  selfservice_registration_flow_id UUID NOT NULL REFERENCES selfservice_registration_flows (id) ON DELETE CASCADE,
  nid UUID NOT NULL REFERENCES networks (id) ON UPDATE RESTRICT ON DELETE CASCADE,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL
);
--- 20230707133700000001 down
DROP TABLE identity_registration_codes;
--- 20230712173852000000 up
INSERT INTO identity_credential_types (id, name) VALUES (gen_random_uuid(), 'code') ON CONFLICT DO NOTHING;
--- 20230712173852000000 down
DELETE FROM identity_credential_types WHERE name = 'code';
--- 20230907085000000000 up
ALTER TABLE identities ADD COLUMN organization_id UUID;
--- 20230907085000000000 down
ALTER TABLE identities DROP COLUMN organization_id;
--- 20230920171028000000 up
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS btree_gin;
CREATE INDEX identity_credential_identifiers_nid_identifier_gin ON identity_credential_identifiers USING GIN (nid, identifier gin_trgm_ops);
--- 20230920171028000000 down
DROP INDEX identity_credential_identifiers_nid_identifier_gin;
--- 20231108111100000000 up
INSERT INTO identity_credential_types (id, name) VALUES (gen_random_uuid(), 'passkey') ON CONFLICT DO NOTHING;
--- 20231108111100000000 down
DELETE FROM identity_credential_types WHERE name = 'passkey';
--- 20231130094628000000 up
ALTER TABLE courier_messages ADD COLUMN channel VARCHAR(32);
--- 20231130094628000000 down
ALTER TABLE courier_messages DROP COLUMN channel;
--- 20240119094628000000 up
CREATE INDEX sessions_list_idx ON sessions (nid, created_at DESC, id ASC);
--- 20240119094628000000 down
DROP INDEX sessions_list_idx;
--- 20240318143139000000 up
DROP INDEX identity_credential_identifiers_nid_identifier_gin;
--- 20240318143139000000 down
CREATE INDEX identity_credential_identifiers_nid_identifier_gin ON identity_credential_identifiers USING GIN (nid, identifier gin_trgm_ops);
--- 20240923095000000001 up
CREATE INDEX identities_organization_id_idx ON identities (organization_id);
--- 20240923095000000001 down
DROP INDEX identities_organization_id_idx;
--- 20241023142500000001 up
CREATE INDEX identity_credentials_identity_id_nid_idx ON identity_credentials (identity_id, nid);
DROP INDEX identity_credentials_identity_id_idx;
--- 20241023142500000001 down
CREATE INDEX identity_credentials_identity_id_idx ON identity_credentials (identity_id);
DROP INDEX identity_credentials_identity_id_nid_idx;
--- 20241023142500000002 up
CREATE INDEX sessions_identity_id_nid_sorted_idx ON sessions (identity_id, nid, authenticated_at DESC);
DROP INDEX sessions_identity_id_nid_idx;
--- 20241023142500000002 down
CREATE INDEX sessions_identity_id_nid_idx ON sessions (identity_id, nid);
DROP INDEX sessions_identity_id_nid_sorted_idx;
--- 20241023142500000003 up
CREATE INDEX identity_credential_identifiers_ici_nid_i_idx ON identity_credential_identifiers (identity_credential_id, nid, identifier);
DROP INDEX identity_credential_identifiers_identity_credential_id_idx;
--- 20241023142500000003 down
CREATE INDEX identity_credential_identifiers_identity_credential_id_idx ON identity_credential_identifiers (identity_credential_id);
DROP INDEX identity_credential_identifiers_ici_nid_i_idx;
--- 20241029102200000001 up
CREATE INDEX selfservice_settings_flows_identity_id_nid_idx ON selfservice_settings_flows (identity_id, nid);
CREATE INDEX selfservice_recovery_flows_recovered_identity_id_idx ON selfservice_recovery_flows (recovered_identity_id);
--- 20241029102200000001 down
DROP INDEX selfservice_settings_flows_identity_id_nid_idx;
DROP INDEX selfservice_recovery_flows_recovered_identity_id_idx;
--- 20241029153900000001 up
DROP INDEX IF EXISTS identities_nid_idx;
--- 20241029153900000001 down
CREATE INDEX IF NOT EXISTS identities_nid_idx ON identities (id, nid);
--- 20241031094100000001 up
CREATE INDEX IF NOT EXISTS session_devices_session_id_nid_idx ON session_devices (session_id, nid);
DROP INDEX IF EXISTS session_devices_session_id_idx;
CREATE INDEX IF NOT EXISTS courier_messages_nid_created_at_idx ON courier_messages (nid, created_at DESC);
--- 20241031094100000001 down
CREATE INDEX IF NOT EXISTS session_devices_session_id_idx ON session_devices (session_id);
DROP INDEX IF EXISTS session_devices_session_id_nid_idx;
DROP INDEX IF EXISTS courier_messages_nid_created_at_idx;
--- 20241031094100000002 up
ALTER TABLE identity_login_codes ADD CONSTRAINT identity_login_codes_identity_id_fk FOREIGN KEY (identity_id) REFERENCES identities (id) ON DELETE CASCADE;
--- 20241031094100000002 down
ALTER TABLE identity_login_codes DROP CONSTRAINT identity_login_codes_identity_id_fk;
--- 20241106142200000001 up
CREATE INDEX IF NOT EXISTS identities_id_nid_idx ON identities (id, nid);
--- 20241106142200000001 down
DROP INDEX IF EXISTS identities_id_nid_idx;
--- 20241106142200000002 up
CREATE INDEX IF NOT EXISTS identities_nid_id_idx ON identities (nid, id);
--- 20241106142200000002 down
DROP INDEX IF EXISTS identities_nid_id_idx;
--- 20241108105000000001 up
DROP INDEX IF EXISTS identities_id_nid_idx;
DROP INDEX IF EXISTS courier_messages_status_idx;
--- 20241108105000000001 down
CREATE INDEX IF NOT EXISTS identities_id_nid_idx ON identities (id, nid);
CREATE INDEX IF NOT EXISTS courier_messages_status_idx ON courier_messages (status);
--- 20241203105600000000 up
INSERT INTO identity_credential_types (id, name) VALUES (gen_random_uuid(), 'saml') ON CONFLICT DO NOTHING;
--- 20241203105600000000 down
DELETE FROM identity_credential_types WHERE name = 'saml';
--- 20250505150900000000 up
ALTER TABLE identity_login_codes ALTER COLUMN address_type TYPE VARCHAR(36);
ALTER TABLE identity_registration_codes ALTER COLUMN address_type TYPE VARCHAR(36);
--- 20250505150900000000 down
ALTER TABLE identity_login_codes ALTER COLUMN address_type TYPE CHAR(36);
ALTER TABLE identity_registration_codes ALTER COLUMN address_type TYPE CHAR(36);
--- 20250708190000000000 up
ALTER TABLE identities ADD COLUMN external_id VARCHAR(64) CHECK (external_id IS NULL OR external_id <> '');
--- 20250708190000000000 down
ALTER TABLE identities DROP COLUMN external_id;
--- 20250708190000000001 up
CREATE UNIQUE INDEX identities_nid_external_id_idx ON identities (nid, external_id) WHERE external_id IS NOT NULL;
--- 20250708190000000001 down
DROP INDEX identities_nid_external_id_idx;
--- 20250710085000000000 up
ALTER TABLE selfservice_login_flows ADD COLUMN identity_schema_id VARCHAR(2048);
ALTER TABLE selfservice_registration_flows ADD COLUMN identity_schema_id VARCHAR(2048);
--- 20250710085000000000 down
ALTER TABLE selfservice_login_flows DROP COLUMN identity_schema_id;
ALTER TABLE selfservice_registration_flows DROP COLUMN identity_schema_id;
--- 20251104000000000000 up
ALTER TABLE identity_credential_identifiers ADD COLUMN identity_id UUID;
ALTER TABLE session_devices ADD COLUMN identity_id UUID;
--- 20251104000000000000 down
ALTER TABLE identity_credential_identifiers DROP COLUMN identity_id;
ALTER TABLE session_devices DROP COLUMN identity_id;
--- 20251105000000000001 up
WITH batch AS (
  SELECT i.id, c.identity_id FROM identity_credential_identifiers i
  JOIN identity_credentials c ON c.id = i.identity_credential_id AND c.nid = i.nid
  WHERE i.identity_id IS NULL LIMIT 10000
)
UPDATE identity_credential_identifiers t SET identity_id = batch.identity_id FROM batch WHERE t.id = batch.id
--- 20251105000000000002 up
WITH batch AS (
  SELECT d.id, s.identity_id FROM session_devices d
  JOIN sessions s ON s.id = d.session_id AND s.nid = d.nid
  WHERE d.identity_id IS NULL LIMIT 10000
)
UPDATE session_devices t SET identity_id = batch.identity_id FROM batch WHERE t.id = batch.id
--- 20251105000000000003 up
ALTER TABLE identity_credential_identifiers
  ALTER COLUMN identity_id SET NOT NULL,
  ADD CONSTRAINT identity_credential_identifiers_identities_id_fk FOREIGN KEY (identity_id) REFERENCES identities (id) ON DELETE CASCADE;
ALTER TABLE session_devices
  ALTER COLUMN identity_id SET NOT NULL,
  ADD CONSTRAINT session_devices_identities_id_fk FOREIGN KEY (identity_id) REFERENCES identities (id) ON DELETE CASCADE;
--- 20251105000000000003 down
ALTER TABLE identity_credential_identifiers
  DROP CONSTRAINT identity_credential_identifiers_identities_id_fk, ALTER COLUMN identity_id DROP NOT NULL;
ALTER TABLE session_devices
  DROP CONSTRAINT session_devices_identities_id_fk, ALTER COLUMN identity_id DROP NOT NULL;
--- 20251105000000000004 up
CREATE INDEX IF NOT EXISTS identity_credential_identifiers_identities_id_idx ON identity_credential_identifiers (identity_id);
CREATE INDEX IF NOT EXISTS session_devices_identities_id_idx ON session_devices (identity_id);
--- 20251105000000000004 down
DROP INDEX IF EXISTS identity_credential_identifiers_identities_id_idx;
DROP INDEX IF EXISTS session_devices_identities_id_idx;
--- 20251215000000000000 up
ALTER TABLE courier_messages ADD COLUMN request_headers JSONB;
--- 20251215000000000000 down
ALTER TABLE courier_messages DROP COLUMN request_headers;
--- 20260114175904000000 up
DROP INDEX IF EXISTS identity_credentials_nid_idx;
--- 20260114175904000000 down
CREATE INDEX IF NOT EXISTS identity_credentials_nid_idx ON identity_credentials (id, nid);
