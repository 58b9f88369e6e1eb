/* SPDX-License-Identifier: ISC */
/* Revocation lists as files: see crl_file.h. */
#include "tools/crl_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#define PEM_BEGIN "-----BEGIN "
#define PEM_CRL "-----BEGIN X509 CRL-----"
#define PEM_END "-----END X509 CRL-----"

enum { DER_SEQUENCE = 0x30, LINE_MAX_LEN = 1024 };

/* A PEM file that is being read. */
struct pem {
	const char *path;
	FILE *file;
	size_t line; /* the one that was read last, from 1 */
	char text[LINE_MAX_LEN];
};

static bool
refuse(const char *path, size_t line, enum err_code code, const char *why,
    struct err *err)
{
	if (line == 0)
		return err_set(err, code, "%s: %s", path, why);
	return err_set(err, code, "%s:%zu: %s", path, line, why);
}

/* Who made it, and whether that is so. */
static bool
check(struct crl_file *list, const struct registered_list *registered,
    struct err *err)
{
	const struct crl_part *ski = &list->crl.key_id;
	struct err why = {.code = ERR_NONE};

	list->issuer = registered_find(registered, ski->at, ski->len);
	if (list->issuer == NULL ||
	    (crl_read_verify(&list->crl, list->issuer->cert, &why) &&
		crl_read_check_url(&list->crl, list->issuer->crl_url, &why)))
		return true;
	return refuse(list->path, list->line, why.code, why.detail, err);
}

/* Map a file of DER; it may be closed afterwards. */
static bool
add(struct crl_files *files, const char *path, size_t line, int fd,
    const struct registered_list *registered, struct err *err)
{
	struct crl_file list = {.line = line};
	struct err why = {.code = ERR_NONE};
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_set_errno(err, "%s", path);
	if (st.st_size == 0)
		return refuse(path, line, ERR_MALFORMED, "it is empty", err);
	list.map =
	    mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (list.map == MAP_FAILED)
		return err_set_errno(err, "%s", path);
	files->lists =
	    reallocarray(files->lists, files->n + 1, sizeof(*files->lists));
	if (files->lists == NULL)
		abort();
	if (!crl_read_open(
		list.map, (size_t)st.st_size, true, &list.crl, &why)) {
		munmap(list.map, (size_t)st.st_size);
		return refuse(path, line, why.code, why.detail, err);
	}
	list.path = strdup(path);
	if (list.path == NULL)
		abort();
	files->lists[files->n++] = list;
	return check(&files->lists[files->n - 1], registered, err);
}

/* The next line without its end; false at the end of the file. */
static bool
next_line(struct pem *pem, struct err *err)
{
	if (fgets(pem->text, sizeof(pem->text), pem->file) == NULL) {
		if (ferror(pem->file) != 0)
			err_set_errno(err, "cannot read %s", pem->path);
		return false;
	}
	pem->line++;
	if (strchr(pem->text, '\n') == NULL && feof(pem->file) == 0)
		return refuse(pem->path, pem->line, ERR_MALFORMED,
		    "the line is too long, or not text", err);
	pem->text[strcspn(pem->text, "\r\n")] = '\0';
	return true;
}

/* Decode the lines up to END into a file. */
static bool
decode(struct pem *pem, size_t begin, FILE *out, struct err *err)
{
	EVP_ENCODE_CTX *ctx = EVP_ENCODE_CTX_new();
	unsigned char octets[LINE_MAX_LEN];
	bool ok = ctx != NULL, ended = false;
	int n;

	if (ok)
		EVP_DecodeInit(ctx);
	while (ok && !ended && next_line(pem, err)) {
		ended = strcmp(pem->text, PEM_END) == 0;
		if (ended)
			ok = EVP_DecodeFinal(ctx, octets, &n) == 1;
		else
			ok = EVP_DecodeUpdate(ctx, octets, &n,
				 (const unsigned char *)pem->text,
				 (int)strlen(pem->text)) >= 0;
		ok = ok && fwrite(octets, 1, (size_t)n, out) == (size_t)n;
		if (!ok && ferror(out) != 0)
			err_set_errno(err, "a temporary file");
	}
	EVP_ENCODE_CTX_free(ctx);
	if (ok && ended)
		return fflush(out) == 0 ||
		       err_set_errno(err, "a temporary file");
	return refuse(pem->path, begin, ERR_MALFORMED,
	    ok ? "the list that begins has no end" : "it is not base64", err);
}

/* A block, whose first line was read, by way of a file without a name. */
static bool
add_block(struct crl_files *files, struct pem *pem,
    const struct registered_list *registered, struct err *err)
{
	size_t begin = pem->line;
	FILE *der;
	bool ok;

	if (strcmp(pem->text, PEM_CRL) != 0)
		return refuse(
		    pem->path, begin, ERR_MALFORMED, "not an X509 CRL", err);
	der = tmpfile();
	if (der == NULL)
		return err_set_errno(err, "a temporary file");
	ok = decode(pem, begin, der, err) &&
	     add(files, pem->path, begin, fileno(der), registered, err);
	fclose(der);
	return ok;
}

static bool
add_pem(struct crl_files *files, struct pem *pem,
    const struct registered_list *registered, struct err *err)
{
	size_t before = files->n;

	while (next_line(pem, err))
		if (strncmp(pem->text, PEM_BEGIN, strlen(PEM_BEGIN)) == 0 &&
		    !add_block(files, pem, registered, err))
			return false;
	if (err->code == ERR_NONE && files->n == before)
		return refuse(pem->path, 0, ERR_MALFORMED,
		    "there is no revocation list", err);
	return err->code == ERR_NONE;
}

bool
crl_files_add(struct crl_files *files, const char *path,
    const struct registered_list *registered, struct err *err)
{
	struct pem pem = {.path = path, .file = fopen(path, "re")};
	bool ok;
	int c;

	if (pem.file == NULL)
		return err_set_errno(err, "cannot open %s", path);
	c = getc(pem.file);
	rewind(pem.file);
	if (c == DER_SEQUENCE)
		ok = add(files, path, 0, fileno(pem.file), registered, err);
	else
		ok = add_pem(files, &pem, registered, err);
	fclose(pem.file);
	return ok;
}

void
crl_files_free(struct crl_files *files)
{
	size_t i;

	for (i = 0; i < files->n; i++) {
		munmap(files->lists[i].map, files->lists[i].crl.der.len);
		free(files->lists[i].path);
	}
	free(files->lists);
	*files = (struct crl_files){NULL, 0};
}
