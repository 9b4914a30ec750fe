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
present a.json
run plan --allow-loss='No such' a.safetensors b.json
status 2
run plan --allow-loss=nonsense a.safetensors b.safetensors
status 0
err 'no loss here is of that kind'
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
finish
