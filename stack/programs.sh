# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# The FastCGI programs: spawn-fcgi makes the socket, multiwatch the workers,
# keep restarts multiwatch.  Started by root, each runs as a user of its own,
# from a copy that this user can reach, with the one secret it may read.

# own PROGRAM INSTALL-ARGUMENTS...: a file or folder for that program alone.
own()
{
	local owner=()
	! is_root || owner=(-o "${PROGRAM_UID[$1]}" -g "${PROGRAM_UID[$1]}")
	shift
	install "${owner[@]}" "$@"
}

program_files()
{
	local name=$1 home=$RUN/$1 key
	own "$name" -d -m 0700 "$home"
	own "$name" -m 0600 /dev/null "$home/pgpass"
	grep ":pappus_$name:" "$DIR/pgpass" >"$home/pgpass"
	mkdir -p "$RUN/bin"
	# Not written over: an older worker may still run from it.
	rm -f "$RUN/bin/$name"
	install -m 0755 "$BUILD/$name" "$RUN/bin/$name"
	[ "$name" = identity ] || return 0
	own "$name" -d -m 0700 "$home/keys"
	for key in "$DIR"/ca/device/*.key; do
		own "$name" -m 0600 "$key" "$home/keys/"
	done
}

# The rest of the environment is what `stack up --env` was given.
program_env()
{
	ENV=("PAPPUS_DATABASE=$(conninfo "$1" "$RUN/$1/pgpass")")
	[ "$1" != identity ] || ENV+=("PAPPUS_CA_DIR=$RUN/identity/keys")
	local line
	while read -r line; do
		ENV+=("$line")
	done < <(cat "$DIR/env" 2>/dev/null || true)
}

program_start()
{
	local name=$1 socket=() drop=(--pdeathsig TERM --no-new-privs) ENV
	program_files "$name"
	program_env "$name"
	if is_root; then
		socket=(-U "${PROGRAM_UID[$name]}" -G www-data)
		drop+=(--reuid "${PROGRAM_UID[$name]}" --clear-groups
			--regid "${PROGRAM_UID[$name]}")
	fi
	(cd / && env "${ENV[@]}" setpriv "${drop[@]}" -- "$RUN/bin/$name" --check) \
	    >>"$DIR/log/setup.log" 2>&1 9>&- ||
	    die "$name --check failed; see $DIR/log/setup.log"
	(cd / && exec env "${ENV[@]}" setsid "$SOURCE/stack/keep" \
	    spawn-fcgi -n -s "$RUN/$name.sock" -M 0660 "${socket[@]}" -- \
	    "$(command -v setpriv)" "${drop[@]}" -- multiwatch -f "$(setting WORKERS)" \
	    -r 1000000 -t 1 -- "$RUN/bin/$name") \
	    >>"$DIR/log/$name.log" 2>&1 9>&- </dev/null &
	record_process "$name" "$!"
	wait_for 10 "$name" socket_listens "$RUN/$name.sock"
}

# program_is_old NAME [BUILT-AS]: built anew since it was started.
program_is_old()
{
	[ -f "$RUN/bin/$1" ] && ! cmp -s "$BUILD/${2:-$1}" "$RUN/bin/$1"
}

program_stop()
{
	end_process "$1" TERM 15
	end_orphans "$1"
	rm -f "$RUN/$1.sock"
}
