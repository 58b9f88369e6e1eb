# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# A PostgreSQL cluster on a Unix socket only.  Its superuser comes by the
# system's word for who asks (peer); each program by a password that only its
# own file holds, since numeric users without an account have no peer name.

postgres_bin()
{
	local found
	found=$(find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null |
	    sort -V | tail -n 1)
	[ -n "$found" ] || die "PostgreSQL is missing: apt-get install postgresql-15"
	dirname "$found"
}

# As the cluster's superuser; the rest are psql's arguments.
super_psql()
{
	psql -X -q -v ON_ERROR_STOP=1 -h "$RUN/pg" -U postgres "$@"
}

# initdb refuses root, and the user postgres can't enter a checkout below a
# folder closed to it, such as root's home: then the cluster lies in the run
# folder, and goes with it at the next boot.
postgres_place()
{
	if [ -d "$DIR/pgdata" ]; then
		echo "$DIR/pgdata"
	elif is_root && ! run_as postgres test -x "$DIR" 2>/dev/null; then
		echo "$RUN/pgdata"
	else
		echo "$DIR/pgdata"
	fi
}

postgres_init()
{
	local me
	me=$(id -un)
	rm -rf "$PGDATA"
	# What an earlier database knew is gone.
	rm -f "$DIR/database-ready"
	if is_root; then
		install -d -m 0700 -o postgres -g postgres "$PGDATA"
	else
		install -d -m 0700 "$PGDATA"
	fi
	(cd / && run_as postgres "$(postgres_bin)/initdb" -D "$PGDATA" \
	    -U postgres -E UTF8 --locale=C.UTF-8 -A reject -N) \
	    >>"$DIR/log/setup.log" 2>&1 || die "initdb failed; see $DIR/log/setup.log"
	cat >"$PGDATA/pg_hba.conf" <<-HBA
		local all postgres peer map=stack
		local all all scram-sha-256
	HBA
	printf 'stack "%s" postgres\n' "$me" postgres >"$PGDATA/pg_ident.conf"
}

# What a killed server leaves behind.  PostgreSQL takes its number in the lock
# file seriously even when that is a zombie's, or after a reboot another's.
postgres_unlock()
{
	local pid
	rm -f "$RUN/pg"/.s.PGSQL.*
	[ -f "$PGDATA/postmaster.pid" ] || return 0
	pid=$(head -n 1 "$PGDATA/postmaster.pid")
	case $(readlink "/proc/$pid/exe" || true) in
	*/postgres) ;;
	*) rm -f "$PGDATA/postmaster.pid" ;;
	esac
}

postgres_start()
{
	local owner=()
	! is_root || owner=(-o postgres -g postgres)
	PGDATA=$(postgres_place)
	set_setting PGDATA "$PGDATA"
	[ -f "$PGDATA/PG_VERSION" ] || postgres_init
	install -d -m 0711 "${owner[@]}" "$RUN/pg"
	postgres_unlock
	# The sweep knows the server by its error output, as all others.
	(cd / && run_as postgres "$(postgres_bin)/pg_ctl" start -s -w -t 60 \
	    -D "$PGDATA" -o "-c listen_addresses='' -k '$RUN/pg'") \
	    >>"$DIR/log/postgres.log" 2>&1 9>&- </dev/null ||
	    die "PostgreSQL did not start; see $DIR/log/postgres.log"
	record_process postgres "$(head -n 1 "$PGDATA/postmaster.pid")"
}

postgres_stop()
{
	# INT is "fast": sessions are ended, nothing is lost.
	end_process postgres INT 30
	end_orphans postgres
}

# The database, its roles, and a password for each role that logs in.
postgres_prepare()
{
	local role
	[ "$(super_psql -d postgres -At -c \
	    "SELECT 1 FROM pg_database WHERE datname = 'pappus'")" = 1 ] ||
	    super_psql -d postgres -c \
	    "CREATE DATABASE pappus TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'"
	PAPPUS_DATABASE="host=$RUN/pg user=postgres dbname=pappus" \
	    "$BUILD/pappus" migrate --sql-dir "$SOURCE/sql" \
	    >>"$DIR/log/setup.log" 2>&1 ||
	    die "pappus migrate failed; see $DIR/log/setup.log"
	[ ! -f "$DIR/database-ready" ] || return 0
	install -m 0600 /dev/null "$DIR/pgpass"
	for role in enroll identity admin crl ocsp setup; do
		echo "*:*:*:pappus_$role:$(random_hex)" >>"$DIR/pgpass"
	done
	# On standard input: arguments can be seen by everyone.
	awk -F : '{ printf "ALTER ROLE %s PASSWORD '\''%s'\'';\n", $4, $5 }' \
	    "$DIR/pgpass" | super_psql -d pappus
}

# conninfo ROLE PASSFILE
conninfo()
{
	echo "host=$RUN/pg dbname=pappus user=pappus_$1 passfile='$2'" \
	    "connect_timeout=5 target_session_attrs=read-write"
}

as_setup()
{
	PAPPUS_DATABASE=$(conninfo setup "$RUN/pgpass") "$@"
}
