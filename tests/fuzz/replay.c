/* SPDX-License-Identifier: ISC */
/*
 * Run a harness over every file of the folders given, without libFuzzer.  By
 * default the folder is the kept corpus of the harness: replay_token takes
 * $srcdir/tests/fuzz/corpus/token, where make check sets srcdir.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>

#include "base/buf.h"
#include "fuzz.h"

static const char prefix[] = "replay_";

static void
die(const char *path)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, path,
	    strerror(errno));
	exit(EXIT_FAILURE);
}

static void
replay_file(const char *path)
{
	struct buf data = BUF_INIT;
	FILE *file = fopen(path, "rb");
	uint8_t *exact;
	int c;

	if (file == NULL)
		die(path);
	while ((c = fgetc(file)) != EOF)
		buf_add_byte(&data, (uint8_t)c);
	fclose(file);
	/* Memory of that very size, so that a sanitizer sees a step beyond. */
	exact = malloc(data.len + (data.len == 0));
	if (exact == NULL)
		die(path);
	if (data.len > 0)
		memcpy(exact, data.data, data.len);
	printf("%s\n", path); /* the last one printed is the one that fails */
	fflush(stdout);
	LLVMFuzzerTestOneInput(exact, data.len);
	free(exact);
	buf_free(&data);
}

static int
replay_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	char path[PATH_MAX];
	struct dirent *entry;
	int files = 0;

	if (dir == NULL)
		die(folder);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		replay_file(path);
		files++;
	}
	closedir(dir);
	return files;
}

int
main(int argc, char *argv[])
{
	const char *srcdir = getenv("srcdir");
	const char *name = strstr(program_invocation_short_name, prefix);
	char folder[PATH_MAX];
	int files = 0, i;

	for (i = 1; i < argc; i++)
		files += replay_folder(argv[i]);
	if (argc == 1 && name != NULL) {
		snprintf(folder, sizeof(folder), "%s/tests/fuzz/corpus/%s",
		    srcdir == NULL ? "." : srcdir, name + strlen(prefix));
		files = replay_folder(folder);
	}
	if (files == 0)
		fprintf(stderr, "%s: no files to replay\n", argv[0]);
	return files == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
