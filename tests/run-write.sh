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

# Undo files that must not be used.
copy basic-v1 "$img"
expect 'two commits: the first' 0 "$anvil" -w "$img" \
    -c 'inode set / mode 0711' -c "commit -y -u $tmp/u1"
one=$(sum "$img")
expect 'and the second' 0 "$anvil" -w "$img" -c 'inode set / mode 0755' \
    -c "commit -y -u $tmp/u2"
two=$(sum "$img")
expect 'the first can not be taken back before the second' 1 "$anvil" \
    --undo "$tmp/u1" "$img" --yes
grep -q 'written to since' "$tmp/out"
same 'which it says' 0 "$?"
same 'and leaves the image alone' "$two" "$(sum "$img")"
copy steps-v2 "$tmp/other.img"
other=$(sum "$tmp/other.img")
expect 'an undo file of another file system is refused' 1 "$anvil" \
    --undo "$tmp/u2" "$tmp/other.img" --yes
cp --sparse=always "$img" "$tmp/twin.img"
"$anvil" -w "$tmp/twin.img" \
    -c 'set vol.vol_fsid 11111111-2222-3333-4444-555555555555' \
    -c "commit -y --raw -u $tmp/u3" > /dev/null 2>&1
twin=$(sum "$tmp/twin.img")
expect 'even if it is as long' 1 "$anvil" --undo "$tmp/u2" "$tmp/twin.img" \
    --yes
grep -q 'another file system.*vol_fsid' "$tmp/out"
same 'for its vol_fsid' 0 "$?"
expect 'even with --force' 1 "$anvil" --undo "$tmp/u2" "$tmp/twin.img" --yes \
    --force
same 'and nothing is written' "$other$twin" \
    "$(sum "$tmp/other.img")$(sum "$tmp/twin.img")"
expect 'a changed vol_fsid can be taken back' 0 "$anvil" --undo "$tmp/u3" \
    "$tmp/twin.img" --yes
same 'byte for byte' "$two" "$(sum "$tmp/twin.img")"
# hurt NAME PRINTF-OCTAL OFFSET: the file u2 with other bytes
size=$(stat -c %s "$tmp/u2")
bad=0
for at in 0 8 12 16 24 40 44 48 56 60 64 1000 $((size / 2)) $((size - 20)) \
    $((size - 4)) $((size - 1)); do
	for byte in '\252' '\377'; do
		cp "$tmp/u2" "$tmp/hurt"
		# shellcheck disable=SC2059
		printf "$byte" | dd of="$tmp/hurt" bs=1 seek="$at" \
		    conv=notrunc 2> /dev/null
		cmp -s "$tmp/u2" "$tmp/hurt" ||
		    ! "$anvil" --undo "$tmp/hurt" "$img" --yes \
		    > "$tmp/out" 2>&1 || bad="byte $at"
	done
done
for at in 0 1 8 39 40 43 44 100 5000 $((size / 2)) $((size - 4)) \
    $((size - 1)); do
	head -c "$at" "$tmp/u2" > "$tmp/hurt"
	! "$anvil" --undo "$tmp/hurt" "$img" --yes > "$tmp/out" 2>&1 ||
	    bad="cut at $at"
done
{ cat "$tmp/u2"; echo; } > "$tmp/hurt"
! "$anvil" --undo "$tmp/hurt" "$img" --yes > "$tmp/out" 2>&1 || bad=longer
same 'damaged, cut and longer undo files are refused' 0 "$bad"
same 'before a byte is written' "$two" "$(sum "$img")"
expect 'the second is taken back' 0 "$anvil" --undo "$tmp/u2" "$img" --yes
same 'to the first' "$one" "$(sum "$img")"
expect 'and then the first' 0 "$anvil" --undo "$tmp/u1" "$img" --yes
same 'to the beginning' "$before" "$(sum "$img")"

# Failed commits leave nothing lying about and can be repeated.
rm -f "$tmp"/z.img*
# shellcheck disable=SC2046
cp $(volumes empty-v7) "$tmp/z.img.zst"
: > "$tmp/there"
expect 'a compressed image whose commit fails' 1 "$anvil" -w \
    "$tmp/z.img.zst" -c 'set vol.vol_label new' -c "commit -y -u $tmp/there"
same 'leaves no half copy' 1 "$(find "$tmp" -name 'z.img*' | wc -l)"
expect 'and goes the next time' 0 "$anvil" -w "$tmp/z.img.zst" \
    -c 'set vol.vol_label new' -c 'commit -y'

# Three volumes: one is missing, or another one.
three=''
n=0
for v in $(unpacked vols3-v7); do
	cp --sparse=always "$v" "$tmp/three$n.img"
	three="$three $tmp/three$n.img"
	n=$((n + 1))
done
# shellcheck disable=SC2086
before3=$(cat $three | sha256sum)
# shellcheck disable=SC2086
set -- $three
expect 'without one of three volumes nothing is committed' 1 "$anvil" -w \
    "$1" "$2" -c 'set vol.vol_label x' -c 'commit -y'
expect 'nor with a volume of another set' 1 "$anvil" -w "$1" "$2" \
    "$tmp/other.img" -c 'set vol.vol_label x' -c 'commit -y'
if command -v flock > /dev/null 2>&1; then
	expect 'nor when one of them is locked' 1 flock "$3" "$anvil" -w "$1" \
	    "$2" "$3" -c 'set vol.vol_label x' -c 'commit -y'
