# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# Install the Debian packages that are missing, and start none of the services
# they bring.  Sourced by quickstart and tests/run.

# missing_packages LIST GROUP...
missing_packages()
{
	local list=$1 group name least version
	shift
	while read -r group name least; do
		case " $* " in
		*" $group "*) ;;
		*) continue ;;
		esac
		version=$(dpkg-query -W -f '${db:Status-Status} ${Version}' \
		    "$name" 2>/dev/null) || version=""
		case $version in
		"installed "*) ;;
		*) echo "$name" && continue ;;
		esac
		[ -z "$least" ] ||
		    dpkg --compare-versions "${version#installed }" ge "$least" ||
		    echo "$name"
	done < <(grep -v '^#' "$list")
}

# The part that root does; the arguments are the packages.  Debian asks
# policy-rc.d whether a service may start, and 101 means no.
# shellcheck disable=SC2016
INSTALL_SCRIPT='
	set -eu
	policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		trap "rm -f $policy" EXIT
		printf "#!/bin/sh\nexit 101\n" >"$policy"
		chmod 755 "$policy"
	fi
	export DEBIAN_FRONTEND=noninteractive
	get() { apt-get install -y --no-install-recommends "$@" </dev/null; }
	# The lists of packages may be absent or too old to install from.
	get "$@" || { apt-get update </dev/null && get "$@"; }
'

# install_packages LIST LOG GROUP...
install_packages()
{
	local list=$1 log=$2 missing sudo=()
	shift 2
	mapfile -t missing < <(missing_packages "$list" "$@")
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		sudo=(sudo)
		command -v sudo >/dev/null || {
			echo "These packages are missing, and there is no sudo:" >&2
			echo "    apt-get install ${missing[*]}" >&2
			return 1
		}
		# Asks for the password here, where it can be seen.
		sudo -v
	fi
	"${sudo[@]}" sh -c "$INSTALL_SCRIPT" install "${missing[@]}" \
	    >>"$log" 2>&1 || {
		echo "apt-get install ${missing[*]} failed; see $log" >&2
		return 1
	}
}
