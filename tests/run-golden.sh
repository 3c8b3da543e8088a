#!/bin/sh
# run-golden.sh [--bless] [NAME...] - sessions and what comes out of them.
#
# tests/golden/NAME.anvil is a command file whose first line says what it runs
# on: `#! IMAGE [options]`, where IMAGE is the name of a sample (or several
# volumes of it, or `none`).  NAME.out is what comes: standard output, then
# standard error, then the exit status.  With -w among the options the session
# gets a copy of the image that it may change.  --bless writes the .out files.
#
# Then every command's own example, and the files of share/examples, which have
# the same first line, are run: they have to end with 0 or 3.
. tests/lib.sh

bless=''
[ "${1-}" = --bless ] && { bless=1; shift; }
anvil=$(realpath "$O/anvil")
root=$PWD
cwd=$tmp/cwd

# session FILE OUT: run a command file in a fresh directory.  In it the image
# is NAME.img, or NAME.volN.img when it has several volumes.
session() {
	rm -rf "$cwd"
	mkdir "$cwd"
	name=$(basename "$1")
	cp "$1" "$cwd/$name"
	first=$(head -n 1 "$1")
	case $first in
	'#! '*) ;;
	*)	echo "the first line has to be: #! IMAGE [options]" > "$2"
		status=2
		return ;;
	esac
	# shellcheck disable=SC2086
	set -- "$2" ${first#'#! '}
	out=$1 image=$2
	shift 2
	files=''
	if [ "$image" != none ]; then
		for u in $(unpacked "$image"); do
			v=${u##*-}
			v=$image.$v
			[ "$(unpacked "$image" | wc -w)" -gt 1 ] ||
				v=$image.img
			case " $* " in
			*' -w '*) cp --sparse=always "$u" "$cwd/$v" ;;
			*) ln -s "$u" "$cwd/$v" ;;
			esac
			files="$files $v"
		done
	fi
	# shellcheck disable=SC2086
	(cd "$cwd" && XDG_STATE_HOME=$cwd/state timeout 120 "$anvil" -N -q "$@" \
	    -f "$name" $files < /dev/null > "$tmp/stdout" 2> "$tmp/stderr")
	status=$?
	{
		cat "$tmp/stdout"
		[ -s "$tmp/stderr" ] && echo '--- stderr' && cat "$tmp/stderr"
		echo "--- exit status $status"
	} > "$out"
}

for f in tests/golden/*.anvil; do
	[ -e "$f" ] || continue
	n=$(basename "$f" .anvil)
	case " ${*:-$n} " in
	*" $n "*) ;;
	*) continue ;;
	esac
	session "$f" "$tmp/out"
	if [ -n "$bless" ]; then
		cmp -s "$tmp/out" "${f%.anvil}.out" || echo "new: $n"
		cp "$tmp/out" "${f%.anvil}.out"
	elif cmp -s "$tmp/out" "${f%.anvil}.out"; then
		pass "$n"
	else
		diff -u "${f%.anvil}.out" "$tmp/out" > "$tmp/diff" 2>&1
		fail "$n" "$tmp/diff"
	fi
done
[ -n "$bless" ] && exit

if [ $# -eq 0 ]; then
	for f in share/examples/*.anvil; do
		[ -e "$f" ] || continue
		session "$f" "$tmp/out"
		case $status in
		0|3) pass "example $(basename "$f")" ;;
		*) fail "example $(basename "$f")" "$tmp/out" ;;
		esac
	done
	"$anvil" --dump-examples > "$tmp/examples" ||
	    fail 'anvil --dump-examples'
	sample=$(unpacked july19-v1)
	mkdir -p "$tmp/ex"
	cp -r share/examples "$tmp/ex/" 2>/dev/null
	# what compare compares with
	ln -s "${sample% }" "$tmp/ex/later.img"
	while IFS='	' read -r n line; do
		[ -n "$line" ] || { fail "example of $n: there is none"; continue; }
		# shellcheck disable=SC2086
		(cd "$tmp/ex" && XDG_STATE_HOME=$tmp/ex timeout 120 "$anvil" -N -q \
		    -c "$line" ${sample} < /dev/null > "$tmp/out" 2>&1)
		status=$?
		case $status in
		0|3) pass "example of $n: $line" ;;
		*)	echo "  exit status $status" >> "$tmp/out"
			fail "example of $n: $line" "$tmp/out" ;;
		esac
	done < "$tmp/examples"
fi
cd "$root" || exit
finish golden
