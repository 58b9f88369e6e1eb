# SPDX-License-Identifier: ISC
# What `pappus migrate` applies: the roles, then each migration once.
sqldir = $(pkgdatadir)/sql
dist_sql_DATA = \
	sql/roles.sql \
	sql/0001_tables.sql \
	sql/0002_devices.sql \
	sql/0003_admin.sql \
	sql/0004_setup.sql \
	sql/0005_audit.sql
