#!/bin/sh
# run-hostile.sh - every field of every structure of a small image set to every
# kind of wrong number: no crash, no hang, no sanitizer report, no more memory
# than an image of that size can need.
. tests/lib.sh
# Small structures live and die by the million: short memories of them will do.
export ASAN_OPTIONS=hard_rss_limit_mb=1500:quarantine_size_mb=4:max_malloc_fill_size=0:malloc_context_size=6

# all IMAGE [-l]: in two parts at once
all() {
	name=$1
	shift
	set -- "$@" "$(unpacked "$name" | tr -d ' ')"
	timeout 1500 "$SAN/tests/hostile" -p 1/2 "$@" > "$tmp/log1" 2>&1 &
	second=$!
	timeout 1500 "$SAN/tests/hostile" -p 0/2 "$@" > "$tmp/log0" 2>&1
	s0=$?
	wait "$second"
	s1=$?
	i=0
	for s in $s0 $s1; do
		if [ "$s" -eq 0 ]; then
			pass "$name: $(tail -n 1 "$tmp/log$i")"
		else
			tail -n 40 "$tmp/log$i" > "$tmp/why"
			fail "$name (exit status $s)" "$tmp/why"
		fi
		i=$((i + 1))
	done
}

all history-v7
all crash-v7-c -l
finish hostile
