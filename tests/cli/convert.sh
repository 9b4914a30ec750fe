#!/bin/sh
# Converting: outputs, what is in the way, handling, reports.
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

pair a.safetensors
cp a.safetensors before

run convert a.safetensors b.safetensors
status 0
present b.safetensors
err 'wrote b.safetensors: 2 tensors'
[ ! -s "$out" ] || fail 'stdout is not empty'
cmp -s a.safetensors before || fail 'the input was changed'
tidy
run diff a.safetensors b.safetensors
status 0

# An output in the way.
run convert a.safetensors b.safetensors
status 1
err b.safetensors
err --overwrite
run convert --overwrite a.safetensors b.safetensors
status 0
run convert -q --overwrite a.safetensors b.safetensors
status 0
quiet

# The input as the output, by the same and another name.
for name in a.safetensors ./a.safetensors; do
	run convert --overwrite a.safetensors "$name"
	[ "$got" -ne 0 ] || fail 'the input was overwritten'
	cmp -s a.safetensors before || fail 'the input was changed'
done
ln a.safetensors other.safetensors
run convert --overwrite a.safetensors other.safetensors
[ "$got" -ne 0 ] || fail 'the input was overwritten through a link'
cmp -s a.safetensors before || fail 'the input was changed'
rm other.safetensors

# A suffix nobody knows, a format nobody knows, a format for a type.
run convert a.safetensors b.xyz
[ "$got" -ge 2 ] || fail 'status 2 or 3 was expected'
err xyz
absent b.xyz
run convert --to-format xyz a.safetensors c.out
status 3
err xyz
absent c.out
run convert --to safetensors a.safetensors c.out
status 3
err 'hint: safetensors is a format: --to-format=safetensors'
run convert --to-format safetensors a.safetensors c.out
status 0
present c.out

# A directory that is not there, or is no directory.
run convert a.safetensors none/b.safetensors
status 1
err none
run convert a.safetensors before/b.safetensors
status 1

# Handling, in the order given.
run convert --strip-prefix a. --add-prefix x. a.safetensors h1.safetensors
status 0
run inspect --tensors h1.safetensors
out x.weight
run convert --drop count --rename 'weight$=>kernel' --cast bfloat16 \
	a.safetensors h2.safetensors
status 0
run inspect --tensors --json h2.safetensors
json
json_is 0/name a.kernel
json_is 0/dtype bfloat16
json_is 1 '(absent)'
run convert --add-prefix p. --drop '^p\.b' a.safetensors h3.safetensors
status 0
run inspect --tensors --json h3.safetensors
json_is 0/name p.a.weight
json_is 1 '(absent)'
run convert --drop '^p\.b' --add-prefix p. a.safetensors h4.safetensors
status 0
run inspect --tensors --json h4.safetensors
json_is 1/name p.b.count
run convert --rename '.*=>same' a.safetensors h5.safetensors
[ "$got" -ne 0 ] || fail 'two names became one'
err a.weight
err b.count
absent h5.safetensors
run convert --drop '(' a.safetensors h6.safetensors
status 2
absent h6.safetensors
run convert --drop nothing a.safetensors h7.safetensors
status 0
err 'matched none'

# Verified, with a report.
run convert --verify --json a.safetensors v.safetensors
status 0
json
json_is tensors 2
json_is verified true
json_is output v.safetensors
json_is to/format safetensors
json_is refused 0

run plan a.safetensors p.safetensors
status 0
out read
out write
absent p.safetensors
run plan --json a.safetensors p.safetensors
status 0
json
json_is from/format safetensors
json_is bytes_out 64
absent p.safetensors
tidy

# What is in the way is told beforehand, as convert tells it.
run plan a.safetensors m1.safetensors
status 0
for name in v.safetensors a.safetensors none/b.safetensors; do
	run convert a.safetensors "$name"
	refused=$got
	cp "$err" told
	run plan a.safetensors "$name"
	status "$refused"
	cmp -s "$err" told || fail 'plan says something else than convert'
done
run plan --json a.safetensors v.safetensors
status 1
json
json_is blocked 'v.safetensors: exists already; use --overwrite to replace it'
run plan --overwrite a.safetensors v.safetensors
status 0

# Shards: what was written is named.
run convert --shard-size=50 a.safetensors shards.safetensors
status 0
err 'wrote shards.safetensors.index.json and 2 shards'
absent shards.safetensors
no_err 'left beside'
run convert --overwrite --shard-size=64 a.safetensors \
	shards.safetensors.index.json
status 0
err 'note: 2 files of the index that is replaced are left beside it'
err 'shards-00001-of-00002.safetensors, shards-00002-of-00002.safetensors'
present shards-00001-of-00001.safetensors shards-00002-of-00002.safetensors
run diff --strict a.safetensors shards.safetensors.index.json
status 0

# Memory and threads.
run convert --max-memory=1 a.safetensors m.safetensors
status 2
absent m.safetensors
run convert --max-memory=1MiB -j 2 a.safetensors m.safetensors
status 0
run diff --strict a.safetensors m.safetensors
status 0
finish
