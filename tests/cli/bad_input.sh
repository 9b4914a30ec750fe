#!/bin/sh
# Input that is not what its name says: one sentence, the right status, no
# output.
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

# refuse STATUS TEXT FILE: by inspect and by convert.
refuse()
{
	run inspect "$3"
	status "$1"
	err "$2"
	err "$3"
	[ "$(grep -c '^ferry: ' "$err")" -eq 1 ] ||
		fail 'not one sentence'
	run convert "$3" result.safetensors
	status "$1"
	err "$2"
	absent result.safetensors
	tidy
}

printf '<!DOCTYPE html>\n<html><body>404 not found</body></html>\n' >page.pt
refuse 1 HTML page.pt
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 4\n' \
	0 >pointer.pt
refuse 1 LFS pointer.pt
printf 'hello\n' | gzip -c >packed.pt
refuse 3 gzip packed.pt
: >empty.pt
refuse 1 empty empty.pt
mkdir folder
refuse 3 directory folder
refuse 1 'no such file' missing.pt
printf 'just a note\n' >note.bin
refuse 3 text note.bin

# A zip archive cut short.
printf 'PK\003\004\024\0\0\0\0\0\0\0\0\0\0\0\0\0\144\0\0\0\144\0\0\0\020\0\0\0archive/data.pkl' >cut.pt
run inspect cut.pt
[ "$got" -eq 1 ] || [ "$got" -eq 3 ] || fail 'status 1 or 3 was expected'
err cut.pt

# Safetensors that lie.
safetensors long.safetensors '{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}' 8
refuse 1 byte long.safetensors
safetensors order.safetensors '{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}' 8
run verify order.safetensors
status 1
err order.safetensors
printf '\377\377\377\377\377\377\377\177{}' >huge.safetensors
run inspect huge.safetensors
[ "$got" -eq 1 ] || [ "$got" -eq 3 ] || fail 'status 1 or 3 was expected'

# No permission (root may read all).
pair shut.safetensors
chmod 0 shut.safetensors
if [ ! -r shut.safetensors ]; then
	run inspect shut.safetensors
	status 1
	err 'ermission denied'
fi

# Names from a file are escaped before they reach a terminal.
safetensors evil.safetensors '{"a\u001b[31m\u202e\u0007":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}' 8
for words in '' --tensors --depth=3 --json '--tensors --json' --stats; do
	# shellcheck disable=SC2086
	run inspect $words evil.safetensors
	status 0
	no_out "$(printf '\033')"
	no_out "$(printf '\007')"
	no_out "$(printf '\342\200\256')"
done
run inspect --tensors evil.safetensors
out '\x1B[31m'
# A reader's warnings are told once.
run verify "$FERRY_CORPUS/torch/embedded.pt"
status 0
[ "$(grep -c 'begins behind other bytes' "$err")" -eq 1 ] || fail 'not one warning'

# Bytes that are no text.
awk 'BEGIN { for (i = 0; i < 100; i++) printf "\377" }' > high.bin
run inspect high.bin
status 3
err 'of no format known here'

# Shards in the place of their index.
run convert --shard-size 60 "$FERRY_CORPUS/torch/basic.pt" cut.safetensors
status 0
run convert cut-0000*.safetensors whole.pt
status 2
err 'hint: these are shards of one checkpoint: name their index, cut.safetensors.index.json, in the place of all of them'
run convert cut.safetensors.index.json whole.pt
status 0
finish
