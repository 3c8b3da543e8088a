# bash completion for anvil(1)

_anvil()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}

	COMPREPLY=()
	case $prev in
	-o)
		mapfile -t COMPREPLY < <(compgen -W 'text tsv json' -- "$cur")
		return ;;
	-c)
		mapfile -t COMPREPLY < <(compgen -W \
		    "$("$1" --dump-examples 2>/dev/null | cut -f 1)" -- "$cur")
		return ;;
	--offset|--vol-buf-beg)
		return ;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W '-c -f -o -w -k -i -N -q
		    --panels --offset --vol-buf-beg --map --undo --yes
		    --force -V --version
		    -h --help' -- "$cur")
		return
	fi
	compopt -o filenames
	mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}
complete -F _anvil anvil
