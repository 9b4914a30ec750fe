#!/bin/sh
# The mean of checkpoints.
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

# weights FILE COUNT BYTES: "w", float32, of these bytes, and "n", one int64.
weights()
{
	count=$(octal "$2")
	safetensors "$1" '{"n":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}' 0
	printf "$count\0\0\0\0\0\0\0$3" >>"$1"
}

weights a.safetensors 7 '\0\0\200\77\0\0\100\100'	# 1, 3
weights b.safetensors 7 '\0\0\0\100\0\0\200\100'	# 2, 4
weights mean 7 '\0\0\300\77\0\0\140\100'		# 1.5, 3.5

run average a.safetensors b.safetensors m.safetensors
status 0
err 'wrote m.safetensors: 2 tensors'
err 'all but the weights is that of a.safetensors'
mv mean mean.safetensors
run diff --strict m.safetensors mean.safetensors
status 0
run average --verify -j 2 --json a.safetensors b.safetensors v.safetensors
status 0
json
json_is inputs/1 b.safetensors
json_is verified true
json_is steps/2/what average
run average a.safetensors b.safetensors m.safetensors
status 1
err --overwrite
run average --overwrite --cast float16 a.safetensors b.safetensors \
	m.safetensors
status 0
run inspect --tensors --json m.safetensors
json_is 1/dtype float16
run average a.safetensors one.safetensors
status 0
run diff --strict a.safetensors one.safetensors
status 0

# What has no mean, other names, other types.
weights c.safetensors 8 '\0\0\0\100\0\0\200\100'
run average a.safetensors c.safetensors b.safetensors d.safetensors
status 3
err 'integers: n:'
err '1 of 3 inputs (first in c.safetensors)'
absent d.safetensors
run average --allow-loss=integers a.safetensors c.safetensors d.safetensors
status 0
run diff --strict d.safetensors mean.safetensors
status 0
pair p.safetensors
run average a.safetensors p.safetensors e.safetensors
status 2
err "is in p.safetensors but not in a.safetensors"
printf '{"a": 1}' >x.json
run average a.safetensors x.json e.safetensors
status 3
err x.json
err "of type 'values'"
absent e.safetensors
run average a.safetensors
status 2

# Far more inputs than a process may open at first.
set --
for i in $(seq 80); do
	cp a.safetensors "in$i.safetensors"
	set -- "$@" "in$i.safetensors"
done
(
	ulimit -S -n 40
	"$FERRY" average -q "$@" many.safetensors
) || fail 'average of 80 failed'
run diff --strict a.safetensors many.safetensors
status 0
tidy
finish
