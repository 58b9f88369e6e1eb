# SPDX-License-Identifier: ISC
# What `pappus migrate` applies: the roles, then each migration once.
sqldir = $(pkgdatadir)/sql
dist_sql_DATA = \
	sql/roles.sql \
	sql/0001_tables.sql \
	sql/0002_enroll.sql \
	sql/0003_issue.sql \
	sql/0004_admin.sql \
	sql/0005_admin_devices.sql \
	sql/0006_admin_certificates.sql \
	sql/0007_setup.sql \
	sql/0008_audit.sql \
	sql/0009_publish.sql \
	sql/0010_recover.sql
