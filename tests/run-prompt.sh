#!/bin/sh
# run-prompt.sh - the prompt in a real terminal of 80x24: what is different
# there from a script.  Findings are summed up, prose folds at spaces, wide
# tables fit, Tab completes, ^C gives the prompt back, the start-up file is
# read and can't write.
. tests/lib.sh

root=$PWD
anvil=$(cd "$O" && pwd)/anvil
socket=anvil-prompt-$$
t() {
	tmux -L "$socket" -f /dev/null "$@" 2>/dev/null
}
trap 't kill-server; rm -rf "$tmp"' EXIT
mkdir -p "$tmp/config/anvil"

# begin IMAGE [OPTION...]
begin() {
	t kill-server
	opened=$1
	shift
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		t new-session -d -x 80 -y 24 "cd '$root'; exec env \
		    XDG_STATE_HOME='$tmp' XDG_CONFIG_HOME='$tmp/config' \
		    LC_ALL=C.UTF-8 TERM=tmux-256color NO_COLOR=1 LESS=RX \
		    '$anvil' $* '$opened'" && break
		sleep 0.2
	done
	shows '^1000000000000000 volume'
}
# shows PATTERN: within 10 seconds
shows() {
	n=0
	while t capture-pane -p | sed 's/ *$//' > "$tmp/screen"
	    ! grep -q -- "$1" "$tmp/screen"; do
		n=$((n + 1))
		[ $n -lt 100 ] || return 1
		sleep 0.1
	done
}
# types LINE: on an empty screen
types() {
	t send-keys C-l
	sleep 0.2
	t send-keys -l -- "$1"
	t send-keys Enter
}
# try NAME PATTERN
try() {
	if shows "$2"; then
		pass "$1"
	else
		fail "$1" "$tmp/screen"
	fi
}

if ! command -v tmux > /dev/null; then
	fail 'tmux is not installed'
	finish prompt
fi

begin share/images/july19-v1.img.zst -N
types 'check space'
shows '^:\|volume>$' && t send-keys G
try 'check sums up what is alike' '^E6: 919 more'
try 'the last line of check are the counts' '^[0-9]* errors ([0-9]* E6'
t send-keys q
types 'findings id=E6 limit=1'
try 'a finding folds at a space' '^    big-block 0x2000000004000000'
types 'inodes limit=1'
try 'a wide table fits' '^obj_id  *create_tid  *delete_tid  *obj_type  *mode'
types 'inodes limit=1 cols=all'
try 'cols=all shows all' 'parent_obj_localization'
t send-keys C-l
t send-keys -l 'each "SELECT data_of'
t send-keys Tab
try 'Tab completes inside the quotes of each' 'SELECT data_offset$'
t send-keys C-u
types 'sql SELECT count(*) FROM elements a, elements b, elements c'
sleep 0.5
t send-keys C-c
try '^C ends a question' '^1000000000000000 volume>$'
types 'affected'
shows '^:' && t send-keys G
try 'affected ends with a sum' 'objects, [0-9]* of them live'
t send-keys q

cat > "$tmp/config/anvil/anvilrc" <<'RC'
mark mine root
no-such-command
set vol.vol_label WRITTEN
commit --yes
quit
RC
# shellcheck disable=SC2046
set -- $(unpacked empty-v7)
cp "$1" "$tmp/copy.img"
begin "$tmp/copy.img" -w
try 'a start-up file with errors is read to its end' "start-up"
types 'goto mine'
try 'what it set is there, and quit ends it alone' '^node 80000000'
if cmp -s "$1" "$tmp/copy.img"; then
	pass 'it has written nothing'
else
	fail 'it has written nothing'
fi

begin tests/images/crash-v7-c/vol0.img.zst -N
try 'a volume that was not unmounted is said to be so' '^not unmounted cleanly'
finish prompt
