#!/bin/sh
# ferry verify --expect: weights against a tensor schema or another checkpoint.
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

pair m.safetensors
mkdir -p schemas/mock/tensors
cat >schemas/mock/tensors/base.yaml <<'END'
name: mock/base
dims: {N: 3}
tensors:
  - {name: a.weight, shape: [N, 4], dtype: float32}
  - {name: b.count, shape: [2], dtype: int64}
END
FERRY_SCHEMA_PATH=$scratch/schemas:$FERRY_SCHEMA_PATH
export FERRY_SCHEMA_PATH

# By name, by file, and by another checkpoint.
for what in mock/base schemas/mock/tensors/base.yaml m.safetensors; do
	run verify m.safetensors --expect "$what"
	status 0
	quiet
	out "$what: fits: 2 tensors expected"
	out 'm.safetensors: ok'
done

# Every misfit is told, with what was expected and what was found.
safetensors other.safetensors '{"a.weight":{"dtype":"F16","shape":[3,4],"data_offsets":[0,24]},"c":{"dtype":"I64","shape":[2],"data_offsets":[24,40]}}' 40
run verify other.safetensors --expect mock/base
status 4
out 'dtype       a.weight  float32 [3, 4]  float16 [3, 4]'
out 'missing     b.count   int64 [2]       -'
out 'unexpected  c         -               int64 [2]'
out 'mock/base: does not fit: 1 missing, 1 unexpected, 1 of another dtype; 2 tensors expected'
out 'other.safetensors: whole, but not as expected'
run verify other.safetensors --expect m.safetensors --json
status 4
json
json_is ok false
json_is expect/fits false
json_is expect/missing 1
json_is expect/unexpected 1
json_is expect/dtype 1
json_is expect/shape 0
json_is expect/misfits/0/name a.weight

# Dimensions.
run verify m.safetensors --expect mock/base --dim N=5
status 4
out 'shape   a.weight  float32 [5, 4]  float32 [3, 4]'
run verify m.safetensors --expect mock/base --dim N=5 --dim N=3
status 0
run verify m.safetensors --expect mock/base --dim M=5
status 2
run verify m.safetensors --expect m.safetensors --dim N=3
status 2
err '--dim is for schemas'

# Order, when it counts.
sed -e '4{h;d' -e '}' -e '5G' schemas/mock/tensors/base.yaml \
	>schemas/mock/tensors/turned.yaml
run verify m.safetensors --expect mock/turned
status 0
run verify m.safetensors --expect mock/turned --order
status 4
out order

# What can't be answered.
run verify m.safetensors --expect mock/none
status 1
err mock/none
run verify m.safetensors --expect mock/bse
status 1
err "tensor schema mock/bse is not known (did you mean 'mock/base'?)"
safetensors front.safetensors '{"p.a.weight":{"dtype":"F32","shape":[3,4],"data_offsets":[0,48]},"q.b.count":{"dtype":"I64","shape":[2],"data_offsets":[48,64]}}' 64
run verify front.safetensors --expect mock/base
status 4
out 'hint: names begin with p.: ferry convert --strip-prefix=p.'
run verify m.safetensors --expect ../mock/base
no_out fits
[ "$got" -ne 0 ] || fail 'a name that leaves the directories was taken'
printf '{"a": 1}' >x.json
run verify x.json --expect mock/base
status 3
err 'no weights'
run verify m.safetensors --dim N=3
status 2
err '--dim needs --expect'
finish
