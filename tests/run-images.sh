#!/bin/sh
# run-images.sh [NAME...] - every relation of every genuine image equals
# its expected table, row by row; `files` and `cat` give its tree and sums,
# also as of the TIDs of its history.
#
# Nothing is sampled.  One anvil process an image, straight from the .zst.
. tests/lib.sh

relations='volumes zones layer1 bigblocks nodes elements records inodes dirents
undo pfs snapshots'

# word: TSV text as a word of a command line: all that could mean something
# to the command line as \xNN
word='function word(s,   i, c, r) {
	if (s !~ /[^A-Za-z0-9\/._~-]/)
		return s
	r = ""
	for (i = 1; i <= length(s); i++) {
		c = substr(s, i, 1)
		if (c == "\\" && substr(s, i + 1, 1) == "x") {
			r = r substr(s, i, 4)
			i += 3
		} else if (c ~ /[A-Za-z0-9\/._~-]/)
			r = r c
		else
			r = r sprintf("\\x%02x", ord[c])
	}
	return r
}
BEGIN { FS = OFS = "\t"; for (i = 1; i < 127; i++) ord[sprintf("%c", i)] = i }'

# table FILE: its text, compressed or not
table() {
	if [ -e "$1" ]; then cat "$1"; else zstd -q -dc --long=27 "$1.zst"; fi
}
has() { [ -e "$1" ] || [ -e "$1.zst" ]; }

# sums LABEL FILE PREFIX: read each file named in a table of sums into its own
# numbered file; the sums are taken afterwards by take_sums
sums() {
	mkdir "$w/$1"
	table "$2" | awk -v dir="$w/$1" -v prefix="$3" "$word"'
	NR > 1 { printf "cat %s%s > %s/%06d\n", prefix, word($1), dir, NR }
	' >> "$w/lines"
	echo "$1 $2" >> "$w/todo"
}
take_sums() {
	(cd "$w/$1" && find . -name '[0-9]*' -print0 |
	    xargs -0 -r sha256sum) > "$w/$1.sha"
	table "$2" | awk -v sha="$w/$1.sha" '
	BEGIN { while ((getline l < sha) > 0) got[substr(l, 69)] = substr(l, 1, 64)
		FS = OFS = "\t" }
	NR == 1 { print; next }
	{ print $1, got[sprintf("%06d", NR)] }' > "$w/$1.tsv"
	rm -rf "${w:?}/$1"
	echo "$1 $w/$1.tsv $2" >> "$w/pairs"
}

one() {
	name=$1
	dir=$images/$name
	w=$tmp/$name
	mkdir "$w"
	: > "$w/lines"; : > "$w/pairs"; : > "$w/todo"
	for r in $relations; do
		has "$dir/expected/$r.tsv" || continue
		echo "$r > $w/$r.tsv" >> "$w/lines"
		echo "$r $w/$r.tsv $dir/expected/$r.tsv" >> "$w/pairs"
	done
	if has "$dir/files.tsv"; then
		echo "files > $w/files.tsv" >> "$w/lines"
		echo "files $w/files.tsv $dir/files.tsv" >> "$w/pairs"
	fi
	has "$dir/sums.tsv" && sums sums "$dir/sums.tsv" ''
	for f in "$dir"/files-pfs*.tsv*; do
		[ -e "$f" ] || continue
		n=${f##*/files-pfs} n=${n%%.*}
		f=$dir/files-pfs$n.tsv
		echo "files /@@-1:$n > $w/files-pfs$n.tsv" >> "$w/lines"
		echo "files-pfs$n $w/files-pfs$n.tsv $f" >> "$w/pairs"
		sums "sums-pfs$n" "$dir/sums-pfs$n.tsv" "/@@-1:$n"
	done
	# The history: the tree as of each TID, and the contents of its files.
	asof=0
	if has "$dir/history.tsv"; then
		table "$dir/history.tsv" | awk -v w="$w" "$word"'
		NR == 1 { next }
		!($2 in n) {
			n[$2] = 1
			print "path", "type", "obj_id", "size", "target" > (w "/at-" $2)
			print "path", "sha256" > (w "/atsums-" $2)
			printf "files /@@%s > %s/at-%s.ours\n", $2, w, $2 >> (w "/lines")
			print "asof@" $2, w "/at-" $2 ".ours", w "/at-" $2 >> (w "/pairs")
			print $2 > (w "/tids")
		}
		{ print $1, $3, $4, $5, $6 > (w "/at-" $2) }
		$7 != "" { print $1, $7 > (w "/atsums-" $2) }'
		while read -r tid; do
			sums "asofsums@$tid" "$w/atsums-$tid" "/@@$tid"
			asof=$((asof + $(wc -l < "$w/atsums-$tid") - 1))
		done < "$w/tids"
	fi
	# shellcheck disable=SC2046
	"$O/anvil" -N -q -k -o tsv -f "$w/lines" $(volumes "$name") \
	    > "$w/out" 2> "$w/err"
	status=$?
	while read -r label file; do
		take_sums "$label" "$file"
	done < "$w/todo"
	"$O/tests/compare" < "$w/pairs" > "$w/report" || status="$status/differs"
	case $status in
	0|3) pass "$name: $(wc -l < "$w/pairs") tables," \
		"$(grep -c '^cat' "$w/lines") contents, $asof of them as of a TID" ;;
	*)	{ echo "  exit status $status"; cat "$w/report"
		    sort "$w/err" | uniq -c | sort -rn | head -5; } > "$w/why"
		fail "$name" "$w/why" ;;
	esac
	rm -rf "$w"
}

for d in "$images"/*/expected; do
	i=${d%/expected} i=${i##*/}
	case " ${*:-$i} " in
	*" $i "*) one "$i" ;;
	esac
done
finish images
