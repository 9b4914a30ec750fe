#!/bin/sh
# diff and verify.
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

head='{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"y":{"dtype":"I64","shape":[1],"data_offsets":[8,16]}}'
safetensors a.safetensors "$head" 0
printf '\0\0\200\077\0\0\0\100\1\0\0\0\0\0\0\0' >>a.safetensors
cp a.safetensors same.safetensors
safetensors b.safetensors "$head" 0
printf '\0\0\200\077\0\0\100\100\1\0\0\0\0\0\0\0' >>b.safetensors

run diff a.safetensors same.safetensors
status 0
out equal
out '2 tensors equal'
run diff --strict a.safetensors same.safetensors
status 0
run diff -q a.safetensors same.safetensors
status 0
[ ! -s "$out" ] || fail 'stdout is not empty'

# 2 against 3.
run diff a.safetensors b.safetensors
status 1
out '~ x'
out '1 of 2 elements differ, by at most 1'
out '1 tensor equal'
out '1 tensor changed'
run diff --strict a.safetensors b.safetensors
status 1
out x
run diff --tolerance 1 a.safetensors b.safetensors
status 0
run diff --tolerance 0.5 a.safetensors b.safetensors
status 1
run diff --tolerance 0,0.5 a.safetensors b.safetensors
status 0
run diff --structure-only a.safetensors b.safetensors
status 0
run diff --json a.safetensors b.safetensors
status 1
json
json_is equal false
json_is counts/tensors_changed 1
json_is counts/tensors_equal 1
json_is differences/0/path x

# Names on one side, another shape, another dtype.
safetensors c.safetensors '{"x":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"z":{"dtype":"I64","shape":[1],"data_offsets":[8,16]}}' 16
run diff a.safetensors c.safetensors
status 1
out '~ x  float32 [2] -> float32 [1, 2]'
out '- y  int64 [1]'
out '+ z  int64 [1]'
out '1 only in a.safetensors, 1 only in c.safetensors'
run diff --weights a.safetensors c.safetensors
status 1
out '- y'
run convert -q --cast bfloat16 a.safetensors half.safetensors
run diff a.safetensors half.safetensors
status 1
out 'float32 [2] -> bfloat16 [2]'

run diff a.safetensors missing.safetensors
status 1
err missing.safetensors

# Proving.
run verify a.safetensors
status 0
out 'a.safetensors: ok: 2 tensors, 16 bytes, safetensors'
run verify --json a.safetensors
status 0
json
json_is ok true
json_is nbytes 16
run verify a.safetensors --against same.safetensors
status 0
run verify a.safetensors --against same.safetensors --strict
status 0
run verify b.safetensors --against a.safetensors
status 4
out '~ x'
run verify b.safetensors --against a.safetensors --json
status 4
json
json_is ok false
json_is against/equal false
run verify --as nonesuch a.safetensors
status 3
err nonesuch
finish
