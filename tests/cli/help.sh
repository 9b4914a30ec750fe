#!/bin/sh
# Help of each verb, and its agreement with the manual and the completion.
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

man=$abs_top_srcdir/doc/man/ferry.1
verbs='convert plan inspect diff verify migrate average scan types formats conversions models plugins'

# The options a verb's help lists, without dashes.
options()
{
	"$FERRY" "$1" --help |
		sed -n 's/^  \(-., \|    \)--\([a-z][-a-z]*\).*/\2/p'
}

# A section of the manual: from a heading to the next.
section()
{
	awk -v head="$1" '/^\.S[sh] / { on = index($0, head) == 1 } on' "$man"
}

shared=$(section '.Ss Options of every verb')
for verb in $verbs; do
	run "$verb" --help
	status 0
	quiet
	out "Usage: ferry $verb"
	cp "$out" .t/first
	run help "$verb"
	status 0
	cmp -s .t/first "$out" || fail "help $verb differs from $verb --help"
	run "$verb" -h
	cmp -s .t/first "$out" || fail "$verb -h differs from $verb --help"
	awk 'length > 80' "$out" | grep . && fail "$verb --help is too wide"

	case $verb in
	types|formats|conversions|models|plugins) head='.Ss types, formats' ;;
	*) head=".Ss $verb " ;;
	esac
	text=$(section "$head")
	[ -n "$text" ] || fail "the manual has no section on $verb"
	for option in $(options "$verb"); do
		case $text$shared in
		*"-$option "*|*"-$option
"*) ;;
		*) fail "the manual does not tell of ferry $verb --$option" ;;
		esac
	done
	for option in $(printf '%s\n' "$text" | sed -n \
		's/^\.It .*Fl -\([a-z][-a-z]*\).*/\1/p'); do
		[ "$verb$option" = modelsoptions ] && continue
		[ "$verb$option" = pluginsoptions ] && continue
		options "$verb" | grep -qx -e "$option" ||
			fail "the manual tells of ferry $verb --$option"
	done
done

run
status 2
err 'Usage: ferry VERB'
run --help
status 0
for verb in $verbs; do
	out "  $verb "
done
run help
status 0
run --version
status 0
quiet
out 'ferry '

# The completion offers what the help lists.
if command -v bash >/dev/null; then
	last='(completion)'
	bash -c '
		. "$1"
		COMP_WORDS=("$FERRY" convert --str) COMP_CWORD=2
		_init_completion() { return 1; }
		_ferry
		printf "%s\n" "${COMPREPLY[@]}"
	' - "$abs_top_srcdir/cli/completion/ferry" >"$out" 2>"$err"
	grep -qx -e '--strip-prefix=' "$out" ||
		fail 'the completion does not offer --strip-prefix='
	bash -c '
		. "$1"
		COMP_WORDS=("$FERRY" ins) COMP_CWORD=1
		_init_completion() { return 1; }
		_ferry
		printf "%s\n" "${COMPREPLY[@]}"
	' - "$abs_top_srcdir/cli/completion/ferry" >"$out" 2>"$err"
	grep -qx inspect "$out" || fail 'the completion does not offer inspect'
fi
finish
