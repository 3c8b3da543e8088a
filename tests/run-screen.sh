#!/bin/sh
# run-screen.sh - the panels in a real terminal: the golden screens of
# tests/screen in tmux, the terminal's state after the panels however they end,
# and a storm of keys on a damaged image with sanitizers.
. tests/lib.sh

root=$PWD
anvil=$(cd "$O" && pwd)/anvil
socket=anvil-screen-$$
t() {
	tmux -L "$socket" -f /dev/null "$@"
}
trap 't kill-server 2>/dev/null; rm -rf "$tmp"' EXIT

# begin WxH COMMAND: a terminal with the command in it
begin() {
	t kill-server 2>/dev/null
	w=${1%x*}
	h=${1#*x}
	shift
	# A server that is going down refuses for a moment.
	for i in 1 2 3 4 5 6 7 8 9 10; do
		t new-session -d -x "$w" -y "$h" "cd '$root'; exec env \
		    XDG_STATE_HOME='$tmp' LC_ALL=${locale:-C.UTF-8} \
		    TERM=${term:-tmux-256color} NO_COLOR=1 $*" 2>/dev/null &&
			return
		sleep 0.2
	done
	return "$i"
}

# until CONDITION...: at most 10 seconds
until_true() {
	n=0
	until "$@"; do
		n=$((n + 1))
		[ $n -lt 100 ] || return 1
		sleep 0.1
	done
}

screen() {
	t capture-pane -p | sed 's/ *$//'
}
shows() {
	screen > "$tmp/screen"
	grep -q -- "$1" "$tmp/screen"
}
equals() {
	screen > "$tmp/screen"
	cmp -s "$1" "$tmp/screen"
}

# A key by its name in `bind`, as tmux calls it
press() {
	case $1 in
	...) sleep 2 ;;
	==|=) t send-keys -l = ;;
	=*) t send-keys -l "$(echo "${1#=}" | tr _ ' ')" ;;
	^?) t send-keys "C-$(echo "${1#^}" | tr '[:upper:]' '[:lower:]')" ;;
	BackTab) t send-keys BTab ;;
	Backspace) t send-keys BSpace ;;
	PgDn) t send-keys PageDown ;;
	PgUp) t send-keys PageUp ;;
	Del) t send-keys DC ;;
	Enter|Tab|Space|Home|End|Up|Down|Left|Right|F?) t send-keys "$1" ;;
	*) t send-keys -l "$1" ;;
	esac
}

path_of() {
	if [ -e "share/images/$1.img.zst" ]; then
		echo "share/images/$1.img.zst"
	else
		echo "tests/images/$1/vol0.img.zst"
	fi
}

golden() {
	while IFS='	' read -r name image size keys; do
		case $name in '#'*|'') continue ;; esac
		begin "$size" "$anvil" -N -q --panels "$(path_of "$image")"
		# The keys wait in the terminal until the panels read them.
		until_true shows 'no edits\|too small'
		set -f
		for k in $keys; do
			press "$k"
		done
		set +f
		if until_true equals "tests/screen/$name.txt"; then
			pass "$name"
		else
			diff "tests/screen/$name.txt" "$tmp/screen" \
			    > "$tmp/diff" 2>&1
			fail "$name" "$tmp/diff"
		fi
	done < tests/screen/scenarios
}

