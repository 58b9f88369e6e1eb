/* SPDX-License-Identifier: ISC */
/* What the files of the lists share: see lists.h. */
#ifndef PAPPUS_DAEMON_LISTS_INTERNAL_H
#define PAPPUS_DAEMON_LISTS_INTERNAL_H

#include "daemon/lists.h"

/* An entry of the database as one of a list. */
void lists_item(const struct publication_entry *entry, struct crl_item *item);

#endif
