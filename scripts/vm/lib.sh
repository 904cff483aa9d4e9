# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Paths and helpers that the scripts beside this one share. Sourced, not run.
# Sets nothing outside the variables below, mounts nothing, starts nothing.

die() {
	echo "vm: $*" >&2
	exit 1
}

say() {
	[ -n "${VM_QUIET:-}" ] || echo "vm: $*" >&2
}

tree=$(cd "$(dirname "$0")/../.." && pwd -P) || exit 1
vm=$tree/build/vm
# Read by the scripts that source this file.
# shellcheck disable=SC2034
root=$vm/root kernels=$vm/kernel

# Become a command that dies together with everything it starts when this
# process does: a private mount and PID namespace, and for a user who is not
# root a user namespace in which that user is root. Does not return.
isolated() {
	user=''
	[ "$(id -u)" -eq 0 ] || user=--map-root-user
	exec unshare $user --mount --pid --fork --kill-child=KILL "$@"
}

# The kernel version in use: KVER= when given, else what set-up resolved.
kernel_version() {
	if [ -n "${KVER:-}" ] && [ -s "$kernels/$KVER.version" ]; then
		cat "$kernels/$KVER.version"
	elif [ -z "${KVER:-}" ] && [ -s "$kernels/newest.version" ]; then
		cat "$kernels/newest.version"
	else
		return 1
	fi
}
