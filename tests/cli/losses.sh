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
finish
