# SPDX-License-Identifier: ISC
# Measurements: "make bench-programs" builds what the scripts of bench/ play
# with.  Nothing here is installed.
bench_tools = bench-load bench-constant bench-unrecorded bench-sign \
	bench-crl-list bench-step-requests bench-fleet
EXTRA_PROGRAMS += $(bench_tools)
CLEANFILES += $(bench_tools)

bench_load_SOURCES = bench/load.c bench/load.h bench/load_answer.c \
	bench/load_prepare.c \
	bench/load_result.c bench/load_run.c
bench_load_LDADD = libpappus.a -lssl $(CRYPTO_LIBS)

bench_constant_SOURCES = bench/constant.c
bench_constant_LDADD = $(FCGI_LIBS)

bench_unrecorded_SOURCES = bench/unrecorded.c bench/issuer.c bench/issuer.h
bench_unrecorded_LDADD = libpappus-ca.a libpappus.a $(world_libs)

bench_sign_SOURCES = bench/sign.c bench/issuer.c bench/issuer.h
bench_sign_LDADD = libpappus-ca.a libpappus.a $(CRYPTO_LIBS)

bench_crl_list_SOURCES = bench/crl_list.c
bench_crl_list_LDADD = libpappus-ca.a libpappus.a $(CRYPTO_LIBS)

bench_step_requests_SOURCES = bench/step_requests.c
bench_step_requests_LDADD = libpappus-ca.a libpappus.a $(JSON_LIBS) \
	$(CRYPTO_LIBS)

bench_fleet_SOURCES = bench/fleet.c bench/fleet.h bench/fleet_identity.c \
	bench/fleet_packet.c bench/fleet_session.c broker/brokerd_mqtt.c \
	broker/brokerd_mqtt.h
bench_fleet_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
bench_fleet_LDADD = libpappus.a -lssl $(CRYPTO_LIBS)

bench-programs: $(bench_tools)

.PHONY: bench-programs

EXTRA_DIST += bench/crl bench/enroll bench/identity bench/onboard \
	bench/peers bench/revoke bench/lib/Bench/Chain.pm bench/lib/Bench/Crld.pm \
	bench/wrk.lua bench/step-ca/main.go \
	bench/lib/Bench/Endpoint.pm bench/lib/Bench/Measure.pm \
	bench/lib/Bench/Peers.pm bench/lib/Bench/Stack.pm
