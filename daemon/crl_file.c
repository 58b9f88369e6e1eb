/* SPDX-License-Identifier: ISC */
/* A CA's CRL as a file: see crl_file.h.  Making and checking it. */
#include "daemon/crl_file.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cert/crl_check.h"
#include "cert/crl_read.h"
#include "cert/crl_write.h"

static struct crl_draft *
draft_new(
    const struct ca *ca, const struct publication_crl *crl, struct err *err)
{
	const struct crl_spec spec = {
	    .issuer = ca->cert,
	    .number = (uint64_t)crl->number,
	    .this_update = crl->this_update,
	    .next_update = crl->next_update,
	    .url = ca->is->crl_url,
	};

	return crl_draft_new(&spec, ca->list, err);
}

/* The signature: a new one, or the recorded one. */
static bool
get_signature(const struct ca *ca, const struct keys *keys,
    struct publication_crl *crl, struct crl_draft *draft,
    struct crl_signature *signature, struct err *err)
{
	if (keys != NULL) {
		if (!keys_sign(keys, ca->cert, draft, signature, err))
			return false;
		memcpy(crl->signature, signature->der, signature->len);
		crl->signature_len = signature->len;
		return true;
	}
	if (crl->signature_len > sizeof(signature->der))
		return err_set(err, ERR_MALFORMED, "the recorded signature");
	memcpy(signature->der, crl->signature, crl->signature_len);
	signature->len = crl->signature_len;
	return true;
}

bool
crl_file_write(struct store *store, struct ca *ca, const struct keys *keys,
    struct publication_crl *crl, struct store_file *file, struct err *err)
{
	struct crl_draft *draft = draft_new(ca, crl, err);
	struct crl_signature signature;
	struct crl_written written;
	bool ok = false;

	memset(file, 0, sizeof(*file));
	if (draft == NULL)
		return false;
	if (!get_signature(ca, keys, crl, draft, &signature, err) ||
	    !store_begin(store, NULL, file, err) ||
	    !crl_draft_write(
		draft, &signature, store_write_known, file, &written, err))
		goto out;
	if (keys != NULL) {
		memcpy(crl->sha256, written.sha256, sizeof(crl->sha256));
		crl->entries = (int64_t)crl_list_count(ca->list);
		ok = true;
	} else {
		ok = memcmp(crl->sha256, written.sha256, sizeof(crl->sha256)) ==
			 0 ||
		     err_set(err, ERR_MISMATCH,
			 "the list here is not the one that was signed");
	}
out:
	crl_draft_free(draft);
	if (!ok)
		store_abort(file);
	return ok;
}

/* Looking at the list that is published, in a thread of its own. */
struct kept {
	struct store *store;
	struct lists_gone gone;
	struct err err; /* ERR_NONE: nothing is lost */
};

/* Nothing that is published may be missing before its time. */
static void *
kept_main(void *job)
{
	struct kept *k = job;
	struct ca *ca = k->gone.ca;
	struct crl_read old;
	struct store_map map;

	if (ca->published.name[0] == '\0' ||
	    !store_map_content(k->store, ca->published.name, &map, NULL))
		return NULL;
	/* One that was damaged since has nothing to say. */
	if (!crl_check_published(map.data, map.len, true, ca->list,
		lists_is_gone, &k->gone, &old, &k->err) &&
	    (k->err.code != ERR_MISMATCH ||
		!crl_read_verify(&old, ca->cert, NULL)))
		err_clear(&k->err);
	store_unmap(&map);
	return NULL;
}

static bool
check_frame(const struct crl_read *read, const struct ca *ca,
    const struct publication_crl *crl, struct err *err)
{
	if (read->number != (uint64_t)crl->number ||
	    read->this_update != crl->this_update ||
	    read->next_update != crl->next_update)
		return err_set(err, ERR_MISMATCH,
		    "the CRL that was written has another number or time");
	if (read->number <= ca->published.number)
		return err_set(err, ERR_REFUSED,
		    "a CRL with a higher number is published");
	return crl_read_check_url(read, ca->is->crl_url, err) &&
	       crl_read_verify(read, ca->cert, err);
}

/* What was written, as a reader would look at it. */
static bool
check_written(const struct ca *ca, const struct publication_crl *crl,
    const struct store_file *file, struct err *err)
{
	struct store_map map;
	struct crl_read read;
	bool ok;

	if (!store_map_file(file, &map, err))
		return false;
	ok = crl_check_written(map.data, map.len, true, ca->list, &read, err) &&
	     check_frame(&read, ca, crl, err);
	store_unmap(&map);
	return ok;
}

bool
crl_file_check(struct store *store, struct lists *lists, struct ca *ca,
    const struct publication_crl *crl, const struct store_file *file,
    struct err *err)
{
	struct kept kept = {.store = store, .gone = {.lists = lists, .ca = ca}};
	pthread_t thread;
	bool ok;

	/* Both only read the list, and each takes long when it is long. */
	if (pthread_create(&thread, NULL, kept_main, &kept) != 0)
		abort();
	ok = check_written(ca, crl, file, err);
	pthread_join(thread, NULL);
	if (ok && kept.err.code != ERR_NONE)
		ok = err_set(err, kept.err.code, "%s", kept.err.detail);
	return ok;
}

void
crl_file_describe(const struct crl_read *read, struct published *out)
{
	out->number = read->number;
	out->this_update = read->this_update;
	out->next_update = read->next_update;
	out->bytes = read->der.len;
	out->entries = read->count;
}

/* Whether a file holds a CRL of that CA, and which. */
static bool
look(const struct store_map *map, const struct ca *ca, struct published *out)
{
	struct crl_read read;

	if (!crl_read_open(map->data, map->len, true, &read, NULL) ||
	    !crl_read_verify(&read, ca->cert, NULL))
		return false;
	crl_file_describe(&read, out);
	return true;
}

/* What the state names of that CA. */
static void
find_named(struct store *store, struct front *front, struct ca *ca)
{
	struct feed_state *state = calloc(1, sizeof(*state));
	struct store_map map;
	size_t i;

	if (state == NULL)
		abort();
	front_state(front, state);
	for (i = 0; i < state->crl_count; i++) {
		if (strcmp(state->crl[i].ski, ca->ski) != 0 ||
		    !store_map_content(store, state->crl[i].name, &map, NULL))
			continue;
		if (look(&map, ca, &ca->published))
			memcpy(ca->published.name, state->crl[i].name,
			    sizeof(ca->published.name));
		store_unmap(&map);
	}
	free(state);
}

void
crl_file_find(struct store *store, struct front *front, struct ca *ca)
{
	struct published found = {.number = 0};
	struct store_file file;
	struct store_map map;

	find_named(store, front, ca);
	if (ca->place.crl[0] == '\0' ||
	    !store_map(store, ca->place.crl, &map, NULL))
		return;
	/* One that only its address has gets its name in feed/. */
	if (look(&map, ca, &found) && found.number > ca->published.number) {
		if (!store_begin(store, NULL, &file, NULL))
			file.store = NULL;
		else if (!store_write(&file, map.data, map.len, NULL))
			store_abort(&file);
		else if (!store_commit_content(&file, found.name, NULL))
			found.name[0] = '\0';
		ca->published = found;
	}
	store_unmap(&map);
}
