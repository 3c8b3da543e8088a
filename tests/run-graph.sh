#!/bin/sh
# run-graph.sh - pictures and reports: what graphviz and XML say of them, that
# two runs and two locales give the same bytes, what a bundle gives away, and
# that damaged images end in a picture or a sentence.
#
# dot and xmllint are used when they are there.
. tests/lib.sh

anvil=$(realpath "$O/anvil")
kinds='tree
tree --depth 1 --style dark
tree --path-to /
file /
space
space root
who root
undo
diff cycle:-1 now
from print root
from pfs'

# run OUT IMAGE... -- LINE: status in $status
run() {
	out=$1
	shift
	files=''
	while [ "$1" != -- ]; do
		files="$files $1"
		shift
	done
	# shellcheck disable=SC2086
	timeout 120 "$anvil" -N -q -c "$2" $files < /dev/null > "$out" 2> "$tmp/err"
	status=$?
}

# fine: a picture or a clear sentence, never a crash
fine() {
	case $status in
	0|3) true ;;
	1) [ -s "$tmp/err" ] && ! grep -q 'unknown reason\|out of memory' "$tmp/err" ;;
	*) false ;;
	esac
}

for i in july19-v1 basic-v7 empty-v7 vols3-v7 crash-v7-c; do
	img=$(unpacked "$i")
	echo "$kinds" | while read -r k; do
		for t in dot svg text; do
			# shellcheck disable=SC2086
			run "$tmp/a.$t" $img -- "graph $k -T $t"
			fine || { echo "graph $k -T $t: status $status"; cat "$tmp/err"; }
			# shellcheck disable=SC2086
			LC_ALL=C.UTF-8 TZ=Asia/Tokyo run "$tmp/b.$t" $img -- "graph $k -T $t"
			cmp "$tmp/a.$t" "$tmp/b.$t"
		done
		[ -s "$tmp/a.svg" ] || continue
		awk 'length > 72 { print "too long: " $0 }' "$tmp/a.text"
		if command -v xmllint > /dev/null; then
			xmllint --noout "$tmp/a.svg" 2>&1 | head -3
		fi
		if command -v dot > /dev/null; then
			dot -Tsvg "$tmp/a.dot" 2>&1 > "$tmp/c.svg" | head -3
			[ -s "$tmp/c.svg" ] || echo "dot makes nothing of graph $k"
		fi
	done > "$tmp/log" 2>&1
	if [ -s "$tmp/log" ]; then
		fail "$i: every kind of picture is well-formed and the same twice" "$tmp/log"
	else
		pass "$i: every kind of picture is well-formed and the same twice"
	fi
done

# Files of each ending.
img=$(unpacked basic-v7)
for e in dot svg png pdf; do
	for n in 1 2; do
		# shellcheck disable=SC2086
		run "$tmp/out" $img -- "graph tree -o $tmp/$n.$e"
	done
	if [ "$status" = 0 ] && [ -s "$tmp/1.$e" ] && cmp -s "$tmp/1.$e" "$tmp/2.$e"
	then pass "a .$e file is the same bytes twice"
	else fail "a .$e file is the same bytes twice" "$tmp/err"
	fi
done
# shellcheck disable=SC2086
run "$tmp/out" $img -- "graph tree > $tmp/3.svg"
if cmp -s "$tmp/3.svg" "$tmp/1.svg"
then pass "the ending of a redirection decides, too"
else fail "the ending of a redirection decides, too" "$tmp/err"
fi

# Bundles: made again they are the same; with other names no name is in them,
# and the findings are the same ones.
for i in july19-v1 basic-v7 pfs-v6; do
	img=$(unpacked "$i")
	# shellcheck disable=SC2086
	run "$tmp/out" $img -- "report -d $tmp/plain-$i"
	# shellcheck disable=SC2086
	run "$tmp/out" $img -- "verify $tmp/plain-$i"
	if fine && grep -q '^all .* the same' "$tmp/out"
	then pass "$i: a bundle verifies"
	else fail "$i: a bundle verifies" "$tmp/out"
	fi
	# shellcheck disable=SC2086
	run "$tmp/out" $img -- "report -d $tmp/other-$i --obfuscate"
	# shellcheck disable=SC2086
	run "$tmp/out" $img -- "verify $tmp/other-$i"
	if fine && grep -q '^all .* the same' "$tmp/out"
	then pass "$i: a bundle with other names verifies"
	else fail "$i: a bundle with other names verifies" "$tmp/out"
	fi
	# Everything that is a name: entries, link targets, labels.  Shorter
	# ones are in any text by chance, and one is that of a bundle's file.
	# shellcheck disable=SC2086
	"$anvil" -N -q -k -o tsv -c 'dirents cols=name' -c 'files cols=target' \
	    -c 'pfs cols=label,snapshots' -c 'snapshots cols=label' \
	    -c 'volumes cols=label' $img 2> /dev/null | tr '/\t' '\n\n' |
	    awk 'length > 5 && !/^@@/ && !/^[0-9.-]*$/ && !/snapshots/ && !/^report.txt$/' |
	    sort -u > "$tmp/names"
	if [ -s "$tmp/names" ] && ! grep -rFf "$tmp/names" "$tmp/other-$i" > "$tmp/leak"
	then pass "$i: none of $(wc -l < "$tmp/names") names is in the bundle"
	else fail "$i: none of $(wc -l < "$tmp/names") names is in the bundle" "$tmp/leak"
	fi
	for d in plain other; do
		grep -o '^  [EW][0-9]* x [0-9]*' "$tmp/$d-$i/findings.txt" > "$tmp/$d.f"
	done
	if cmp -s "$tmp/plain.f" "$tmp/other.f"
	then pass "$i: other names leave the findings as they are"
	else fail "$i: other names leave the findings as they are" "$tmp/other.f"
	fi
done

# Damaged copies: garbage over a page of every nth big-block or buffer.
img=$(unpacked july19-v1)
img=${img% }
yes 'garbage {<>&|"' | head -c 4096 > "$tmp/garbage"
for seed in 1 2 3 4 5 6; do
	cp --sparse=always "$img" "$tmp/damaged.img"
	k=$((seed * 7))
	while [ $k -lt 30000 ]; do
		dd if="$tmp/garbage" of="$tmp/damaged.img" bs=4096 seek=$k \
		    count=1 conv=notrunc 2> /dev/null
		k=$((k + 90 * seed + 61))
	done
	echo "$kinds" | while read -r k; do
		for t in svg text; do
			run "$tmp/a.$t" "$tmp/damaged.img" -- "graph $k -T $t"
			fine || { echo "graph $k -T $t: status $status"; tail -3 "$tmp/err"; }
		done
		if [ -s "$tmp/a.svg" ] && command -v xmllint > /dev/null; then
			xmllint --noout "$tmp/a.svg" 2>&1 | head -3
		fi
	done > "$tmp/log" 2>&1
	run "$tmp/a" "$tmp/damaged.img" -- "report"
	fine || { echo "report: status $status"; tail -3 "$tmp/err"; } >> "$tmp/log"
	if [ -s "$tmp/log" ]; then
		fail "damage $seed ends in pictures or sentences" "$tmp/log"
	else
		pass "damage $seed ends in pictures or sentences"
	fi
done
finish graph
