/* SPDX-License-Identifier: ISC */
/* Putting CRLs where they are looked for: see crl_file.h. */
#include <stdlib.h>
#include <string.h>

#include "cert/crl_read.h"
#include "daemon/crl_file.h"
#include "encoding/pem_writer.h"

static const char label[] = "X509 CRL";

/* Append a file of feed/ as a PEM block. */
static bool
write_pem(struct store *store, const char *name, struct store_file *to,
    struct err *err)
{
	struct pem_writer *w = malloc(sizeof(*w));
	bool ok;

	if (w == NULL)
		abort();
	pem_writer_begin(w, label, store_write, to);
	ok = store_pour(store, name, pem_writer_add, w, err) &&
	     pem_writer_end(w, err);
	free(w);
	return ok;
}

static bool
put_pem(
    struct store *store, const char *name, const char *path, struct err *err)
{
	struct store_file file;

	if (!store_begin(store, path, &file, err))
		return false;
	if (!write_pem(store, name, &file, err)) {
		store_abort(&file);
		return false;
	}
	return store_commit(&file, path, err);
}

/* From feed/ to the address: from then on it is out. */
static bool
show(struct store *store, struct front *front, struct ca *ca,
    const struct published *p, struct err *err)
{
	if (ca->place.crl[0] != '\0' &&
	    !store_link(store, p->name, ca->place.crl, err))
		return false;
	/* None with a smaller number may follow. */
	ca->published = *p;
	ca->finished = false;
	serials_clear(&ca->gone);
	return crl_file_finish(store, front, ca, err);
}

bool
crl_file_finish(
    struct store *store, struct front *front, struct ca *ca, struct err *err)
{
	const struct published *p = &ca->published;
	struct feed_crl line = {.number = p->number};

	if (ca->finished || p->name[0] == '\0')
		return true;
	memcpy(line.ski, ca->ski, sizeof(line.ski));
	memcpy(line.name, p->name, sizeof(line.name));
	ca->finished = (!ca_is_good(ca) || front_crl(front, &line, err)) &&
		       (ca->place.crl_pem[0] == '\0' ||
			   put_pem(store, p->name, ca->place.crl_pem, err));
	return ca->finished;
}

bool
crl_file_publish(struct store *store, struct front *front, struct ca *ca,
    const struct publication_crl *crl, struct store_file *file, struct err *err)
{
	struct published p = {
	    .number = (uint64_t)crl->number,
	    .this_update = crl->this_update,
	    .next_update = crl->next_update,
	    .bytes = file->len,
	    .entries = (size_t)crl->entries,
	};

	return store_commit_known(file, crl->sha256, p.name, err) &&
	       show(store, front, ca, &p, err);
}

static bool
check_root(const struct ca *ca, struct published *p, struct err *err)
{
	const struct buf *der = &ca->is->crl_der;
	const char *url = ca->is->crl_url;
	struct crl_read read;

	if (!crl_read_open(der->data, der->len, false, &read, err) ||
	    !crl_read_verify(&read, ca->cert, err) ||
	    (url[0] != '\0' && !crl_read_check_url(&read, url, err)))
		return false;
	crl_file_describe(&read, p);
	return true;
}

bool
crl_file_publish_root(
    struct store *store, struct front *front, struct ca *ca, struct err *err)
{
	const struct buf *der = &ca->is->crl_der;
	struct published p = {.number = 0};
	struct store_file file;

	if (!check_root(ca, &p, err) || !store_begin(store, NULL, &file, err))
		return false;
	if (!store_write(&file, der->data, der->len, err)) {
		store_abort(&file);
		return false;
	}
	return store_commit_content(&file, p.name, err) &&
	       show(store, front, ca, &p, err);
}

bool
crl_file_combine(struct store *store, struct front *front,
    const struct cas *cas, struct err *err)
{
	char name[FEED_NAME_LEN + 1];
	struct store_file file;
	bool ok = true;
	size_t i;

	if (!store_begin(store, NULL, &file, err))
		return false;
	for (i = 0; ok && i < cas->count; i++)
		if (ca_is_good(cas->list[i]) &&
		    cas->list[i]->published.name[0] != '\0')
			ok = write_pem(
			    store, cas->list[i]->published.name, &file, err);
	if (!ok) {
		store_abort(&file);
		return false;
	}
	return store_commit_content(&file, name, err) &&
	       front_crls(front, name, err);
}
