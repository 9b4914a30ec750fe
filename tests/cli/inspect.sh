#!/bin/sh
# What inspect says.
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

pair a.safetensors
run inspect a.safetensors
status 0
quiet
out safetensors
out a.weight
out '2 tensors'
out 'float32 48 bytes'

run inspect --json a.safetensors
status 0
json
json_is format safetensors
json_is all/tensors 2
json_is all/elements 14
json_is all/nbytes 64
json_is dtypes/float32/nbytes 48
json_is dtypes/int64/tensors 1
json_is storages/unreached_nbytes 0
json_is ties '[]'

run inspect --tensors a.safetensors
status 0
out 'NAME'
out 'a.weight  float32  [3, 4]'
run inspect --tensors --json a.safetensors
json
json_is 1/name b.count
json_is 1/dtype int64
json_is 1/shape '[2]'

run inspect a.safetensors a.weight
status 0
out 'float32 [3, 4]'
run inspect --json a.safetensors a.weight
json
# shellcheck disable=SC2016
json_is '$tensor/dtype' float32
run inspect a.safetensors nowhere
status 1
err nowhere
err --depth

# Statistics: 1, -2.5, inf and nan as float32; 3 and 4 as bfloat16.
safetensors s.safetensors '{"x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"y":{"dtype":"BF16","shape":[2],"data_offsets":[16,20]}}' 0
printf '\0\0\200\077\0\0\040\300\0\0\200\177\0\0\300\177\100\100\200\100' \
	>>s.safetensors
run inspect --stats --json s.safetensors
status 0
json
json_is 0/stats/min -2.5
json_is 0/stats/max 1.0
json_is 0/stats/mean -0.75
json_is 0/stats/std 1.75
json_is 0/stats/nan 1
json_is 0/stats/inf 1
json_is 1/stats/mean 3.5
json_is 1/stats/std 0.5
run inspect --stats s.safetensors
out '1 nan'
out '1 inf'

# Names of one tensor: its data is counted once, the same in every figure.
gpt=$abs_top_srcdir/doc/examples/tiny-gpt.pt
run inspect "$gpt"
status 0
out '56,861 in 113 tensors (114 names), 227 kB'
out 'float32 227 kB (112 tensors, 113 names)'
run inspect --json "$gpt"
json_is all/names 114
json_is dtypes/float32/tensors 112
run verify "$gpt"
status 0
out ': ok: 113 tensors (114 names), 227 kB'

# A wrong CRC is a warning, and not ok.
cp "$gpt" crc.pt
printf '\001\002\003\004' |
	dd of=crc.pt bs=1 seek=130000 conv=notrunc 2>/dev/null
run verify crc.pt
status 0
err 'CRC-32'
out 'crc.pt: 1 warning: 113 tensors'
no_out ok

# The listings.
for verb in types formats conversions models plugins; do
	run "$verb"
	status 0
	run "$verb" --json
	status 0
	json
done
run formats
out safetensors
run formats safetensors --options
out 'when written'
run formats nonesuch
status 3
err nonesuch
run formats --json safetensors
json
json_is 0/name safetensors
json_is 0/plugin safetensors
json_is 0/writes true

# Plugins: one named that is none, and one refused on the way.
printf 'not a plugin' >broken.so
run formats --plugin "$PWD/broken.so"
status 1
err broken.so
mkdir path
cp broken.so path
run plugins --plugin-path "$PWD/path:$FERRY_PLUGIN_PATH"
status 0
err broken.so
out safetensors
run plugins --json --plugin-path "$PWD/path:$FERRY_PLUGIN_PATH"
json
run plugins -q --plugin-path "$PWD/path:$FERRY_PLUGIN_PATH"
quiet

# stdout that takes nothing is a failure.
if [ -w /dev/full ]; then
	last='formats >/dev/full'
	"$FERRY" formats >/dev/full 2>"$err"
	got=$?
	status 1
	err 'standard output'
fi
finish
