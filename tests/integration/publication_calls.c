/* SPDX-License-Identifier: ISC */
/*
 * The calls of request/publication.h, one a line of standard input, for tests:
 *
 *	publication_calls CONNINFO
 *
 * What a call hands out comes in lines of fields, then "= " and the result.
 */
#include "request/publication.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "encoding/hex.h"

enum { ARGS_MAX = 12 };

static const char *const results[] = {
    [PUBLICATION_DONE] = "done",
    [PUBLICATION_LOST] = "lost",
    [PUBLICATION_OUTDATED] = "outdated",
    [PUBLICATION_PRUNED] = "pruned",
    [PUBLICATION_STOPPED] = "stopped",
    [PUBLICATION_FAILED] = "failed",
};

/* Entries and devices stop after so many; 0: never. */
struct counter {
	int64_t given;
	int64_t limit;
};

static int64_t
number(const char *text)
{
	return text == NULL ? 0 : strtoll(text, NULL, 10);
}

static void
print_hex(const uint8_t *bytes, size_t len)
{
	size_t i;

	printf(" ");
	for (i = 0; i < len; i++)
		printf("%02x", bytes[i]);
	if (len == 0)
		printf("-");
}

static bool
more(struct counter *counter)
{
	return ++counter->given != counter->limit;
}

static void
print_entry(const struct publication_entry *e)
{
	print_hex(e->serial + PUBLICATION_SERIAL_LEN - e->serial_len,
	    (size_t)e->serial_len);
	printf(" %d %" PRId64 " %d %" PRId64, e->issuer_id, e->not_after,
	    e->reason, e->revoked_at);
}

static bool
give_entry(void *ctx, const struct publication_entry *entry)
{
	printf("entry");
	print_entry(entry);
	printf("\n");
	return more(ctx);
}

static bool
give_device(void *ctx, const char *device_id)
{
	printf("device %s\n", device_id);
	return more(ctx);
}

static bool
give_change(void *ctx, const struct publication_change *c)
{
	printf("%" PRId64, c->sequence);
	if (c->kind == PUBLICATION_DEVICE)
		printf(" device %s %d\n", c->device_id, c->denied);
	else if (c->kind == PUBLICATION_ISSUER)
		printf(" issuer %d\n", c->issuer_id);
	else {
		printf(" certificate %d", c->was_revoked);
		print_entry(&c->before);
		printf(" %d", c->is_revoked);
		print_entry(&c->after);
		printf("\n");
	}
	return more(ctx);
}

static void
print_crl(const struct publication_crl *c)
{
	printf("crl %d %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
	       " %" PRId64 " %d",
	    c->issuer_id, c->number, c->this_update, c->next_update,
	    c->sequence, c->expired_before, c->entries, c->final);
	print_hex(c->sha256, sizeof(c->sha256));
	print_hex(c->signature, c->signature_len);
	printf("\n");
}

static enum publication_result
call_status(struct db *db)
{
	struct publication_status s;
	enum publication_result result = publication_status(db, &s);

	if (result == PUBLICATION_DONE)
		printf("%" PRId64 " %s %" PRId64 " %" PRId64 " %" PRId64
		       " %" PRId64 "\n",
		    s.epoch, s.holder, s.sequence, s.pruned, s.unclaimed,
		    s.unclaimed_age);
	return result;
}

static enum publication_result
call_record(struct db *db, char **arg)
{
	struct publication_crl crl = {.issuer_id = (int)number(arg[2]),
	    .number = number(arg[3]),
	    .this_update = number(arg[4]),
	    .next_update = number(arg[5]),
	    .sequence = number(arg[6]),
	    .expired_before = number(arg[7]),
	    .entries = number(arg[8])};
	enum publication_result result;
	int64_t last;

	if (!hex_decode(arg[9], strlen(arg[9]), crl.sha256, 32))
		exit(EXIT_FAILURE);
	crl.signature_len = strlen(arg[10]) / 2;
	if (!hex_decode(
		arg[10], strlen(arg[10]), crl.signature, crl.signature_len))
		exit(EXIT_FAILURE);
	result = publication_record(db, number(arg[1]), &crl, &last);
	printf("%" PRId64 "\n", last);
	return result;
}

