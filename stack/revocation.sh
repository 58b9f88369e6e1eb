# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# What carries a revocation from the database to the broker: crld publishes
# files, nginx serves them, brokerd fetches them, the broker's plugin acts.

# Keys of every sub-CA: crld signs the CRLs of all.
crld_files()
{
	local home=$RUN/crld dir
	own crld -d -m 0700 "$home" "$home/keys"
	own crld -m 0600 /dev/null "$home/pgpass"
	grep ":pappus_crl:" "$DIR/pgpass" >"$home/pgpass"
	for dir in "$DIR"/ca/*/; do
		dir=${dir%/}
		[ ! -f "$dir/ca.key" ] ||
		    own crld -m 0600 "$dir/ca.key" "$home/keys/${dir##*/}.key"
	done
	own crld -d -m 0755 "$RUN/public"
	install -m 0755 "$BUILD/pappus-crld" "$RUN/bin/crld"
}

crld_start()
{
	rm -f "$RUN/bin/crld"
	crld_files
	local ENV=("PAPPUS_DATABASE=$(conninfo crl "$RUN/crld/pgpass")"
		"PAPPUS_CA_DIR=$RUN/crld/keys" "PAPPUS_PUBLIC_DIR=$RUN/public"
		"PAPPUS_METRICS_FILE=$RUN/crld/metrics.prom")
	daemon_start crld
	wait_for 20 crld test -f "$RUN/public/feed/state"
}

crld_stop()
{
	end_process crld TERM 15
	end_orphans crld
}

# The broker's user reads what brokerd keeps, by the folder's group.
brokerd_files()
{
	local home=$RUN/brokerd
	own brokerd -d -m 0711 "$home"
	if is_root; then
		install -d -m 2750 -o "${PROGRAM_UID[brokerd]}" -g mosquitto "$home/feed"
	else
		install -d -m 0750 "$home/feed"
	fi
	own brokerd -m 0644 "$DIR/public/ca/root.pem" "$home/root.pem"
	install -m 0755 "$BUILD/pappus-brokerd" "$RUN/bin/brokerd"
}

brokerd_start()
{
	rm -f "$RUN/bin/brokerd"
	brokerd_files
	local ENV=("PAPPUS_FEED_URL=https://localhost:$(setting DEVICE_PORT)/feed/"
		"PAPPUS_FEED_CA_FILE=$RUN/brokerd/root.pem"
		"PAPPUS_CA_FILE=$RUN/brokerd/root.pem"
		"PAPPUS_FEED_DIR=$RUN/brokerd/feed"
		"PAPPUS_METRICS_FILE=$RUN/brokerd/metrics.prom")
	daemon_start brokerd
	wait_for 20 brokerd test -f "$RUN/brokerd/feed/state"
}

brokerd_stop()
{
	end_process brokerd TERM 15
	end_orphans brokerd
}

# daemon_start NAME: with ENV, as its user, and again when it ends.
daemon_start()
{
	local name=$1 drop=(--pdeathsig TERM --no-new-privs) line
	while read -r line; do
		ENV+=("$line")
	done < <(cat "$DIR/env" 2>/dev/null || true)
	! is_root || drop+=(--reuid "${PROGRAM_UID[$name]}" --clear-groups
		--regid "${PROGRAM_UID[$name]}")
	(cd / && env "${ENV[@]}" setpriv "${drop[@]}" -- "$RUN/bin/$name" --check) \
	    >>"$DIR/log/setup.log" 2>&1 9>&- ||
	    die "$name --check failed; see $DIR/log/setup.log"
	(cd / && exec env "${ENV[@]}" setsid "$SOURCE/stack/keep" \
	    "$(command -v setpriv)" "${drop[@]}" -- "$RUN/bin/$name") \
	    >>"$DIR/log/$name.log" 2>&1 9>&- </dev/null &
	record_process "$name" "$!"
}
