#!/bin/sh
# run-write.sh - writing, from outside: nothing is written without commit, what
# is committed is there and can be taken back byte for byte, and commit refuses
# what it has to refuse.
. tests/lib.sh

anvil=$O/anvil

# copy NAME FILE: an image to write to
copy() {
	# shellcheck disable=SC2046
	cp --sparse=always $(unpacked "$1" | cut -d' ' -f1) "$2"
	rm -f "$2".undo*
}
sum() {
	sha256sum < "$1"
}
# expect NAME STATUS COMMAND...: run, compare the exit status
expect() {
	name=$1 want=$2
	shift 2
	"$@" > "$tmp/out" 2>&1
	got=$?
	if [ "$got" -eq "$want" ]; then
		pass "$name"
	else
		echo "exit status $got, not $want" >> "$tmp/out"
		fail "$name" "$tmp/out"
	fi
}
same() {
	if [ "$2" = "$3" ]; then pass "$1"; else fail "$1"; fi
}

img=$tmp/a.img
copy basic-v1 "$img"
before=$(sum "$img")

# Everything that edits, and no commit.
cat > "$tmp/edits" <<'END'
set vol.vol_label changed
poke root.elms[1] 0102
fill root.elms[2] 64
crc-break root
undo-edit
redo-edit
changes > /dev/null
discard
repair freemap
inode set / mode 0700
commit --dry-run
END
stamp=$(stat -c %Y.%Z "$img")
expect 'edits without commit run, without -w' 0 "$anvil" "$img" -f "$tmp/edits"
expect 'and with -w' 0 "$anvil" -w "$img" -f "$tmp/edits"
same 'nothing is written without commit' "$before" "$(sum "$img")"
same 'nor is the file touched' "$stamp" "$(stat -c %Y.%Z "$img")"
if command -v strace > /dev/null 2>&1; then
	for w in '' -w; do
		# shellcheck disable=SC2086
		strace -f -e trace=openat,open,pwrite64,write,writev,pwritev \
		    -o "$tmp/trace" "$anvil" $w "$img" -f "$tmp/edits" \
		    > /dev/null 2>&1
		if grep "a\.img" "$tmp/trace" | grep -q 'O_RDWR\|O_WRONLY'; then
			fail "no open for writing without commit ($w)" \
			    "$tmp/trace"
		else
			pass "no open for writing without commit ($w)"
		fi
	done
fi
expect 'commit without -w is refused' 1 "$anvil" "$img" \
    -c 'set vol.vol_label x' -c 'commit -y'
expect 'commit asks, and without a terminal refuses' 1 "$anvil" -w "$img" \
    -c 'set vol.vol_label x' -c commit
same 'and writes nothing' "$before" "$(sum "$img")"

# A commit, and back.
expect 'a commit' 0 "$anvil" -w "$img" -c 'inode set / mode 0711' \
    -c 'commit -y' -c 'check'
"$anvil" -o tsv "$img" -c 'files / limit=1 cols=path' > "$tmp/out" 2>&1
"$anvil" "$img" -c 'stat /' 2>&1 | grep -q '711'
same 'what was committed is there' 0 "$?"
expect 'nothing is found after it' 0 "$anvil" "$img" -c check
expect 'the undo file puts it back' 0 "$anvil" --undo "$img.undo" "$img" --yes
same 'byte for byte' "$before" "$(sum "$img")"
expect 'it can be put back again' 0 "$anvil" --undo "$img.undo" "$img" --yes
head -c 300 "$img.undo" > "$tmp/cut.undo"
expect 'a cut undo file is refused' 1 "$anvil" --undo "$tmp/cut.undo" "$img" \
    --yes
same 'and nothing is written' "$before" "$(sum "$img")"
expect 'an undo file that is there is not overwritten' 1 "$anvil" -w "$img" \
    -c 'set vol.vol_label x' -c "commit -y --undo-file $img.undo"
same 'and nothing is committed' "$before" "$(sum "$img")"

# Raw.
expect 'commit --raw writes what it is told' 0 "$anvil" -w "$img" \
    -c 'crc-break root' -c "commit -y --raw --undo-file $tmp/raw.undo"
expect 'the damage is there' 3 "$anvil" "$img" -c 'check tree'
expect 'and goes' 0 "$anvil" --undo "$tmp/raw.undo" "$img" --yes
same 'byte for byte again' "$before" "$(sum "$img")"

# What has to be refused.
rm -f "$img".undo*
if command -v flock > /dev/null 2>&1; then
	expect 'a lock held by another' 1 flock "$img" "$anvil" -w "$img" \
	    -c 'set vol.vol_label x' -c 'commit -y'
fi
cat > "$tmp/changed" <<END
set vol.vol_label x
echo x | touch -d 2001-01-01 $img
commit -y
END
expect 'an image that changed underneath' 1 "$anvil" -w "$img" \
    -f "$tmp/changed"
copy crash-v7-c "$tmp/c.img"
expect 'an unclean FIFO' 1 "$anvil" -w "$tmp/c.img" \
    -c 'set vol.vol_label x' -c 'commit -y'
expect 'REDO that would be lost' 1 "$anvil" -w "$tmp/c.img" -c recover \
    -c 'commit -y'
expect 'a recovery with REDO is committed' 0 "$anvil" -w "$tmp/c.img" \
    -c 'recover --redo' -c 'commit -y' -c check
expect 'after which there is nothing to recover' 0 "$anvil" "$tmp/c.img" \
    -c 'check undo'
rm -f "$img".undo*
expect 'no room for the undo file' 1 sh -c \
    "ulimit -f 1; trap '' XFSZ; '$anvil' -w '$img' -c 'set vol.vol_label x' \
    -c 'commit -y'"
same 'leaves the image alone' "$before" "$(sum "$img")"

# A compressed image.
# shellcheck disable=SC2046
cp $(volumes empty-v7) "$tmp/z.img.zst"
expect 'a compressed image is committed to a new file' 0 "$anvil" -w \
    "$tmp/z.img.zst" -c 'set vol.vol_label new' -c 'commit -y'
"$anvil" "$tmp/z.img.committed" -c 'print vol.vol_label' | grep -q new
same 'which holds the change' 0 "$?"

# The story of July 2008.
copy july19-v1 "$tmp/j.img"
"$anvil" -o tsv "$tmp/j.img" -c 'records crc=ok' 2> /dev/null | wc -l > "$tmp/ok1"
expect 'july19: repair freemap and commit' 0 "$anvil" -w "$tmp/j.img" \
    -c 'repair freemap' -c 'commit -y'
expect 'july19: no violation is left' 0 "$anvil" "$tmp/j.img" -c 'check space'
"$anvil" -o tsv "$tmp/j.img" -c 'records crc=ok' 2> /dev/null | wc -l > "$tmp/ok2"
same 'july19: every record that was good is good' "$(cat "$tmp/ok1")" \
    "$(cat "$tmp/ok2")"

finish write
