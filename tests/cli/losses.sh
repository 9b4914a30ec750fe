#!/bin/sh
# What the output cannot hold: listed, refused, allowed.
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

pair a.safetensors
run convert a.safetensors a.json
status 3
err 'refused: 1 loss'
err '--allow-loss=tensors'
err 'hint: ferry convert --allow-loss=tensors'
absent a.json
tidy
run plan a.safetensors a.json
status 3
out 'loss: tensors (refused)'
run convert --json a.safetensors a.json
status 3
json
json_is refused 1
json_is losses/0/kind tensors
json_is losses/0/allowed false
absent a.json
run convert --allow-loss=objects,values a.safetensors a.json
status 3
absent a.json
run convert --allow-loss=values,tensors a.safetensors a.json
status 0
err 'wrote a.json: 0 tensors, 0 bytes'
present a.json
run plan --allow-loss='No such' a.safetensors b.json
status 2
run plan --allow-loss=nonsense a.safetensors b.safetensors
status 0
err 'no loss here is of that kind'
run convert --allow-loss=tensor a.safetensors c.json
status 2
err '--allow-loss=tensor: no loss here is of that kind: did you mean tensors?'
absent c.json
run convert --overwrite --allow-loss a.safetensors a.json
status 0
run plan --json --allow-loss a.safetensors b.json
status 0
json
json_is losses/0/allowed true
json_is refused 0

# An array of numpy says less than a tensor; nothing of it goes unsaid.
numpy=$FERRY_CORPUS/numpy/numpy-2
run convert "$numpy/texts.npz" t.pkl
status 3
err '--allow-loss=numpy-type'
absent t.pkl
run convert --allow-loss=numpy-type "$numpy/texts.npz" t.pkl
status 0
run convert "$FERRY_CORPUS/torch/basic.pt" b.pkl
status 3
err 'shared'
absent b.pkl
run convert "$numpy/packed.npy" p.pt
status 3
err 'records: '
absent p.pt
run convert --allow-loss "$numpy/packed.npy" p.pt
status 0

# A tensor alone has no name.
safetensors six.safetensors '{"t":{"dtype":"F6_E2M3","shape":[4],"data_offsets":[0,3]}}' 3
run convert six.safetensors six.pt
err "tensor 't' is "
err 'drop it (--drop), or write another format'
absent six.pt
run convert --select t six.safetensors six.pt
err 'the tensor is '
err 'does not hold; write another format'
absent six.pt

# Of what is lost anyhow it is not told that it was shared.
run convert --json "$FERRY_CORPUS/torch/basic.pt" shared.json
status 3
json
json_is refused 1
json_is losses/0/kind tensors

# What an archive has beside the checkpoint, and the code of a module.
run convert "$FERRY_CORPUS/torch/extra.pt" e.pt
status 3
err 'files: 2 records of the archive are no part of the checkpoint: extra/notes.txt, data/99 (--allow-loss=files)'
absent e.pt
run convert --allow-loss=files "$FERRY_CORPUS/torch/extra.pt" e.pt
status 0
run convert "$FERRY_CORPUS/torch/script.pt" e.safetensors
status 3
err 'program: '
absent e.safetensors
run convert --weights "$FERRY_CORPUS/torch/script_extra.pt" e.safetensors
status 0
err 'note: '
run convert --to state-dict "$FERRY_CORPUS/torch/script.pt" f.safetensors
status 0

# Calls for what they do, which no value holds.
printf '\200\002cos\nsystem\n)R0}.' > call.pkl
run convert call.pkl c.pkl
status 3
err 'calls: 1 call whose result is thrown away is not kept: os.system'
absent c.pkl
run convert --allow-loss=calls call.pkl c.pkl
status 0

