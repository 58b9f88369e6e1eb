/* SPDX-License-Identifier: ISC */
/* The requests that bench-load sends: read once, sent many times. */
#include <sys/mman.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load.h"

/* Where the line goes in a template. */
static const char marker[] = "@LINE@";

static bool
read_file(const char *path, struct buf *out, struct err *err)
{
	FILE *in = fopen(path, "r");
	char chunk[4096];
	size_t n;

	if (in == NULL)
		return err_set_errno(err, "cannot open %s", path);
	while ((n = fread(chunk, 1, sizeof(chunk), in)) > 0)
		buf_add(out, chunk, n);
	fclose(in);
	return true;
}

static bool
prepare_template(struct load *load, struct err *err)
{
	struct buf text = BUF_INIT;
	const char *start, *at;
	bool ok = read_file(load->template_file, &text, err);

	if (!ok)
		goto out;
	start = buf_str(&text);
	at = strstr(start, marker);
	if ((at != NULL) != (load->lines_file != NULL)) {
		ok = err_set(err, ERR_CONFIG,
		    "%s and --lines go together: the place of a line in %s",
		    marker, load->template_file);
		goto out;
	}
	if (at == NULL) {
		buf_add(&load->before, start, text.len);
		goto out;
	}
	buf_add(&load->before, start, (size_t)(at - start));
	buf_add_str(&load->after, at + sizeof(marker) - 1);
out:
	buf_free(&text);
	return ok;
}

/* Lines of one length, so that the n-th is found without looking. */
static bool
prepare_lines(struct load *load, struct err *err)
{
	struct stat st;
	const char *end;
	int fd = open(load->lines_file, O_RDONLY | O_CLOEXEC);
	void *map;

	if (fd < 0 || fstat(fd, &st) != 0)
		return err_set_errno(err, "cannot open %s", load->lines_file);
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return err_set_errno(err, "cannot read %s", load->lines_file);
	load->lines = map;
	end = memchr(map, '\n', (size_t)st.st_size);
	load->line_len = end == NULL ? 0 : (size_t)(end + 1 - load->lines);
	if (load->line_len < 2 || (size_t)st.st_size % load->line_len != 0)
		return err_set(err, ERR_MALFORMED,
		    "%s: the lines are not of one length", load->lines_file);
	load->line_count = (uint64_t)st.st_size / load->line_len;
	load->next_line = load->skip;
	return true;
}

static bool
prepare_enroll(struct load *load, struct err *err)
{
	struct buf token = BUF_INIT;
	bool ok = read_file(load->token_file, &token, err);

	if (ok)
		buf_add_fmt(&load->enroll,
		    "POST /enroll HTTP/1.1\r\nHost: localhost\r\n"
		    "Thistle-Device-Enrollment-Token: %.*s\r\n"
		    "Content-Length: 0\r\n\r\n",
		    (int)strcspn(buf_str(&token), "\r\n"), buf_str(&token));
	buf_free(&token);
	return ok;
}

/* For what nobody else may read: tokens and keys. */
static bool
make_file(const char *path, FILE **out, struct err *err)
{
	int fd;

	if (path == NULL)
		return true;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set_errno(err, "cannot make %s", path);
	*out = fdopen(fd, "w");
	if (*out == NULL)
		abort();
	return true;
}

bool
load_prepare(struct load *load, struct err *err)
{
	if (load->plan == LOAD_ONBOARD && !prepare_enroll(load, err))
		return false;
	if (load->plan == LOAD_REQUEST && !prepare_template(load, err))
		return false;
	if (load->lines_file != NULL && !prepare_lines(load, err))
		return false;
	return make_file(load->tokens_out, &load->tokens, err) &&
	       make_file(load->answers_out, &load->bodies, err);
}