fi
cat > "$tmp/swapped" <<END
set vol.vol_label x
echo x | cp --sparse=always $3 $3.new
echo x | mv $3.new $3
commit -y
END
expect 'nor when one was replaced since' 1 "$anvil" -w "$1" "$2" "$3" \
    -f "$tmp/swapped"
same 'and all three are as they were' "$before3" \
    "$(cat "$1" "$2" "$3" | sha256sum)"
expect 'with all three it goes' 0 "$anvil" -w "$3" "$1" "$2" \
    -c 'set vol.vol_label x' -c 'commit -y'
expect 'and comes back' 0 "$anvil" --undo "$1.undo" "$2" "$3" "$1" --yes
same 'all three byte for byte' "$before3" "$(cat "$1" "$2" "$3" | sha256sum)"

# Two at once: one of them commits, the other is told.
copy july19-v1 "$tmp/j.img"
for i in 1 2; do
	"$anvil" -w "$tmp/j.img" -c 'repair freemap > /dev/null' \
	    -c "commit -y -u $tmp/j$i" > "$tmp/two$i" 2>&1 &
done
wait
same 'of two that commit at once one wins' 1 \
    "$(cat "$tmp/two1" "$tmp/two2" | grep -c '^committed')"
expect 'and leaves a sound image' 0 "$anvil" "$tmp/j.img" -c 'check space'

# A full disk and a read-only one, where there is the right to make them.
mkdir "$tmp/full"
if mount -t tmpfs -o size=48m none "$tmp/full" 2> /dev/null; then
	f=$tmp/full/e.img
	copy empty-v7 "$f"
	full=$(sum "$f")
	# big: in space that holds nothing yet
	cat > "$tmp/big" <<END
time oldest
time now
fill 0x2000000002000000 8192 0x11
fill 0x2000000003000000 8192 0x11
END
	dd if=/dev/zero of="$tmp/full/rest" bs=4096 2> /dev/null
	expect 'a full disk: refused' 1 "$anvil" -w "$f" -f "$tmp/big" \
	    -c "commit -y --raw -u $tmp/f1"
	grep -q 'no room' "$tmp/out"
	same 'with a reason' 0 "$?"
	same 'and nothing written' "$full" "$(sum "$f")"
	cat > "$tmp/again" <<END
- commit -y --raw -u $tmp/f2
echo x | rm $tmp/full/rest
commit -y --raw -u $tmp/f3
END
	expect 'with room again the same session commits' 0 "$anvil" -w "$f" \
	    -f "$tmp/big" -f "$tmp/again"
	"$anvil" --undo "$tmp/f3" "$f" --yes > /dev/null 2>&1
	same 'and it is taken back' "$full" "$(sum "$f")"
	mount -o remount,ro "$tmp/full"
	expect 'a read-only disk: refused' 1 "$anvil" -w "$f" \
	    -c 'set vol.vol_label x' -c "commit -y -u $tmp/f4"
	umount "$tmp/full"
fi

# Killed at the n-th write, or told that it or an fsync failed: before or after
# comes back, and the undo file works.
tables() {
	"$anvil" -N -o tsv "$tmp/k.img" -c '- recover > /dev/null' -c nodes \
	    -c elements -c records -c layer1 -c bigblocks 2> /dev/null |
	    sha256sum
}
if strace -e trace=none -e inject=fsync:error=EIO true 2> /dev/null; then
	copy july19-v1 "$tmp/pure.img"
	cp --sparse=always "$tmp/pure.img" "$tmp/k.img"
	k0=$(tables)
	"$anvil" -w "$tmp/k.img" -c 'repair freemap' \
	    -c "commit -y -u $tmp/k" > /dev/null 2>&1
	k1=$(tables)
	bad=
	seen=
	for inject in pwrite64:signal=KILL:when=1 \
	    pwrite64:signal=KILL:when=42 pwrite64:signal=KILL:when=43 \
	    pwrite64:signal=KILL:when=300 pwrite64:signal=KILL:when=655 \
	    pwrite64:signal=KILL:when=656 fsync:signal=KILL:when=3 \
	    fsync:signal=KILL:when=6 fsync:error=EIO:when=1 \
	    fsync:error=EIO:when=3 fsync:error=EIO:when=6 \
	    fsync:error=EIO:when=4+ pwrite64:error=EIO:when=1 \
	    pwrite64:error=ENOSPC:when=50 pwrite64:error=EIO:when=300+ \
	    pwrite64:error=ENOSPC:when=655+ pwrite64:error=EIO:when=656; do
		cp --sparse=always "$tmp/pure.img" "$tmp/k.img"
		rm -f "$tmp/k"
		strace -f -o /dev/null -e trace=pwrite64,fsync \
		    -e "inject=$inject" "$anvil" -w "$tmp/k.img" \
		    -c 'repair freemap > /dev/null' -c "commit -y -u $tmp/k" \
		    > "$tmp/out" 2>&1 && bad="$bad $inject:status"
		case $(tables) in
		"$k0") seen="$seen 0" ;;
		"$k1") seen="$seen 1" ;;
		*) bad="$bad $inject" ;;
		esac
		[ ! -e "$tmp/k" ] ||
		    "$anvil" --undo "$tmp/k" "$tmp/k.img" --yes \
		    > /dev/null 2>&1 || bad="$bad $inject:undo"
		cmp -s "$tmp/k.img" "$tmp/pure.img" ||
		    bad="$bad $inject:bytes"
	done
	same "killed or failed anywhere: before or after ($bad)" '' "$bad"
	case $seen in
	*0*1*) pass 'both of which were seen' ;;
	*) fail 'both of which were seen' ;;
	esac
fi

finish write
