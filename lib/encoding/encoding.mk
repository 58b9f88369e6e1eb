# SPDX-License-Identifier: ISC
# Layer 1: how bytes look from outside.  Knows no X.509, SQL or HTTP.
libpappus_a_SOURCES += \
	lib/encoding/base32.h \
	lib/encoding/form.h \
	lib/encoding/hex.h \
	lib/encoding/json.h \
	lib/encoding/name.h \
	lib/encoding/pem.h \
	lib/encoding/token.h \
	lib/encoding/ulid.h \
	lib/encoding/utf8.h
