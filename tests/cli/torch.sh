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

# Whatever Python's names for things are, they are the same things.
run convert --verify "$corpus/builtins.pt" b.pt
status 0
run verify b.pt --against "$corpus/builtins.pt"
status 0

# Arrays of numpy have notes that tensors have not.
run convert --verify "$corpus/large_view.pt" v.pkl --allow-loss
status 0
run diff "$corpus/large_view.pt" v.pkl
status 0

# A note is told once.
run convert --cast float8_e5m2 "$corpus/state_dict.pt" f8.pt
status 0
[ "$(grep -c 'plain bytes' "$err")" -eq 1 ] || fail 'the note is not there once'

# A tensor and its conjugate are two.
run average "$corpus/conj_tied.pt" "$corpus/conj_tied.pt" mean.pt
status 0
run diff "$corpus/conj_tied.pt" mean.pt
status 0

# A directory is no file.
mkdir dir
run convert "$corpus/state_dict.pt" dir
status 3
err "output 'dir' is a directory: name a file in it"

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

# Storages far larger than their tensors.
run plan "$corpus/large_view.pt" small.pt --overwrite
status 0
out 'note: waste:'
run plan --json --compact "$corpus/large_view.pt" small.pt --overwrite
status 0
json_is bytes_out 16

# A source whose bytes are not those of its checksum.
safetensors w.safetensors '{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}' 0
printf 'ABCDEFGHIJKLMNOP' >>w.safetensors
run convert w.safetensors w.pt
status 0
at=$(grep -abo ABCDEFGHIJKLMNOP w.pt | sed 's/:.*//')
printf X | dd of=w.pt bs=1 seek="$at" conv=notrunc 2>/dev/null
for to in v.pt v.safetensors; do
	run convert --verify w.pt "$to"
	status 4
	err 'CRC-32'
	err 'nothing was written'
	absent "$to"
	tidy
	run convert w.pt "$to"
	status 0
	err 'warning: the bytes'
done

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
# A format without checksums is read to its end.
for file in tar.pt legacy.pt; do
	run verify --json "$corpus/$file"
	status 0
	json_is findings/0/code no-checksums
done
finish
