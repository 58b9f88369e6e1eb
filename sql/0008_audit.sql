-- SPDX-License-Identifier: ISC
-- Views for people with psql: GRANT pappus_auditor TO them.  No digests: who
-- may audit needs none.  Serials, key ids and hashes of public keys are bytea,
-- written '\x0198…', so that looking one up uses its index.

CREATE VIEW audit.devices AS
SELECT d.device_id, d.project_id, p.name AS project, d.label, d.external_id,
	d.state, d.enrollment_token_id, d.enrolled_at, d.enrolled_from,
	d.request_id, d.identity_issued_at
FROM pappus.devices d
LEFT JOIN pappus.projects p USING (project_id);

CREATE VIEW audit.certificates AS
SELECT c.serial,
	CASE
	WHEN r.reason = 6 THEN 'hold'
	WHEN r.serial IS NOT NULL THEN 'revoked'
	WHEN c.not_after <= now() THEN 'expired'
	ELSE 'valid'
	END AS status,
	c.profile, c.device_id, c.subject, d.project_id, p.name AS project,
	c.issuer_id, i.name AS issuer, c.issued_at, c.not_before, c.not_after,
	c.spki_sha256, c.address, c.request_id, r.reason, r.revoked_at,
	r.actor AS revoked_by, r.origin AS revoked_how, r.comment
FROM pappus.certificates c
LEFT JOIN pappus.issuers i USING (issuer_id)
LEFT JOIN pappus.devices d USING (device_id)
LEFT JOIN pappus.projects p USING (project_id)
LEFT JOIN pappus.revocations r ON r.serial = c.serial;

CREATE VIEW audit.revocations AS
SELECT r.serial, r.issuer_id, i.name AS issuer, c.device_id, c.subject,
	r.reason, r.revoked_at, r.actor, r.origin, r.comment, r.not_after
FROM pappus.revocations r
LEFT JOIN pappus.issuers i USING (issuer_id)
LEFT JOIN pappus.certificates c ON c.serial = r.serial;

CREATE VIEW audit.enrollment_tokens AS
SELECT t.enrollment_token_id, t.project_id, p.name AS project,
	CASE
	WHEN t.invalidated_at <= now() THEN 'invalidated'
	WHEN t.expires_at <= now() THEN 'expired'
	ELSE 'active'
	END AS state,
	t.created_at, t.expires_at, t.invalidated_at,
	(SELECT count(*) FROM pappus.devices d
	WHERE d.enrollment_token_id = t.enrollment_token_id) AS devices
FROM pappus.enrollment_tokens t
JOIN pappus.projects p USING (project_id);

CREATE VIEW audit.operator_actions AS
SELECT a.action_id, a.acted_at, a.actor, t.name AS actor_name,
	t.role AS actor_role, a.database_role, a.address, a.request_id, a.action,
	a.object_id, a.project_id, a.reason, a.before, a.after
FROM pappus.operator_actions a
LEFT JOIN pappus.admin_tokens t ON t.admin_token_id = a.actor;

CREATE VIEW audit.issuers AS
SELECT i.issuer_id, i.parent_id, i.purpose, i.state, i.name,
	i.ski, sha256(i.certificate) AS certificate_sha256,
	i.not_before, i.not_after, i.crl_url, i.ca_url, i.trust_domain,
	i.registered_at
FROM pappus.issuers i;

GRANT SELECT ON ALL TABLES IN SCHEMA audit TO pappus_auditor;
