# SPDX-License-Identifier: ISC
# What runs on the broker's host: pappus-brokerd and the mosquitto plugin.

# The plugin is mosquitto's to load: libc and libcrypto alone, nothing seen of
# it but the three functions of the plugin API.  What it needs of lib/ is
# compiled for it, since an archive of programs is no good in a shared object.
pappus_plugindir = $(pkglibdir)
pappus_plugin_PROGRAMS = pappus_mosquitto.so
pappus_mosquitto_so_SOURCES = \
	broker/plugin.c \
	broker/plugin_file.c broker/plugin_file.h \
	broker/plugin_follower.c broker/plugin_follower.h \
	broker/plugin_gate.c broker/plugin_gate.h \
	broker/plugin_identity.c broker/plugin_identity.h \
	broker/plugin_issuers.c broker/plugin_issuers.h \
	broker/plugin_list.c broker/plugin_list.h \
	broker/plugin_log.c broker/plugin_log.h \
	broker/plugin_options.c broker/plugin_options.h \
	broker/plugin_sessions.c broker/plugin_sessions.h \
	lib/base/buf.c lib/base/clock.c lib/base/err.c lib/base/rand.c \
	lib/encoding/base32.c lib/encoding/denylist.c lib/encoding/feed.c \
	lib/encoding/hex.c lib/encoding/name.c lib/encoding/ulid.c
pappus_mosquitto_so_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
pappus_mosquitto_so_CFLAGS = $(AM_CFLAGS) -fPIC -fvisibility=hidden
pappus_mosquitto_so_LDFLAGS = -shared $(HARDEN_LDFLAGS)
pappus_mosquitto_so_LDADD = $(CRYPTO_LIBS)

# The broker's configuration, shipped and tested as it stands.
pappus_brokerdir = $(pkgdatadir)/broker
dist_pappus_broker_DATA = \
	broker/mosquitto-crlfile.conf \
	broker/mosquitto-plugin.conf

include broker/brokerd.mk
