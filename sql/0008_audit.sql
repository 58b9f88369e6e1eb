-- SPDX-License-Identifier: ISC
-- Views for people with psql: GRANT pappus_auditor TO them.  No digests: who
-- may audit needs none.  Serials, key ids and hashes of public keys are bytea,
-- written '\x0198…', so that looking one up uses its index.
--
-- docs/audit.md asks them the usual questions.  audit.issuers is in 0006.

CREATE VIEW audit.projects AS
SELECT p.project_id, p.name AS project, p.state, p.reissue_policy,
	p.issue_limit, p.device_limit, p.device_issuer_id,
	i.name AS device_issuer, p.created_at
FROM pappus.projects p
LEFT JOIN pappus.issuers i ON i.issuer_id = p.device_issuer_id;

CREATE VIEW audit.devices AS
SELECT d.device_id, d.project_id, p.name AS project, d.label, d.external_id,
	d.state, d.enrollment_token_id, d.enrolled_at, d.enrolled_from,
	d.request_id, d.identity_issued_at
FROM pappus.devices d
LEFT JOIN pappus.projects p USING (project_id);

-- Who is shut out now, and the act that did it.
CREATE VIEW audit.denied_devices AS
SELECT d.device_id, d.project_id, p.name AS project, d.label, d.external_id,
	d.state, a.acted_at AS since, a.actor, t.name AS actor_name, a.reason
FROM
	(SELECT d.device_id, d.project_id, d.label, d.external_id, d.state
	FROM pappus.devices d
	WHERE d.state IN ('denied', 'revoked') AND d.state <> 'active'
	UNION ALL
	-- The database doesn't know these.
	SELECT u.device_id, NULL, NULL, NULL, u.state
	FROM pappus.unknown_devices u) d
LEFT JOIN pappus.projects p USING (project_id)
LEFT JOIN LATERAL
	(SELECT a.acted_at, a.actor, a.reason
	FROM pappus.operator_actions a
	WHERE a.object_id = d.device_id
		AND a.action IN ('device.deny', 'device.revoke')
	ORDER BY a.action_id DESC
	LIMIT 1) a ON true
LEFT JOIN pappus.admin_tokens t ON t.admin_token_id = a.actor;

CREATE VIEW audit.certificates AS
SELECT c.serial,
	CASE
	WHEN r.reason <> 6 THEN 'revoked'
	WHEN i.revoked_at IS NOT NULL THEN 'issuer_revoked'
	WHEN r.serial IS NOT NULL THEN 'hold'
	WHEN c.not_after <= now() THEN 'expired'
	ELSE 'valid'
	END AS status,
	c.profile, c.device_id, c.subject, d.project_id, p.name AS project,
	c.issuer_id, i.name AS issuer, i.state AS issuer_state, c.issued_at,
	c.not_before, c.not_after, c.spki_sha256, c.address, c.request_id,
	r.reason, n.name AS reason_name, r.revoked_at,
	r.actor AS revoked_by, r.origin AS revoked_how, r.comment
FROM pappus.certificates c
LEFT JOIN pappus.issuers i USING (issuer_id)
LEFT JOIN pappus.devices d USING (device_id)
LEFT JOIN pappus.projects p USING (project_id)
LEFT JOIN pappus.revocations r ON r.serial = c.serial
LEFT JOIN pappus.reasons n ON n.reason = r.reason;

-- Also of certificates that the database doesn't know.
CREATE VIEW audit.revocations AS
SELECT r.serial, r.issuer_id, i.name AS issuer, c.device_id, c.subject,
	d.project_id, p.name AS project, r.reason,
	n.name AS reason_name, r.revoked_at, r.actor,
	t.name AS actor_name, r.origin, r.comment, r.not_after
FROM pappus.revocations r
LEFT JOIN pappus.issuers i USING (issuer_id)
LEFT JOIN pappus.certificates c ON c.serial = r.serial
LEFT JOIN pappus.devices d ON d.device_id = c.device_id
LEFT JOIN pappus.projects p ON p.project_id = d.project_id
LEFT JOIN pappus.admin_tokens t ON t.admin_token_id = r.actor
LEFT JOIN pappus.reasons n ON n.reason = r.reason;

CREATE VIEW audit.enrollment_tokens AS
SELECT t.enrollment_token_id, t.project_id, p.name AS project,
	CASE
	WHEN t.invalidated_at <= now() THEN 'invalidated'
	WHEN t.expires_at <= now() THEN 'expired'
	ELSE 'active'
	END AS state,
	t.created_at, t.expires_at, t.invalidated_at, t.max_uses,
	CASE WHEN t.max_uses IS NOT NULL THEN t.uses END AS uses, t.allowed_cidrs,
	(SELECT count(*) FROM pappus.devices d
	WHERE d.enrollment_token_id = t.enrollment_token_id) AS devices,
	(SELECT d.enrolled_at FROM pappus.devices d
	WHERE d.enrollment_token_id = t.enrollment_token_id
	ORDER BY d.device_id DESC
	LIMIT 1) AS last_used_at
FROM pappus.enrollment_tokens t
JOIN pappus.projects p USING (project_id);

CREATE VIEW audit.admin_tokens AS
SELECT t.admin_token_id, t.name, t.role, t.project_id, t.created_at,
	t.expires_at, t.invalidated_at
FROM pappus.admin_tokens t;

CREATE VIEW audit.operator_actions AS
SELECT a.action_id, a.acted_at, a.actor, t.name AS actor_name,
	t.role AS actor_role, a.database_role, a.address, a.request_id, a.action,
	a.object_id, a.project_id, a.reason, a.before, a.after
FROM pappus.operator_actions a
LEFT JOIN pappus.admin_tokens t ON t.admin_token_id = a.actor;

GRANT SELECT ON ALL TABLES IN SCHEMA audit TO pappus_auditor;
