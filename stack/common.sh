# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2034
# What the parts of the stack share: folders, settings, processes known by
# number and start, free ports.  Sourced by stack, which sets DIR and SOURCE.

# The programs and the numeric users they run as when root starts the stack:
# one each, no accounts needed (the range is nobody's: Debian and systemd
# leave 60706 to 61183 free).
PROGRAMS="enroll identity admin"
declare -A PROGRAM_UID=([enroll]=60901 [identity]=60902 [admin]=60903
	[crld]=60904 [brokerd]=60905)
COMPONENTS="postgres $PROGRAMS crld nginx brokerd mosquitto"

die()
{
	echo "stack: $*" >&2
	exit 1
}

is_root()
{
	[ "$(id -u)" -eq 0 ]
}

# run_as USER COMMAND...: as another user when root, else as ourselves.
run_as()
{
	local user=$1
	shift
	if is_root; then
		setpriv --reuid="$user" --regid="$user" --clear-groups -- "$@"
	else
		"$@"
	fi
}

# --- Settings: what was chosen once and must stay, as NAME=VALUE lines.

setting()
{
	[ -f "$DIR/settings" ] || return 0
	sed -n "s/^$1=//p" "$DIR/settings" | tail -n 1
}

set_setting()
{
	local rest=""
	[ ! -f "$DIR/settings" ] || rest=$(grep -v "^$1=" "$DIR/settings" || true)
	printf '%s\n' ${rest:+"$rest"} "$1=$2" >"$DIR/settings.new"
	mv "$DIR/settings.new" "$DIR/settings"
}

# --- Folders.

# Sockets live in a short folder of their own: a socket's path is limited to
# 107 bytes.  What nginx and the broker read lies there too, so that no
# configuration has to quote the path of the checkout.
open_run_dir()
{
	RUN=""
	[ ! -f "$DIR/run-dir" ] || RUN=$(cat "$DIR/run-dir")
	if [ -z "$RUN" ] || [ ! -d "$RUN" ] || [ -L "$RUN" ] || [ ! -O "$RUN" ]
	then
		RUN=$(mktemp -d /tmp/pappus.XXXXXX)
		echo "$RUN" >"$DIR/run-dir"
	fi
	# As root, users of less right pass through; none can list it.
	if is_root; then
		chmod 0711 "$RUN" "$DIR"
	fi
	ln -sfn "$DIR/log" "$RUN/log"
}

# --- Processes.  One is known by number, start (in ticks since boot) and
# boot, so that a number used again never gets a signal meant for another.

process_start()
{
	local line
	{ read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
	# The name, in parentheses, may hold anything; the start is field 22.
	# shellcheck disable=SC2086
	set -- ${line##*) }
	# A zombie has ended, whether or not its parent has noticed.
	[ "$1" != Z ] || return 1
	echo "${20}"
}

record_process()
{
	echo "$2 $(process_start "$2") $(cat /proc/sys/kernel/random/boot_id)" \
	    >"$DIR/pid/$1"
}

# The process's number when it still runs; else false.
running()
{
	local pid start boot
	[ -f "$DIR/pid/$1" ] || return 1
	read -r pid start boot <"$DIR/pid/$1" || return 1
	[ "$boot" = "$(cat /proc/sys/kernel/random/boot_id)" ] || return 1
	[ "$(process_start "$pid")" = "$start" ] || return 1
	echo "$pid"
}

# wait_gone PID SECONDS
wait_gone()
{
	local left=$(($2 * 20))
	while [ -d "/proc/$1" ] && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
	do
		[ "$left" -gt 0 ] || return 1
		left=$((left - 1))
		sleep 0.05
	done
}

# end_process NAME SIGNAL SECONDS: KILL when the time is over.
end_process()
{
	local pid
	if pid=$(running "$1"); then
		kill -s "$2" "$pid" 2>/dev/null || true
		wait_gone "$pid" "$3" || kill -s KILL "$pid" 2>/dev/null || true
	fi
	rm -f "$DIR/pid/$1"
}

# Children of what was killed with -9 live on (nginx's workers do, and keep
# its ports).  Ours are those whose error output is one of our log files.
end_orphans()
{
	local link pid
	for link in /proc/[0-9]*/fd/2; do
		case $(readlink "$link" 2>/dev/null || true) in
		"$DIR/log/$1"*) ;;
		*) continue ;;
		esac
		pid=${link#/proc/}
		pid=${pid%%/*}
		kill -s KILL "$pid" 2>/dev/null || true
		wait_gone "$pid" 5 || true
	done
}

# wait_for SECONDS WHAT COMMAND...
wait_for()
{
	local left=$(($1 * 20)) what=$2
	shift 2
	until "$@" 2>/dev/null; do
		[ "$left" -gt 0 ] || die "$what did not come up; see $DIR/log"
		left=$((left - 1))
		sleep 0.05
	done
}

listening()
{
	(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

socket_listens()
{
	# shellcheck disable=SC2016
	perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new($ARGV[0]) or exit 1' "$1"
}

# free_port PREFERRED: that port of loopback, or another when it is taken.
free_port()
{
	# shellcheck disable=SC2016
	perl -MIO::Socket::INET -e '
		my $socket;
		for my $port ($ARGV[0], 0) {
			$socket = IO::Socket::INET->new(LocalAddr => "127.0.0.1",
			    LocalPort => $port, Listen => 1, ReuseAddr => 1)
			    and last;
		}
		print $socket->sockport, "\n"' "$1"
}

# choose_port NAME PREFERRED: once chosen it stays, unless another has it now.
choose_port()
{
	local port
	port=$(setting "$1")
	port=$(free_port "${port:-$2}")
	set_setting "$1" "$port"
}

# --- Steps.

current=""

now_ms()
{
	echo $((${EPOCHREALTIME/[.,]/} / 1000))
}

# step TEXT COMMAND...: one line with its time.  A command that fails ends the
# script (set -e), and $current still says what it was.
step()
{
	local begin ms
	current=$1
	shift
	begin=$(now_ms)
	"$@"
	ms=$(($(now_ms) - begin))
	printf '  [ok] %3d.%02d s  %s\n' $((ms / 1000)) $((ms % 1000 / 10)) "$current"
	current=""
}

random_hex()
{
	od -An -N16 -tx1 /dev/urandom | tr -d ' \n'
}
