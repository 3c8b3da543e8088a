# shellcheck shell=sh
# lib.sh - what the test scripts share.  Sourced with the working directory at
# the root of the tree.
#
# A script of tests ends with one line "N passed, N failed" (finish), which the
# one that called it adds up.

export LC_ALL=C TZ=UTC
# graphviz keeps memory of its own; which it is need not be told
export LSAN_OPTIONS="print_suppressions=0${LSAN_OPTIONS:+:$LSAN_OPTIONS}"
unset NO_COLOR PAGER ANVILRC XDG_STATE_HOME XDG_CONFIG_HOME
O=${O:-build}			# the build to test
SAN=${SAN:-$O/fuzz}		# the one with sanitizers
passed=0
failed=0

tmp=$(mktemp -d "${TMPDIR:-/tmp}/anvil-test.XXXXXX") || exit 2
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM

# pass NAME; fail NAME [FILE]: FILE says why
pass() {
	passed=$((passed + 1))
	printf 'ok    %s\n' "$*"
}
fail() {
	failed=$((failed + 1))
	printf 'FAIL  %s\n' "$1"
	[ -z "${2-}" ] || head -c 20000 "$2" | head -n 60
}
finish() {
	printf '%s: %d passed, %d failed\n' "$1" "$passed" "$failed"
	[ "$failed" -eq 0 ]
	exit
}

# The folder of a sample: its tables.  All images there are: those of
# ../shared/images when it is there, else the ones in the tree.
if [ -d ../shared/images ]; then
	images=../shared/images
else
	images=tests/images
fi

# volumes NAME: the files of an image, compressed as they are
volumes() {
	if [ -e "share/images/$1.img.zst" ]; then
		echo "share/images/$1.img.zst"
	elif [ -e "tests/images/$1/vol0.img.zst" ]; then
		echo tests/images/"$1"/vol*.img.zst
	else
		echo "$images/$1"/vol*.img.zst
	fi
}

# unpacked NAME: the same decompressed below $tmp, once
unpacked() {
	mkdir -p "$tmp/img"
	for v in $(volumes "$1"); do
		u=$tmp/img/$1-$(basename "$v" .zst)
		[ -e "$u" ] || zstd -q -d --sparse "$v" -o "$u"
		printf '%s ' "$u"
	done
}
