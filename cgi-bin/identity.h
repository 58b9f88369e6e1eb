/* SPDX-License-Identifier: ISC */
/* What identity's handlers and their answers share. */
#ifndef PAPPUS_CGI_BIN_IDENTITY_H
#define PAPPUS_CGI_BIN_IDENTITY_H

#include <pthread.h>

#include "ca/issuer_set.h"
#include "ca/key.h"
#include "request/issuances.h"
#include "request/route.h"

struct context {
	struct db *db; /* both queues take turns on it, under lock */
	pthread_mutex_t lock;
	struct batch *issuances;
	struct batch *lookups;
	struct issuer_set *issuers;
};

struct thread {
	struct key_maker *maker;
	struct signer *signer;
};

/* Answer a failure of this program's own, which goes to the log. */
void respond_failure(struct call *call, const struct err *err);

/* Answer what came of an issuance; key is needed for ISSUANCE_ISSUED alone. */
void respond_outcome(
    struct call *call, const struct issuance *i, const struct key_pair *key);

/* Answer with what a device of this issuer presents and verifies with. */
void respond_bundles(
    struct call *call, const struct issuer_list *issuers, int issuer_id);

#endif