# Metadata that no longer fits the tensors: what it told of is gone.
stale=$FERRY_CORPUS/safetensors/valid/document-stale
stale=$(ls "$stale"/*.safetensors)
run inspect "$stale"
status 0
run convert "$stale" s.pt
status 3
err 'stale-document: '
absent s.pt
run convert --allow-loss=stale-document "$stale" s.pt
status 0
run convert --set document=no "$stale" u.pt
status 0

# What a file says of itself, beside the document.
safetensors m.safetensors '{"__metadata__":{"author":"me","format":"pt","licence":"x"},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}' 8
run plan m.safetensors m.json --allow-loss
out 'note: metadata: metadata of the input not kept: author, licence (2 entries)'
run plan m.safetensors n.safetensors
no_out 'note: metadata'

# The rest of a document in a file that is gone.
sum=$(printf '%064d' 0)
safetensors s.safetensors '{"__metadata__":{"ferry.sidecar":"{\"file\":\"s.ferry.json\",\"nbytes\":10,\"sha256\":\"'$sum'\"}"},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}' 8
run convert s.safetensors s2.safetensors
status 3
err 'sidecar: file s.ferry.json'
absent s2.safetensors
run convert --allow-loss=sidecar s.safetensors s2.safetensors
status 0

# What is to be read is what is taken; casts read what they cast.
run plan --json a.safetensors p.safetensors --select a.weight
json_is bytes_in 48
run plan --json a.safetensors p.safetensors --drop weight
json_is bytes_in 16
run plan --json a.safetensors p.safetensors --cast float16
json_is bytes_in 64
json_is bytes_out 40

# The weights that are expected.
cat >s.yaml <<'E'
name: test/pair
dims: {N: 3}
tensors:
- {name: a.weight, shape: [N, "N + 1"], dtype: float32}
- {name: b.count, shape: [2], dtype: int64}
E
run convert --expect s.yaml a.safetensors e1.safetensors
status 0
run plan --expect a.safetensors a.safetensors e2.safetensors
status 0
out 'schema'
run convert --expect s.yaml --drop b --cast float16 a.safetensors \
	e2.safetensors
status 3
err 'schema: b.count: is missing; int64 of shape [2] is expected'
err 'schema: a.weight: dtype is float16, but float32 is expected'
absent e2.safetensors
run convert --expect s.yaml --drop b --allow-loss=schema a.safetensors \
	e2.safetensors
status 0
run plan --expect e2.safetensors a.safetensors e3.safetensors
status 3
out 'b.count: no such tensor is expected; it is int64 of shape [2]'
header='{"p.a.weight":{"dtype":"F32","shape":[3,4],"data_offsets":[0,48]},"p.b.count":{"dtype":"I64","shape":[2],"data_offsets":[48,64]}}'
safetensors front.safetensors "$header" 64
run convert --expect s.yaml front.safetensors e3.safetensors
status 3
err "hint: ferry convert: names begin with 'p.', which is not expected: --strip-prefix=p. takes it off"
run convert --expect s.yaml front.safetensors --strip-prefix=p. e3.safetensors
status 0
run convert --expect front.safetensors a.safetensors e3.safetensors
status 3
err "expected to begin with 'p.': --add-prefix=p. puts it there"
i=0
while [ $i -lt 30 ]; do
	printf '%s"w%d":{"dtype":"U8","shape":[1],"data_offsets":[%d,%d]}' \
		"$([ $i -gt 0 ] && echo ,)" $i $i $((i + 1))
	i=$((i + 1))
done >many.txt
safetensors many.safetensors "{$(cat many.txt)}" 30
run convert --expect s.yaml many.safetensors e4.safetensors
status 3
err 'refused: 32 losses'
err '  schema: ... and 12 more; ferry plan lists all'
run plan --expect no/schema a.safetensors e3.safetensors
[ "$got" -ne 0 ] || fail 'a schema that is not there'
err no/schema

# Rules of a file cast no further than those of the command line.
printf 'rules:\n- cast: {dtype: int8}\n' >r.yaml
run plan --rules r.yaml a.safetensors p.safetensors
status 2
err 'rule cast to int8 truncates'
run plan --rules r.yaml --allow-loss=cast a.safetensors p.safetensors
status 0
finish
