#!/bin/sh
# run-hostile.sh - every field of every structure of a small image set to every
# kind of wrong number: no crash, no hang, no sanitizer report.
. tests/lib.sh

for name in empty-v7 history-v7; do
	# shellcheck disable=SC2046
	if timeout 900 "$SAN/tests/hostile" $(unpacked "$name") > "$tmp/log" 2>&1
	then
		pass "$name: $(tail -n 1 "$tmp/log")"
	else
		tail -n 40 "$tmp/log" > "$tmp/why"
		fail "$name" "$tmp/why"
	fi
done
finish hostile