# The shell behind: does it echo, is the cursor there, is it the main screen?
sane() {
	t send-keys -l 'stty -a | tr " ;" "\n\n" | grep -x -e icanon -e echo | tr "\n" "+"; echo sane'
	t send-keys Enter
	until_true shows '^icanon+echo+sane' || return 1
	[ "$(t display -p '#{cursor_flag}#{alternate_on}')" = 10 ]
}
in_shell() {
	begin 80x24 PS1=: ENV= sh
	until_true shows '^:'
	t send-keys -l "'$anvil' -N -q --panels $(path_of basic-v7)"
	t send-keys Enter
	until_true shows 'no edits'
}
child() {
	pgrep -n -P "$(t display -p '#{pane_pid}')"
}
no_child() {
	[ -z "$(child)" ]
}
manners() {
	for sig in TERM HUP SEGV ABRT; do
		in_shell
		kill -"$sig" "$(child)"
		until_true no_child
		if sane; then
			pass "SIG$sig leaves the terminal sane"
		else
			fail "SIG$sig leaves the terminal sane" "$tmp/screen"
		fi
	done
	in_shell
	t send-keys C-z
	if until_true shows '[Ss]topped' && sane; then
		pass 'stopped, the terminal is the shell'\''s'
	else
		fail 'stopped, the terminal is the shell'\''s' "$tmp/screen"
	fi
	t send-keys -l fg
	t send-keys Enter
	if until_true equals tests/screen/tree-small.txt; then
		pass 'continued, the panels are back'
	else
		fail 'continued, the panels are back' "$tmp/screen"
	fi
	t resize-window -x 1 -y 1
	sleep 0.3
	t resize-window -x 80 -y 24
	if until_true equals tests/screen/tree-small.txt; then
		pass 'from one cell and back'
	else
		fail 'from one cell and back' "$tmp/screen"
	fi
	t send-keys C-c
	if until_true shows '^^C stops a command'; then
		pass '^C without a command says what leaves'
	else
		fail '^C without a command says what leaves' "$tmp/screen"
	fi
	t send-keys -l ': sql select count(*) from elements a, elements b,'
	t send-keys -l ' elements c'
	t send-keys Enter
	until_true shows 'running, ^C stops it'
	t send-keys C-c
	if until_true shows '^interrupted'; then
		pass '^C stops a command'
	else
		fail '^C stops a command' "$tmp/screen"
	fi
	t send-keys -l ':set root.count 5'
	t send-keys Enter
	until_true shows '\*1 staged'
	t send-keys Q
	if until_true shows 'not committed; once more'; then
		pass 'Q does not throw edits away'
	else
		fail 'Q does not throw edits away' "$tmp/screen"
	fi
	t send-keys Q
	until_true no_child
	if sane; then
		pass 'Q leaves'
	else
		fail 'Q leaves' "$tmp/screen"
	fi
}

refusals() {
	for term in dumb nonesuch; do
		begin 80x24 sh -c "'TERM=$term \"$anvil\" -N -q -c panels \
		    $(path_of basic-v7); echo status \$?; cat'"
		if until_true shows 'status 1' && shows "terminal '$term'"; then
			pass "TERM=$term is refused"
		else
			fail "TERM=$term is refused" "$tmp/screen"
		fi
	done
	for term in vt100 xterm-256color; do
		locale=C
		begin 80x24 "$anvil" -N -q --panels "$(path_of basic-v7)"
		if until_true shows '^\[tree\] ---' &&
		    ! LC_ALL=C grep -q '[^ -~]' "$tmp/screen"; then
			pass "$term without UTF-8 is drawn in ASCII"
		else
			fail "$term without UTF-8 is drawn in ASCII" \
			    "$tmp/screen"
		fi
	done
	unset term locale
}

# A terminal of its own, by tests/storm.c.
storm() {
	s=$SAN/tests/storm
	# the one of this program, not of one built earlier
	if [ ! -x "$s" ] || [ -n "$(find "$O/tests/storm" -newer "$s" \
	    2> /dev/null)" ]; then
		s=$O/tests/storm
	fi
	[ -x "$s" ] || { fail 'storm: not built'; return; }
	for seed in 1 2 3; do
		for image in july19-v1 crash-v7-d; do
			if LC_ALL=C.UTF-8 XDG_STATE_HOME=$tmp timeout 300 \
			    "$s" "$seed" "$(path_of $image)" \
			    > "$tmp/storm" 2>&1; then
				pass "storm $seed on $image"
			else
				fail "storm $seed on $image" "$tmp/storm"
			fi
		done
	done
}

if command -v tmux >/dev/null 2>&1; then
	golden
	manners
	refusals
	t kill-server 2>/dev/null
else
	echo 'skip  the panels in tmux, which is not installed (1 skipped)'
fi
storm
finish screen
