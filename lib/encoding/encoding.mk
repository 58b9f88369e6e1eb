# SPDX-License-Identifier: ISC
# Layer 1: how bytes look from outside.  Knows no X.509, SQL or HTTP.
libpappus_a_SOURCES += \
	lib/encoding/base32.c lib/encoding/base32.h \
	lib/encoding/der.c lib/encoding/der.h \
	lib/encoding/denylist.c lib/encoding/denylist.h \
	lib/encoding/denylist_internal.h \
	lib/encoding/denylist_write.c \
	lib/encoding/feed.c lib/encoding/feed.h \
	lib/encoding/form.c lib/encoding/form.h \
	lib/encoding/form_internal.h \
	lib/encoding/form_multipart.c \
	lib/encoding/form_urlencoded.c \
	lib/encoding/hex.c lib/encoding/hex.h \
	lib/encoding/json.c lib/encoding/json.h \
	lib/encoding/mime.c lib/encoding/mime.h \
	lib/encoding/name.c lib/encoding/name.h \
	lib/encoding/pem.c lib/encoding/pem.h \
	lib/encoding/pem_writer.c lib/encoding/pem_writer.h \
	lib/encoding/token.c lib/encoding/token.h \
	lib/encoding/ulid.c lib/encoding/ulid.h \
	lib/encoding/utf8.c lib/encoding/utf8.h
