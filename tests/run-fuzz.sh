#!/bin/sh
# run-fuzz.sh [SECONDS] - replay the corpus of every fuzzer, then let it look
# for more for some seconds.  What it finds stays in build/crashes.
. tests/lib.sh

seconds=${1:-10}
for c in tests/fuzz-*.c; do
	f=$(basename "$c" .c)
	corpus=tests/corpus/$f
	mkdir -p "$tmp/$f" "$O/crashes"
	ANVIL_SAMPLE=$(unpacked history-v7 | tr -d ' ')
	export ANVIL_SAMPLE
	if timeout 900 "$SAN/tests/$f" -timeout=20 -rss_limit_mb=3000 -close_fd_mask=3 -runs=0 \
	    -artifact_prefix="$O/crashes/$f-" "$corpus" > "$tmp/log" 2>&1; then
		pass "$f: its $(find "$corpus" -type f | wc -l) known inputs"
	else
		tail -n 40 "$tmp/log" > "$tmp/why"
		fail "$f: its known inputs" "$tmp/why"
		continue
	fi
	if timeout $((seconds + 120)) "$SAN/tests/$f" -timeout=20 \
	    -rss_limit_mb=3000 -close_fd_mask=3 -max_total_time="$seconds" -dict=tests/fuzz.dict \
	    -artifact_prefix="$O/crashes/$f-" "$tmp/$f" "$corpus" \
	    > "$tmp/log" 2>&1; then
		pass "$f: $(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$tmp/log")" \
		    "new inputs in $seconds s"
	else
		tail -n 40 "$tmp/log" > "$tmp/why"
		fail "$f: new inputs" "$tmp/why"
	fi
done
finish fuzz