static enum publication_result
call_latest(struct db *db)
{
	enum publication_result result;
	struct publication_crl *crls;
	size_t n, i;

	result = publication_latest(db, &crls, &n);
	for (i = 0; i < n; i++)
		print_crl(&crls[i]);
	free(crls);
	return result;
}

static enum publication_result
call_issuers(struct db *db)
{
	struct publication_issuer *all, *i;
	enum publication_result result;
	size_t n;

	result = publication_issuers(db, &all, &n);
	for (i = all; n > 0 && i < all + n; i++) {
		printf("issuer %d %d %d %d %" PRId64 " %" PRId64 " %s %s",
		    i->id, i->parent_id, (int)i->purpose, (int)i->state,
		    i->revoked_at, i->not_after, i->crl_url, i->ca_url);
		print_hex(i->ski, i->ski_len);
		print_hex(i->certificate.data, i->certificate.len);
		print_hex(i->crl_der.data, i->crl_der.len);
		printf("\n");
		print_crl(&i->crl);
	}
	publication_issuers_free(all, n);
	return result;
}

static enum publication_result
call_leading(struct db *db, char **arg)
{
	enum publication_result result;
	int64_t one = 0, two = 0;

	if (strcmp(arg[0], "release") == 0)
		return publication_release(db, number(arg[1]));
	if (strcmp(arg[0], "prune") == 0)
		return publication_prune(db, number(arg[1]), number(arg[2]));
	if (strcmp(arg[0], "lease") == 0)
		result =
		    publication_lease(db, arg[1], (int)number(arg[2]), &one);
	else
		result = publication_claim(db, number(arg[1]), number(arg[2]),
		    (int)number(arg[3]), &one, &two);
	printf("%" PRId64 " %" PRId64 "\n", one, two);
	return result;
}

static enum publication_result
call(struct db *db, char **arg)
{
	struct counter counter = {0};

	if (strcmp(arg[0], "status") == 0)
		return call_status(db);
	if (strcmp(arg[0], "record") == 0)
		return call_record(db, arg);
	if (strcmp(arg[0], "latest") == 0)
		return call_latest(db);
	if (strcmp(arg[0], "issuers") == 0)
		return call_issuers(db);
	if (strcmp(arg[0], "changes") == 0)
		return publication_changes(
		    db, number(arg[1]), number(arg[2]), give_change, &counter);
	counter.limit = number(arg[2]);
	if (strcmp(arg[0], "entries") == 0)
		return publication_entries(
		    db, number(arg[1]), give_entry, &counter);
	if (strcmp(arg[0], "devices") == 0)
		return publication_devices(
		    db, number(arg[1]), give_device, &counter);
	return call_leading(db, arg);
}

int
main(int argc, char **argv)
{
	char line[4096], *arg[ARGS_MAX], *word;
	struct db *db;
	int n;

	if (argc != 2)
		return EXIT_FAILURE;
	log_program("publication_calls");
	db = db_new(argv[1], "publication_calls");
	while (fgets(line, sizeof(line), stdin) != NULL) {
		memset(arg, 0, sizeof(arg));
		for (n = 0, word = strtok(line, " \n");
		     word != NULL && n < ARGS_MAX; word = strtok(NULL, " \n"))
			arg[n++] = word;
		if (n == 0)
			continue;
		if (strcmp(arg[0], "listen") == 0)
			db_listen(db, "pappus_changes");
		else if (strcmp(arg[0], "wait") == 0)
			printf("= %s\n", db_wait(db, number(arg[1]) * 1000)
					     ? "notified"
					     : "quiet");
		else
			printf("= %s\n", results[call(db, arg)]);
		fflush(stdout);
	}
	db_free(db);
	return EXIT_SUCCESS;
}
