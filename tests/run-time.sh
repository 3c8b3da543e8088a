#!/bin/sh
# run-time.sh [NAME...] - every state of the stepping images, reached forward,
# backward and in a shuffled order of visits, equals its tables; recovery of
# every crashed image gives the tables, trees and sums of the kernel's; and
# moving about in any FIFO changes no byte.
. tests/lib.sh

word='function word(s,   i, c, r) {
	r = ""
	for (i = 1; i <= length(s); i++) {
		c = substr(s, i, 1)
		r = r (c ~ /[A-Za-z0-9\/._~-]/ ? c : sprintf("\\x%02x", ord[c]))
	}
	return r
}
BEGIN { FS = OFS = "\t"; for (i = 1; i < 127; i++) ord[sprintf("%c", i)] = i }'

wanted() {
	case " $names " in
	"  "|*" $1 "*) return 0 ;;
	esac
	return 1
}
names=$*

# judge LABEL: pass if all pairs of $w/pairs are equal
judge() {
	if "$O/tests/compare" < "$w/pairs" > "$w/report" 2>&1 &&
	    [ "$(wc -l < "$w/pairs")" -gt 0 ]; then
		pass "$1: $(wc -l < "$w/pairs") tables"
	else
		{ cat "$w/report"; tail -n 5 "$w/err"; } > "$w/why"
		fail "$1" "$w/why"
	fi
}

# run NAME: the lines of $w/lines
run() {
	# shellcheck disable=SC2046
	"$O/anvil" -N -q -k -o tsv -f "$w/lines" $(volumes "$1") \
	    > "$w/out" 2> "$w/err"
}

# ------------------------------------------------------------------- stepping

# The next_offset of every step, in the order asked for.
visits() {
	case $2 in
	forward) awk -F'\t' 'NR > 1 { print $1, $7 }' "$1" ;;
	backward) awk -F'\t' 'NR > 1 { print $1, $7 }' "$1" | sort -rn ;;
	shuffled) awk -F'\t' 'BEGIN { srand(7) }
		NR > 1 { print rand(), $1, $7 }' "$1" |
		sort | cut -d ' ' -f 2- ;;
	esac
}

steps() {
	dir=$images/$1
	tables=$dir/steps
	if [ -e "$dir/steps.tar.zst" ]; then
		mkdir "$tmp/$1-steps"
		zstd -q -dc --long=27 "$dir/steps.tar.zst" |
		    tar x -C "$tmp/$1-steps"
		tables=$(find "$tmp/$1-steps" -type d -name steps | head -n 1)
	fi
	for order in forward backward shuffled; do
		w=$tmp/$1-$order
		mkdir "$w"
		: > "$w/lines"; : > "$w/pairs"
		visits "$dir/steps.tsv" "$order" > "$w/visits"
		while read -r n at; do
			n=$(printf %02d "$n")
			echo "time $at" >> "$w/lines"
			for r in nodes elements records layer1 bigblocks \
			    inodes dirents zones pfs snapshots; do
				echo "$r > $w/$n.$r" >> "$w/lines"
				echo "$n.$r $w/$n.$r" \
				    "$tables/$n/expected/$r.tsv" >> "$w/pairs"
			done
			echo "files > $w/$n.files" >> "$w/lines"
			echo "$n.files $w/$n.files $tables/$n/files.tsv" \
			    >> "$w/pairs"
		done < "$w/visits"
		run "$1"
		judge "$1 $order"
		rm -rf "$w"
	done
}

# ------------------------------------------------------------------- recovery

# plain TABLE: its file, decompressed when the tree has it so
plain() {
	if [ ! -e "$1" ] && [ -e "$1.zst" ]; then
		zstd -q -d -f "$1.zst" -o "$w/${1##*/}.plain"
		echo "$w/${1##*/}.plain"
	else
		echo "$1"
	fi
}
# sums TABLE: read the files named in it
sums() {
	mkdir "$w/sums"
	awk -v dir="$w/sums" "$word"'NR > 1 {
		printf "cat %s > %s/%06d\n", word($1), dir, NR }' "$1" \
	    >> "$w/lines"
}
take_sums() {
	(cd "$w/sums" && sha256sum ./*) > "$w/sha"
	awk -v sha="$w/sha" 'BEGIN { FS = OFS = "\t"
		while ((getline l < sha) > 0)
			got[substr(l, 69)] = substr(l, 1, 64) }
	NR == 1 { print; next }
	{ print $1, got[sprintf("%06d", NR)] }' "$1" > "$w/sums.tsv"
	echo "sums $w/sums.tsv $1" >> "$w/pairs"
}

crash() {
	dir=$images/$1/recovered
	w=$tmp/$1
	mkdir "$w"
	: > "$w/pairs"
	echo "recover > $w/said" > "$w/lines"
	for r in volumes zones layer1 bigblocks nodes elements records inodes \
	    dirents undo pfs snapshots; do
		echo "$r > $w/$r.tsv" >> "$w/lines"
		echo "$r $w/$r.tsv $dir/expected/$r.tsv" >> "$w/pairs"
	done
	echo "files > $w/files.tsv" >> "$w/lines"
	echo "files $w/files.tsv $dir/files-readonly.tsv" >> "$w/pairs"
	table=$(plain "$dir/sums-readonly.tsv")
	sums "$table"
	run "$1"
	take_sums "$table"
	judge "$1 recover"
	rm -rf "$w"
	[ "${1#crash-v[123]}" = "$1" ] || return 0
	# Times of replayed files are arbitrary.
	mkdir "$w"
	cut -f 1-8,11 "$(plain "$dir/files.tsv")" > "$w/truth"
	{ echo "recover --redo > $w/said"
	  echo "files cols=path,type,obj_id,mode,nlink,uid,gid,size,target" \
	    "> $w/files.tsv"; } > "$w/lines"
	echo "files $w/files.tsv $w/truth" > "$w/pairs"
	table=$(plain "$dir/sums.tsv")
	sums "$table"
	run "$1"
	take_sums "$table"
	judge "$1 recover --redo"
	rm -rf "$w"
}

for d in "$images"/steps-*/steps.tsv; do
	n=${d%/steps.tsv} n=${n##*/}
	if [ -e "$d" ] && wanted "$n"; then steps "$n"; fi
done
for d in "$images"/crash-*/recovered; do
	n=${d%/recovered} n=${n##*/}
	if [ -d "$d" ] && wanted "$n"; then crash "$n"; fi
done

# ------------------------------------------------------------- moving about

for d in "$images"/*/expected; do
	n=${d%/expected} n=${n##*/}
	wanted "$n" || continue
	# shellcheck disable=SC2046
	if "$O/tests/bench-time" check 1000 $(volumes "$n") \
	    > "$tmp/said" 2>&1; then
		pass "$n: $(tail -n 1 "$tmp/said")"
	else
		fail "$n: moving" "$tmp/said"
	fi
done
finish time
