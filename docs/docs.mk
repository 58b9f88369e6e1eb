# SPDX-License-Identifier: ISC
# Manual pages, and what is read beside the source.
dist_man_MANS = \
	docs/pappus.1 \
	docs/pappus-ca.1 \
	docs/pappus-admin.8 \
	docs/pappus-brokerd.8 \
	docs/pappus-crld.8 \
	docs/pappus-enroll.8 \
	docs/pappus-identity.8 \
	docs/pappus-mosquitto.7
dist_doc_DATA = \
	docs/api.md \
	docs/architecture.md \
	docs/audit.md \
	docs/backup.md \
	docs/database.md \
	docs/decisions.md \
	docs/deploy.md \
	docs/errors.md \
	docs/evidence.md \
	docs/operations.md \
	docs/states.md \
	docs/road.svg
