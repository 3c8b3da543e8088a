#!/bin/sh
# run.sh [GROUP...] - run the tests: the unit tests (unit), the checks of the
# tree (tree), and every tests/run-GROUP.sh.  Ends with the sum.
. tests/lib.sh

all_passed=0
all_failed=0
bad=''

# group NAME COMMAND...: run, show, add up.  A group that ends without saying
# how many passed counts as one failed.
group() {
	name=$1
	shift
	printf '== %s\n' "$name"
	start=$(date +%s)
	{ "$@" 2>&1; echo "$?" > "$tmp/status"; } | tee "$tmp/log"
	sum=$(sed -n 's/.*: \([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' \
	    "$tmp/log" | tail -n 1)
	if [ -z "$sum" ]; then
		echo "FAIL  $name did not come to its end"
		sum='0 1'
	fi
	all_passed=$((all_passed + ${sum% *}))
	all_failed=$((all_failed + ${sum#* }))
	[ "${sum#* }" -eq 0 ] || bad="$bad $name"
	printf '   %s: %d s\n' "$name" $(($(date +%s) - start))
}

# The unit tests: each cmocka program says how many passed and failed.
unit() {
	for c in tests/unit-*.c; do
		[ -e "$c" ] || continue
		u=$(basename "$c" .c)
		timeout 600 "$O/tests/$u" > "$tmp/unit" 2>&1
		status=$?
		p=$(sed -n 's/.*\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$tmp/unit" |
		    awk '{ n += $1 } END { print n + 0 }')
		f=$(grep -c '\[  FAILED  \] [^0-9]' "$tmp/unit")
		[ "$status" -ne 0 ] && [ "$f" -eq 0 ] && f=1
		passed=$((passed + p))
		if [ "$f" -eq 0 ]; then
			printf 'ok    %s: %d tests\n' "$u" "$p"
		else
			failed=$((failed + f))
			printf 'FAIL  %s (exit status %d)\n' "$u" "$status"
			grep -v '\[ *\(OK\|RUN\) *\]' "$tmp/unit" | head -n 60
		fi
	done
	echo "unit: $passed passed, $failed failed"
}

# What is not about the program's behaviour: layers, generated pages.
tree() {
	for t in layers:"scripts/layers $O" man:"scripts/man $O --check" \
	    completions:"scripts/completions $O --check"; do
		[ -e "$(echo "${t#*:}" | cut -d' ' -f1)" ] || continue
		# shellcheck disable=SC2086
		if sh ${t#*:} > "$tmp/tree" 2>&1; then
			pass "${t%%:*}"
		else
			fail "${t%%:*}" "$tmp/tree"
		fi
	done
	echo "tree: $passed passed, $failed failed"
}

if [ $# -eq 0 ]; then
	set -- unit tree
	for g in tests/run-*.sh; do
		g=${g#tests/run-}
		set -- "$@" "${g%.sh}"
	done
fi
for g; do
	case $g in
	unit) group unit unit ;;
	tree) group tree tree ;;
	*) group "$g" sh "tests/run-$g.sh" ;;
	esac
done
[ -z "$bad" ] || echo "failed in:$bad"
echo "$all_passed passed, $all_failed failed"
[ "$all_failed" -eq 0 ]
