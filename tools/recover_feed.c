/* SPDX-License-Identifier: ISC */
/* The feed's folder, as it was published, for pappus recover. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "encoding/feed.h"
#include "encoding/hex.h"
#include "tools/pappus.h"
#include "tools/recover.h"

bool
recover_map(const char *path, struct recover_mapping *out, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	bool ok;

	*out = (struct recover_mapping){NULL, 0};
	if (fd < 0)
		return err_set_errno(err, "cannot open %s", path);
	ok = fstat(fd, &st) == 0;
	if (ok && st.st_size > 0) {
		out->len = (size_t)st.st_size;
		out->data = mmap(NULL, out->len, PROT_READ, MAP_PRIVATE, fd, 0);
		ok = out->data != MAP_FAILED;
	}
	if (!ok)
		err_set_errno(err, "cannot read %s", path);
	close(fd);
	return ok;
}

void
recover_unmap(struct recover_mapping *m)
{
	if (m->data != NULL && m->data != MAP_FAILED)
		munmap(m->data, m->len);
}

static void
path_in(char out[RECOVER_PATH], const char *dir, const char *name)
{
	snprintf(out, RECOVER_PATH, "%s/%s", dir, name);
}

/* A file of a feed is what its name says, or it was not copied whole. */
static bool
check_digest(const char *dir, const char *name, struct err *err)
{
	char path[RECOVER_PATH], hex[FEED_NAME_LEN + 1];
	uint8_t digest[FEED_NAME_LEN / 2];
	struct recover_mapping m;
	bool ok;

	path_in(path, dir, name);
	if (!recover_map(path, &m, err))
		return false;
	ok = EVP_Digest(m.data, m.len, digest, NULL, EVP_sha256(), NULL) == 1;
	recover_unmap(&m);
	if (!ok)
		return err_set(err, ERR_CRYPTO, "SHA-256 of %s", path);
	hex_encode(digest, sizeof(digest), hex);
	return strcmp(hex, name) == 0 ||
	       err_set(err, ERR_MISMATCH, "%s has another digest", path);
}

static bool
read_state(const char *dir, struct feed_state *state, struct err *err)
{
	struct err why = {.code = ERR_NONE};
	struct buf text = BUF_INIT;
	bool ok = file_read(dir, "state", FEED_STATE_MAX, &text, err);

	if (ok && !feed_state_parse(text.data, text.len, state, &why))
		ok = err_set(err, why.code, "%s/state: %s", dir, why.detail);
	buf_free(&text);
	return ok;
}

static bool
add_named(
    struct recovery *r, const char *dir, const char *name, struct err *err)
{
	char path[RECOVER_PATH];

	path_in(path, dir, name);
	return check_digest(dir, name, err) && recover_add_list(r, path, err);
}

/* The paths of the deny-list that a state names; they are what it says. */
static bool
find_deny_list(const char *dir, const struct feed_state *state,
    char base[RECOVER_PATH], char delta[RECOVER_PATH], struct err *err)
{
	path_in(base, dir, state->deny_base);
	path_in(delta, dir, state->deny_delta);
	return check_digest(dir, state->deny_base, err) &&
	       check_digest(dir, state->deny_delta, err);
}

bool
recover_add_feed(struct recovery *r, const char *dir, struct err *err)
{
	char base[RECOVER_PATH], delta[RECOVER_PATH];
	struct feed_state state;
	bool ok = read_state(dir, &state, err) &&
		  find_deny_list(dir, &state, base, delta, err) &&
		  recover_check_deny_list(base, delta, err);
	size_t i;

	for (i = 0; ok && i < state.crl_count; i++)
		ok = add_named(r, dir, state.crl[i].name, err);
	/* The roots' lists are there too. */
	if (ok && state.crls[0] != '\0')
		ok = add_named(r, dir, state.crls, err);
	return ok;
}

bool
recover_feed(struct recovery *r, const char *dir, struct err *err)
{
	char base[RECOVER_PATH], delta[RECOVER_PATH];
	struct feed_state state;

	return read_state(dir, &state, err) &&
	       find_deny_list(dir, &state, base, delta, err) &&
	       recover_deny_list(r, base, delta, err);
}
