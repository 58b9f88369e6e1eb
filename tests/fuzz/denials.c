/* SPDX-License-Identifier: ISC */
/*
 * Fuzz the list of denials that pappus recover reads.  What is taken has the
 * form that the database wants; what is refused is named with its line.
 */
#include "fuzz.h"

#include <stdio.h>

#include "encoding/hex.h"
#include "encoding/utf8.h"
#include "tools/recover_read.h"

static void
must_be_sound(const struct denial *denial)
{
	uint8_t octets[DENIAL_SERIAL_DIGITS_MAX / 2];
	size_t digits = strlen(denial->serial);

	MUST(utf8_valid_text(
	    (const uint8_t *)denial->comment, strlen(denial->comment), NULL));
	if (denial->device_id[0] != '\0') {
		MUST(name_valid(
		    NAME_DEVICE, denial->device_id, strlen(denial->device_id)));
		MUST(digits == 0);
		return;
	}
	MUST(hex_decode(denial->serial, digits, octets, digits / 2));
	MUST(digits >= 2 && octets[0] >= 0x01 && octets[0] <= 0x7f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct source source = {.path = "denials"};
	struct err err = {0};
	struct denial denial;
	FILE *file = tmpfile();

	if (file == NULL)
		return 0;
	fwrite(data, 1, len, file);
	rewind(file);
	source.file = file;
	while (source_denial(&source, &denial, &err))
		must_be_sound(&denial);
	if (err.code != ERR_NONE) {
		must_explain(&err);
		MUST(source.line > 0);
	}
	source_close(&source);
	return 0;
}
