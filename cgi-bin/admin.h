/* SPDX-License-Identifier: ISC */
/* The handlers of admin, a file per resource, and what they share. */
#ifndef PAPPUS_CGI_BIN_ADMIN_H
#define PAPPUS_CGI_BIN_ADMIN_H

#include "encoding/form.h"
#include "encoding/json.h"
#include "encoding/name.h"
#include "request/management.h"

/* admin_projects.c */
route_handler_fn projects_get, projects_post, project_get, project_patch;
route_handler_fn enrollment_tokens_get, enrollment_tokens_post;
route_handler_fn enrollment_token_delete;

/* admin_devices.c */
route_handler_fn devices_get, device_get, device_deny, device_allow;
route_handler_fn device_revoke, device_reset;

/* admin_certificates.c */
route_handler_fn certificates_get, certificate_get, certificate_revoke;
route_handler_fn issuers_get, issuer_patch;

enum { ADMIN_REASON_MAX = 512 }; /* characters */

/*
 * Check the id in the path; one of the wrong form names nothing, so false is
 * a 404.
 */
bool admin_path_names(struct call *call, enum name_kind kind);

/*
 * Read the body, a JSON object of fields, which the caller frees.  False: the
 * response is a problem.
 */
bool admin_read(struct call *call, struct json_field *fields, size_t n);

/* Call a function and answer with the document that it returns. */
void admin_act(
    struct call *call, enum statement statement, const char *const *args);

/*
 * Answer one page of a list.  The query may hold limit, cursor and filters.
 * The function's first argument is head, or, when there are filters, a JSON
 * object of those given; then come page size and cursor.
 */
void admin_list(struct call *call, enum statement statement, const char *head,
    const char *const *filters, size_t n);

/*
 * Call a function whose document shows a new token, and put that in front of
 * the document's members: this once, and never again.
 */
void admin_act_with_token(struct call *call, enum statement statement,
    const char *const *args, const char *member, const char *token);

#endif
