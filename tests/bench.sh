#!/bin/sh
# bench.sh - how long opening, listing and verifying take, beside a plain
# sequential read of the same bytes, in one run with a warm cache; the checks
# also with a cold one ("cold"), as an image is that does not fit in memory.
. tests/lib.sh

dir=$O/bench
mkdir -p "$dir"
anvil="$O/anvil -N -q -o tsv"

# What is measured: the large genuine image, a generated tree of the same size,
# and the same tree with its nodes in random order.
sets=''
if [ -e ../shared/images/huge-v7/vol0.img.zst ]; then
	[ -e "$dir/huge-v7.img" ] || zstd -q -d --sparse \
	    ../shared/images/huge-v7/vol0.img.zst -o "$dir/huge-v7.img"
	sets='huge-v7'
fi
for s in plain shuffled; do
	[ "$s" = shuffled ] && flag=-s || flag=''
	# shellcheck disable=SC2086
	[ -e "$dir/$s.img" ] || "$O/tests/gen-tree" $flag -n "${FILES:-400000}" \
	    "$dir/$s.img" > /dev/null || exit
	sets="$sets $s"
done

# took TIMES COMMAND...: sets $t (seconds) and $rss (KiB)
took() {
	result=$("$O/tests/bench-run" "$@") || echo "failed: $*" >&2
	t=${result% *} rss=${result#* }
}

# line WHAT TIME READ AMOUNT UNIT AIM: the amounts a second and the ratio
line() {
	awk -v what="$1" -v t="$2" -v read="$3" -v n="$4" -v unit="$5" \
	    -v aim="$6" 'BEGIN {
	printf "  %-24s %8.1f ms  read %8.1f ms  ratio %5.2f", what, t * 1000,
	    read * 1000, t / read
	printf "  %6.2f %s/s  aim %s\n", n / t / 1000000, unit, aim }'
}

for s in $sets; do
	img=$dir/$s.img
	echo "$s"
	# shellcheck disable=SC2086
	{
	took 20 $anvil -c quit "$img"
	printf '  %-24s %8.1f ms  %d KiB resident  aim 20 ms, 20480 KiB\n' \
	    'to the prompt' "$(echo "$t" | awk '{ print $1 * 1000 }')" "$rss"
	elements=$($anvil -c elements "$img" | wc -l)
	nodes=$("$O/tests/bench-read" "$img" 8)
	data=$("$O/tests/bench-read" "$img" 8 9 10 11)
	took 5 "$O/tests/bench-read" "$img" 8
	r8=$t
	took 5 "$O/tests/bench-read" "$img" 8 9 10 11
	rall=$t
	took 5 $anvil -c elements "$img"
	line 'elements -o tsv' "$t" "$r8" "$elements" M '7 M/s'
	took 5 $anvil -c 'nodes crc=bad' "$img"
	line 'verify nodes' "$t" "$r8" "$nodes" MB 'ratio 1.5'
	took 5 $anvil -c 'records crc=bad' "$img"
	line 'verify nodes and data' "$t" "$rall" "$data" MB 'ratio 1.5'
	took -c "$img" 3 "$O/tests/bench-read" "$img" 8
	c8=$t
	took -c "$img" 3 "$O/tests/bench-read" "$img" 8 9 10 11
	call=$t
	for part in space \
	    'volumes freemap tree space undo history mirror pfs' ''; do
		case $part in
		space) what='check space' warm=$r8 cold=$c8 bytes=$nodes ;;
		'') what='check with data' warm=$rall cold=$call bytes=$data ;;
		*) what='check without data' warm=$r8 cold=$c8 bytes=$nodes ;;
		esac
		took 5 $anvil -c "check -s $part" "$img"
		line "$what" "$t" "$warm" "$bytes" MB 'ratio 2'
		took -c "$img" 3 $anvil -c "check -s $part" "$img"
		line "$what, cold" "$t" "$cold" "$bytes" MB 'ratio 2'
	done
	}
done
