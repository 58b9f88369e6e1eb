/* SPDX-License-Identifier: ISC */
/*
 * Lists that are there when we start: those of the folder and, where one is
 * damaged or gone, the copy in the broker's own file.  Leaving such a list out
 * of that file would put out every client of its CA.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "broker/brokerd_lists.h"
#include "encoding/hex.h"

#define PEM_BEGIN "-----BEGIN X509 CRL-----\n"
#define PEM_END "-----END X509 CRL-----\n"

enum { TEXT_BLOCK = 4096, DER_BLOCK = TEXT_BLOCK / 4 * 3 };

/* Hold one that is what it says; times don't matter, it was installed. */
static bool
take(struct lists *lists, const struct issuer *issuer, uint64_t number,
    struct file_map *map, const char *name, enum refusal *why, struct err *err)
{
	struct list *list = &lists->item[lists->count];
	struct crl_read crl;

	*why = REFUSED_MALFORMED;
	if (!crl_read_open(
		file_map_data(map), file_map_len(map), true, &crl, err) ||
	    !trust_check_crl(&crl, issuer, number == 0 ? crl.number : number,
		crl.this_update, why, err))
		return false;
	*list = (struct list){0};
	memcpy(list->ski, issuer->ski, sizeof(list->ski));
	lists_hold(list, &crl, name, file_map_ref(map));
	lists->count++;
	return true;
}

static void
restore(struct lists *lists, const struct feed_crl *from)
{
	const struct issuer *issuer = issuers_find(lists->issuers, from->ski);
	enum refusal why = REFUSED_MALFORMED;
	struct err err = {0};
	struct file_map *map;

	if (issuer == NULL)
		return;
	map = folder_map(&lists->b->folder, from->name, &err);
	if (map == NULL ||
	    !take(lists, issuer, from->number, map, from->name, &why, &err))
		lists_refuse(lists, lists->b->folder.path, from->ski,
		    from->name, why, &err);
	file_map_unref(map);
}

/* ------------------------------------------------------ the broker's file */

/* Decode base64 in lines; false when it is none, or can't be written. */
static bool
decode(const char *text, size_t len, struct file_draft *draft)
{
	EVP_ENCODE_CTX *ctx = EVP_ENCODE_CTX_new();
	uint8_t der[DER_BLOCK + 64];
	struct err ignored = {0};
	bool ok = ctx != NULL;
	int n = 0, block;

	if (ok)
		EVP_DecodeInit(ctx);
	while (ok && len > 0) {
		block = len < TEXT_BLOCK ? (int)len : TEXT_BLOCK;
		ok = EVP_DecodeUpdate(
			 ctx, der, &n, (const uint8_t *)text, block) >= 0 &&
		     file_draft_add(draft, der, (size_t)n, &ignored);
		text += block;
		len -= (size_t)block;
	}
	ok = ok && EVP_DecodeFinal(ctx, der, &n) == 1 &&
	     file_draft_add(draft, der, (size_t)n, &ignored);
	EVP_ENCODE_CTX_free(ctx);
	return ok;
}

/* The CA that a list names as its own; NULL: none of ours. */
static const struct issuer *
find_issuer(const struct lists *lists, const struct file_map *map)
{
	char ski[FEED_SKI_LEN + 1];
	struct err ignored = {0};
	struct crl_read crl;

	if (!crl_read_open(
		file_map_data(map), file_map_len(map), true, &crl, &ignored) ||
	    crl.key_id.len != CERT_KEY_ID_LEN)
		return NULL;
	hex_encode(crl.key_id.at, crl.key_id.len, ski);
	return issuers_find(lists->issuers, ski);
}

/* Take one block over, if it is a list that we lack. */
static void
take_block(struct lists *lists, const char *text, size_t len)
{
	char name[FEED_NAME_LEN + 1];
	const struct issuer *issuer;
	struct file_map *map = NULL;
	struct file_draft draft;
	struct err ignored = {0};
	enum refusal why;

	if (!file_draft_begin(
		&draft, lists->b->folder.fd, FOLDER_FILE_MODE, &ignored))
		return;
	if (decode(text, len, &draft))
		map = file_map_draft(&draft, &ignored);
	issuer = map == NULL ? NULL : find_issuer(lists, map);
	if (issuer != NULL && lists_find(lists, issuer->ski) == NULL) {
		file_draft_digest(&draft, name);
		if (file_draft_keep(&draft, name, true, &ignored) &&
		    take(lists, issuer, 0, map, name, &why, &ignored))
			lists->dirty = true;
	}
	file_draft_drop(&draft);
	file_map_unref(map);
}

static void
take_from_broker(struct lists *lists)
{
	const char *path = lists->b->conf.crl_file, *name, *at, *end;
	struct file_map *map = NULL;
	struct err ignored = {0};
	size_t left;
	int folder = file_folder_open(path, &name, &ignored);

	if (folder >= 0) {
		map = file_map_open(folder, name, &ignored);
		close(folder);
	}
	if (map == NULL)
		return;
	at = (const char *)file_map_data(map);
	left = file_map_len(map);
	while (left > strlen(PEM_BEGIN) &&
	       memcmp(at, PEM_BEGIN, strlen(PEM_BEGIN)) == 0) {
		at += strlen(PEM_BEGIN);
		left -= strlen(PEM_BEGIN);
		end = memmem(at, left, PEM_END, strlen(PEM_END));
		if (end == NULL)
			break;
		take_block(lists, at, (size_t)(end - at));
		left -= (size_t)(end - at) + strlen(PEM_END);
		at = end + strlen(PEM_END);
	}
	file_map_unref(map);
}

void
lists_restore(struct lists *lists)
{
	struct feed_state *state = malloc(sizeof(*state));
	size_t i, lacking = 0;

	if (state == NULL)
		abort();
	pthread_mutex_lock(&lists->b->lock);
	*state = lists->b->state;
	pthread_mutex_unlock(&lists->b->lock);
	for (i = 0; i < state->crl_count; i++)
		restore(lists, &state->crl[i]);
	free(state);
	for (i = 0; i < lists->issuers->count; i++)
		if (lists_find(lists, lists->issuers->item[i].ski) == NULL)
			lacking++;
	if (lacking > 0 && lists->file != NULL)
		take_from_broker(lists);
	lists->restored = true;
}
