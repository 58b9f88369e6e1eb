# SPDX-License-Identifier: ISC
# The configuration of nginx, shipped and tested as it stands, and the shell
# that brings up a private stack for quickstart and the tests.
pappus_nginxdir = $(pkgdatadir)/nginx
dist_pappus_nginx_DATA = \
	nginx/pappus-admin.conf \
	nginx/pappus-device.conf \
	nginx/pappus-errors.conf \
	nginx/pappus-failed.conf \
	nginx/pappus-fastcgi.conf \
	nginx/pappus-feed.conf \
	nginx/pappus-http.conf \
	nginx/pappus-public.conf \
	nginx/pappus-published.conf \
	nginx/pappus-server.conf \
	nginx/site.conf.in

EXTRA_DIST += quickstart \
	stack/ca.sh stack/common.sh stack/keep stack/mosquitto.sh \
	stack/nginx.sh stack/packages stack/packages.sh stack/postgres.sh \
	stack/programs.sh stack/revocation.sh \
	stack/stack
