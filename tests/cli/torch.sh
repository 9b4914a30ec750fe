#!/bin/sh
# Files that torch wrote, whole and broken, through every verb.
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

corpus=$FERRY_CORPUS/torch
[ -f "$corpus/basic.pt" ] || skip 'no files of torch here'

# One of the command's own statuses, with a sentence for every failure.
orderly()
{
	[ "$got" -le 5 ] || fail 'no status of ferry'
	[ "$got" -eq 0 ] || [ -s "$out" ] || [ -s "$err" ] || fail 'a failure without a word'
}

for file in "$corpus"/*.pt; do
	name=${file##*/}
	for words in '' --depth=20 --tensors --stats; do
		# shellcheck disable=SC2086
		run inspect $words "$file"
		orderly
	done
	first=$got
	cp "$err" .t/first
	run inspect --json --depth=20 "$file"
	orderly
	json
	run scan --json "$file"
	orderly
	json
	run verify --json "$file"
	orderly
	json
	run convert "$file" "$name.out.pt"
	orderly
	tidy
	if [ "$got" -ne 0 ]; then
		absent "$name.out.pt"
		continue
	fi
	[ "$first" -eq 0 ] ||
		fail "converted what inspect refused ($first): $(cat .t/first)"
	run diff "$file" "$name.out.pt"
	status 0
	run diff --strict "$file" "$name.out.pt"
	status 0
	rm "$name.out.pt"
done

# There, and back, with everything kept.
run convert "$corpus/basic.pt" b.safetensors
status 0
run convert b.safetensors c.pt
status 0
run verify c.pt --against "$corpus/basic.pt"
status 0
run diff "$corpus/basic.pt" b.safetensors
status 0

# A few values of a big storage.
run inspect "$corpus/large_view.pt"
status 0
out 'reached by no tensor'
run convert --compact "$corpus/large_view.pt" small.pt
status 0
[ "$(wc -c <small.pt)" -lt "$(wc -c <"$corpus/large_view.pt")" ] ||
	fail 'not smaller'
run diff "$corpus/large_view.pt" small.pt
status 0

# A frozen module has constants in the place of its weights.
run convert --weights "$corpus/script_frozen.pt" f.safetensors
status 0
run inspect --tensors f.safetensors
out CONSTANTS.c0

# The weights of a program; the program itself is a loss.
run convert "$corpus/export.pt2" e.safetensors
status 3
err 'program: '
absent e.safetensors
run convert --weights "$corpus/export.pt2" e.safetensors
status 0
run convert --allow-loss=program "$corpus/export.pt2" e.pt
status 0
run verify "$corpus/export.pt2"
status 0

run scan --strict "$corpus/refused.pt"
status 4
run inspect "$corpus/refused.pt"
status 0
out 'weights_only=True: refused by'
finish
