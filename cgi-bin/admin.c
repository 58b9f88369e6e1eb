/* SPDX-License-Identifier: ISC */
/*
 * /admin/v1: what operators do with projects, enrolment tokens, devices,
 * certificates and CAs.  Holds no secret; every call passes the caller's token
 * on to the database, which authenticates it in the transaction that acts.
 * The handlers stand in admin_*.c, a file per resource.
 */
#include "cgi-bin/admin.h"

#include "request/program.h"

#define V1 "/admin/v1"
#define JSON "application/json"
#define READ NULL, 0, ROLE_AUDITOR
#define WRITE JSON, BODY_MAX, ROLE_OPERATOR
#define OWN JSON, BODY_MAX, ROLE_OWNER

enum { BODY_MAX = 65536 };

static const struct route routes[] = {
    {HTTP_GET, V1 "/projects", READ, projects_get},
    {HTTP_POST, V1 "/projects", WRITE, projects_post},
    {HTTP_GET, V1 "/projects/{project}", READ, project_get},
    {HTTP_PATCH, V1 "/projects/{project}", WRITE, project_patch},
    {HTTP_GET, V1 "/projects/{project}/enrollment-tokens", READ,
	enrollment_tokens_get},
    {HTTP_POST, V1 "/projects/{project}/enrollment-tokens", WRITE,
	enrollment_tokens_post},
    {HTTP_DELETE, V1 "/enrollment-tokens/{token}", WRITE,
	enrollment_token_delete},
    {HTTP_GET, V1 "/devices", READ, devices_get},
    {HTTP_GET, V1 "/devices/{device}", READ, device_get},
    {HTTP_POST, V1 "/devices/{device}/deny", WRITE, device_deny},
    {HTTP_POST, V1 "/devices/{device}/allow", WRITE, device_allow},
    {HTTP_POST, V1 "/devices/{device}/revoke", WRITE, device_revoke},
    {HTTP_POST, V1 "/devices/{device}/reset", WRITE, device_reset},
    {HTTP_GET, V1 "/certificates", READ, certificates_get},
    {HTTP_GET, V1 "/certificates/{serial}", READ, certificate_get},
    {HTTP_POST, V1 "/certificates/{serial}/revoke", WRITE, certificate_revoke},
    {HTTP_GET, V1 "/issuers", READ, issuers_get},
    {HTTP_PATCH, V1 "/issuers/{issuer}", OWN, issuer_patch},
};

static void *
start(struct err *err)
{
	(void)err;
	return management_new(conf_str(CONF_DATABASE));
}

static void
stop(void *program)
{
	management_free(program);
}

static bool
authorize(struct call *call, enum role role)
{
	return management_authorize(call->program, call, role);
}

int
main(int argc, char **argv)
{
	static const struct program program = {
	    .name = "admin",
	    .about = V1 ": projects, devices, certificates and CAs.",
	    .conf = CONF_ADMIN,
	    .routes = routes,
	    .n_routes = sizeof(routes) / sizeof(routes[0]),
	    .start = start,
	    .stop = stop,
	    .authorize = authorize,
	};

	return program_main(&program, argc, argv);
}
