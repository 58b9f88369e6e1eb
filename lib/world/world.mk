# SPDX-License-Identifier: ISC
# Layer 3: the database, the web server, the process.
libpappus_a_SOURCES += \
	lib/world/batch.c lib/world/batch.h \
	lib/world/db.c lib/world/db.h lib/world/db_internal.h \
	lib/world/db_call.c lib/world/db_rows.c lib/world/db_wait.c \
	lib/world/http.c lib/world/http.h lib/world/http_reason.c \
	lib/world/pgarray.c lib/world/pgarray.h \
	lib/world/process.c lib/world/process.h \
	lib/world/statement.c lib/world/statement.h
