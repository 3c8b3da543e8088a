#!/bin/sh
# run-fault.sh - the n-th read fails, the n-th allocation fails, for n = 1, 2,
# ... until a clean run: a clear error each time, no crash, no leak.
. tests/lib.sh

for c in tests/fault-*.c; do
	f=$(basename "$c" .c)
	# shellcheck disable=SC2046
	if timeout 900 "$SAN/tests/$f" $(unpacked history-v7) > "$tmp/log" 2>&1
	then
		pass "$f: $(tail -n 1 "$tmp/log")"
	else
		tail -n 40 "$tmp/log" > "$tmp/why"
		fail "$f" "$tmp/why"
	fi
done
finish fault
