# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# tap.sh: TAP for tests written in shell, and waiting for conditions. Sourced.
# For bash: it matches without starting processes, which are slow to start
# where this runs.
#
# check NAME CMD...            ok when CMD succeeds
# expect STATUS PATTERN CMD... ok when CMD ends with STATUS and what it prints
#                              matches the extended regular expression; its
#                              output is left in $out
# refuse PATTERN               ok when $out does not match
# expect_json STATUS CMD...    ok when CMD ends with STATUS; that it printed JSON
#                              and nothing else is checked by finish
# wait_for SECONDS CMD...      until CMD succeeds; 1 when it did not in time
# covered PATH FILE CMD...     run CMD where PATH is covered by FILE, or when that
#                              is empty by an empty folder
# finish                       the plan; exits 0, or 1 when a test failed
number=0 rc=0 out='' json=''

verdict() { # STATUS NAME
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $number $2"
		return
	fi
	echo "not ok $number $2"
	rc=1
}

check() {
	name=$1
	shift
	"$@"
	verdict $? "$name"
}

# What was run, for the line of its test: long arguments are cut.
words() {
	local word text=''

	for word; do
		text="$text ${word:0:60}"
	done
	text=${text# }
	printf '%s' "${text//[^[:print:]]/?}"
}

expect() {
	local want=$1 pattern=$2 got

	shift 2
	out=$("$@" 2>&1)
	got=$?
	if [ $got -eq "$want" ] && [[ $out =~ $pattern ]]; then
		verdict 0 "$(words "$@") => $want, $pattern"
		return
	fi
	verdict 1 "$(words "$@") => $want, $pattern"
	printf '# status %s\n# %s\n' $got "${out//$'\n'/$'\n# '}"
}

refuse() {
	! [[ $out =~ $1 ]]
	verdict $? "... and not: $(words "$1")"
}

expect_json() {
	local want=$1 got
	shift
	[ -n "$json" ] || json=$(mktemp -d)
	"$@" > "$json/$number" 2> /dev/null
	got=$?
	verdict $((got != want)) "$(words "$@") => $want ($got)"
}

json_is_valid() {
	python3 -I -S - "$json"/* <<- 'END'
		import json, sys
		bad = 0
		for name in sys.argv[1:]:
		    with open(name) as f:
		        try:
		            lines = f.read().splitlines() or [""]
		            for line in lines:
		                json.loads(line)
		        except ValueError as e:
		            bad = 1
		            print(f"# output of test {int(name.split('/')[-1]) + 1}: {e}")
		sys.exit(bad)
	END
}

covered() { # PATH FILE CMD...
	path=$1 by=$2
	shift 2
	if [ -n "$by" ]; then
		set -- "mount --bind $by $path && exec \"\$@\"" sh "$@"
	else
		set -- "mount -t tmpfs none $path && exec \"\$@\"" sh "$@"
	fi
	unshare --mount sh -c "$@"
}

uptime_s() {
	read -r up _ < /proc/uptime
	echo "${up%.*}"
}

wait_for() {
	end=$(($(uptime_s) + $1))
	shift
	until "$@"; do
		[ "$(uptime_s)" -lt $end ] || return 1
		sleep 0.1
	done
}

finish() {
	if [ -n "$json" ]; then
		check "what should be JSON is JSON" json_is_valid
		rm -r "$json"
	fi
	echo "1..$number"
	exit $rc
}
