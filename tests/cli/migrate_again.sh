#!/bin/sh
# Migrations that are run again when something is no more what it was, and what
# a run takes for its own.
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

mkdir src
for n in 1 2 3; do
	pair src/$n.safetensors
done

# ---- a source that lies in DST ----------------------------------------------
mkdir own
pair own/m.safetensors
cp own/m.safetensors .t/m
run migrate own/m.safetensors own --to-format safetensors --cast float16
status 5
err 'own/m.safetensors: its output would be itself: --in-place replaces'
run migrate own/m.safetensors own --to-format safetensors --dry-run
status 5
run migrate ./own/m.safetensors own --to-format safetensors --overwrite
status 5
err 'is the source itself'
cmp -s own/m.safetensors .t/m || fail 'the source was replaced'
run migrate own/m.safetensors own --to-format torch
status 0
present own/m.pt
run migrate own/m.safetensors own --to-format safetensors --name 'b-{name}'
status 0
present own/b-m.safetensors

# ---- nothing that a sidecar tells of ----------------------------------------
mkdir bare
run verify bare --ledger
status 4
out 'no sidecar tells of any'
run verify bare --ledger --json
status 4
json_is ok false
json_is outputs 0
run verify src --ledger -q
status 4

# ---- an output that somebody changed ----------------------------------------
run migrate src new --to-format torch
status 0
cp new/1.pt .t/1.pt
echo edited >>new/1.pt
run migrate src new --to-format torch
status 0
err '1 done, 2 kept'
cmp -s new/1.pt .t/1.pt || fail 'a changed output was kept'
# Without its sidecar it is a file like any.
echo edited >>new/1.pt
rm new/1.pt.ferry.json
run migrate src new --to-format torch
status 5
err 'src/1.safetensors: '
grep -q edited new/1.pt || fail 'a file was replaced'
run migrate src new --to-format torch --overwrite
status 0

# ---- enough failures ---------------------------------------------------------
mkdir many
i=0
while [ $i -lt 60 ]; do
	i=$((i + 1))
	pair many/$i.safetensors
done
for workers in 1 4; do
	for most in 1 3; do
		run migrate many stop$workers$most --to-format torch \
			--select nowhere -j $workers --max-failures=$most
		status 5
		n=$(grep -c '^ferry: failed: ' "$err")
		[ "$n" -ge $most ] && [ "$n" -lt $((most + workers)) ] ||
			fail "$n failed, of $most and $workers workers"
		err 'left'
		run migrate --status stop$workers$most
		status 5
		out "$((60 - n)) items not reached"
	done
done
run migrate many stop11 --to-format torch -j 2 --max-failures=1
status 0
err '60 done'

# ---- failures of what is there no more ---------------------------------------
mkdir -p odd/sub other
pair odd/good.safetensors
pair other/x.safetensors
for name in odd/bad odd/sub/worse; do
	pair $name.safetensors
	truncate -s 100 $name.safetensors
done
run migrate odd told --to-format torch
status 5
rm odd/bad.safetensors
# Another source tells nothing of it, nor does a part of the same.
run migrate other told --to-format torch
run migrate odd/sub told --to-format torch
run migrate --status told
status 5
out 'failed: odd/bad.safetensors'
run migrate odd told --to-format torch
status 5
run migrate --status told
no_out 'odd/bad.safetensors'
out 'failed: odd/sub/worse.safetensors'
rm -r odd/sub
run migrate odd/ told --to-format torch
status 0
run migrate --status told
status 0
no_out failed:
run migrate --status told --json
json_is totals/states/failed 0

# ---- few descriptors ---------------------------------------------------------
last='migrate, with 14 descriptors'
(ulimit -n 14 && exec "$FERRY" migrate many narrow --to-format torch -j 1) \
	>"$out" 2>"$err"
got=$?
status 0
rm -rf narrow

# ---- links to what is removed ------------------------------------------------
mkdir links
pair links/m.safetensors
ln -s m.safetensors links/a.safetensors
ln -s m.safetensors links/z.safetensors
for n in 1 2 3; do
	rm -rf there
	cp -a links links$n
	run migrate links$n there --to-format torch --verify --remove-source \
		-j $n
	status 0
	err '3 done'
	absent links$n/m.safetensors
	[ -z "$(ls links$n)" ] || fail "left: $(ls links$n)"
	present there/a.pt there/m.pt there/z.pt
done
# Those that are to follow are left, too.
run migrate links nowhere --to-format torch --verify --remove-source -j 1 \
	--select nothing --fail-fast
status 5
err 'stopped after 1 failure with 2 items left'
finish
