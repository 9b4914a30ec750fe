#!/bin/sh
# Command lines that are wrong: exit 2, what is wrong, what was probably meant.
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

wrong()
{
	text=$1
	shift
	run "$@"
	status 2
	err "$text"
	err 'hint: '
	[ ! -s "$out" ] || fail 'stdout is not empty'
}

pair a.safetensors

wrong 'unknown verb inspct: did you mean inspect?' inspct a.safetensors
wrong 'unknown verb frobnicate' frobnicate
wrong 'unknown option --verbose' --verbose
wrong 'unknown verb xyzzy' help xyzzy
wrong 'did you mean --tensors?' inspect --tensor-s a.safetensors
wrong 'unknown option --frob' convert --frob=1 a b
wrong 'unknown option -Z' convert -Z a b
wrong 'could be several options' convert --sha 1 a b
wrong 'option --cast needs an argument' convert a b --cast
wrong 'option --weights takes no argument' convert --weights=yes a b
wrong 'operand missing' convert a.safetensors
wrong 'operand missing: usage is' convert a.safetensors --upgrade
wrong 'have no usual name' convert a.safetensors --to state-dict
wrong 'have no usual name' convert --default-name a b --to state-dict
wrong 'operands missing' convert
wrong '--map-path needs FROM=TO' convert --map-path /x a b
wrong '--set-config needs KEY=VALUE' convert --set-config x a b
wrong 'operand missing' diff a.safetensors
wrong 'too many operands' diff a b c
wrong 'too many operands' verify a b
wrong "'-' is not supported" convert - b.safetensors
wrong "'-' is not supported" inspect -
wrong 'operand 1 is empty' inspect ''
wrong '--rename needs REGEX=>NEW' convert --rename 'a=b' a b
wrong 'did you mean float16?' convert --cast flaot16 a b
wrong '--with needs ROLE=FILE' convert --with config a b
wrong '--set needs KEY=VALUE' convert --set protocol a b
wrong '--shared needs keep, copy, first or error' convert --shared=all a b
wrong '--max-memory needs a size' convert --max-memory=lots a b
wrong '--max-memory needs a size' convert --max-memory=0 a b
wrong '--shard-size needs a size' convert --shard-size=5XB a b
wrong '--threads needs a number' convert -j 0 a b
wrong '--threads needs a number' convert -j two a b
wrong '--depth needs a number' inspect --depth=0 a
wrong '--tolerance needs ATOL' diff --tolerance=x a b
wrong '--tolerance needs ATOL' diff --tolerance=-1 a b
wrong '--strict needs --against' verify --strict a.safetensors

# Options come anywhere; "--" ends them; names may be shortened.
run inspect a.safetensors --tensors
status 0
run inspect --tens a.safetensors
status 0
pair --odd
run inspect -- --odd
status 0
out 'safetensors'
run inspect --odd
status 2

# A control character in a word of the command line is not echoed.
run "$(printf 'in\033[1mspect')"
status 2
no_err "$(printf '\033')"
finish
