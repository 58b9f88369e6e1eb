/* SPDX-License-Identifier: ISC */
/* What the files of the store share: see store.h. */
#ifndef PAPPUS_DAEMON_STORE_INTERNAL_H
#define PAPPUS_DAEMON_STORE_INTERNAL_H

#include "daemon/store.h"

/* How temporary names begin.  Hidden: a web server doesn't show them. */
#define STORE_TEMPORARY ".crld-"

struct store {
	int dir;
	int feed;
	int lock;
	char holder[STORE_HOLDER_LEN + 1];
};

/* Open a folder by its name, after making it if need be; -1 with *err set. */
int store_folder(int dir, const char *name, struct err *err);

#endif
