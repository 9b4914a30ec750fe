#!/bin/sh
# Migrations of what several files make together: runs of ksuit, shards.  Files
# that are no part of them are never lost, and never theirs.
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

corpus=$FERRY_CORPUS/ksuit
[ -d "$corpus" ] || skip 'no checkpoints of ksuit'
run types --json
grep -q ksuit/run "$out" || skip 'no plugin knows ksuit'
id=2026-02-01_ab12c
checkpoints=$id/train/checkpoints

# tree DIR: a run with its log, among other things.
tree()
{
	mkdir -p "$1/notes"
	cp -r "$corpus/run/$id" "$1/"
	chmod -R u+w "$1"
	pair "$1/other.safetensors"
	echo precious >"$1/notes/words.txt"
	echo epoch >"$1/$id/train/log.txt"
}

# ---- a run is one item, what is around it is not its -----------------------
tree src
run migrate src dst --upgrade --dry-run --json
status 0
json_is totals/states/planned 2
json_is totals/states/member 13
run migrate src dst --upgrade --copy-others
status 0
err '2 done, 2 copied, 13 member'
present "dst/$checkpoints/autoencoder.encoder_ema=0.99_cp=latest_model.th" \
	"dst/$id.ferry.json" "dst/$id/train/log.txt" dst/notes/words.txt
run verify "dst/$id"
status 0
run verify dst --ledger
status 0
run migrate src dst --upgrade --copy-others
err '4 kept, 13 member'
run migrate src one --to-format safetensors --weights
status 0
err '2 done'
present one/$id.safetensors one/other.safetensors

# Two runs beside each other are two.
mkdir several
cp -r "$corpus/run/$id" several/2026-02-02_cd34e
cp -r "$corpus/run/$id" several/$id
chmod -R u+w several
run migrate several two --upgrade
status 0
err '2 done, 26 member'
run migrate several/$id alone --upgrade
status 0
present "alone/$checkpoints/autoencoder.encoder_cp=latest_model.th"

# Frozen, it stays one item.
run migrate src parts --upgrade --plan-only -o work.jsonl --shards 2
status 0
run migrate work.jsonl --shard 0/2
status 0
run migrate work.jsonl --shard 1/2
status 0
run migrate src whole --upgrade
diff -r -x .ferry parts whole >.t/diff 2>&1 || fail "parts: $(head -n 3 .t/diff)"

# A run with a file that is broken fails as a whole.
tree broken
truncate -s 900 "broken/$checkpoints/autoencoder.encoder_cp=latest_model.th"
run migrate broken never --upgrade
status 5
err "failed: broken/$id: "
absent "never/$id"
present never/other.safetensors
# A rule that takes single files finds them where none takes the run.
cat >single.yaml <<'END'
rules:
  - match: {type: ksuit/model, path: "*/finetune/*"}
    upgrade: true
END
run migrate src single --recipe single.yaml
status 0
present "single/$id/finetune/checkpoints/head_cp=last_model.th"

# ---- the files of other ranks -----------------------------------------------
run types --json
if grep -q audiocraft/training "$out"; then
	mkdir ranks
	cp "$FERRY_CORPUS"/audiocraft/fsdp/checkpoint_2.th* ranks
	pair ranks/a.safetensors
	cp ranks/a.safetensors ranks/a.safetensors.1
	run migrate ranks weights --to-format safetensors --weights
	status 0
	err '3 done, 1 member'
	present weights/checkpoint_2.safetensors weights/a.safetensors \
		weights/a.safetensors.safetensors
	run migrate ranks exported --to audiocraft/export-lm --dry-run --json
	json_is totals/states/member 1
	run migrate ranks upgraded --upgrade
	status 0
	err '4 done'
	present upgraded/checkpoint_2.th upgraded/checkpoint_2.th.1
	# Without rank 0 there is nobody who has it.
	rm ranks/checkpoint_2.th
	run migrate ranks alone0 --to-format safetensors --weights
	status 5
	err 'failed: ranks/checkpoint_2.th.1: '
fi

# ---- sources removed: those that were taken, and no other ------------------
tree gone
run migrate gone there --upgrade --verify --remove-source
status 0
absent "gone/$checkpoints" "gone/$id/finetune" gone/other.safetensors
present gone/notes/words.txt gone/$id/train/log.txt
run verify there --ledger
status 0
# Killed while it removed them: the rest is not made into a run of its own.
cp -r there before
mkdir -p "gone/$checkpoints"
cp -p "$corpus/run/$checkpoints/autoencoder_cp=latest_trainer.th" \
	"gone/$checkpoints/"
python=$(command -v python3) && "$python" - "there/$id.ferry.json" \
	"gone/$checkpoints/autoencoder_cp=latest_trainer.th" <<'END'
import json, os, sys
for file in json.load(open(sys.argv[1]))["source"]:
    if file["path"].endswith(os.path.basename(sys.argv[2])):
        os.utime(sys.argv[2], ns=(file["mtime_ns"], file["mtime_ns"]))
END
run migrate gone there --upgrade --verify --remove-source
status 0
err '1 kept'
absent "gone/$checkpoints"
diff -r -x .ferry there before >.t/diff 2>&1 ||
	fail "what was done was made again: $(head -n 3 .t/diff)"

# ---- in place, every file has its backup -----------------------------------
tree here
cp -r here .t/here
run migrate --in-place here --upgrade
status 0
err '2 done'
present "here/$checkpoints/autoencoder.encoder_ema=0.99_cp=latest_model.th"
(cd .t/here && find . -name '*.th') | while read -r file; do
	cmp -s "here/$file.ferry-backup" ".t/here/$file" ||
		echo "no backup of $file"
done >.t/missing
[ ! -s .t/missing ] || fail "$(cat .t/missing)"
absent "here/$checkpoints/autoencoder.encoder_cp=latest_ema=0.99_model.th"
cmp -s here/$id/train/log.txt .t/here/$id/train/log.txt ||
	fail 'the log is another'
run migrate --in-place here --upgrade
err '2 kept'

# Shards, whether the new ones have the names of the old or not.
pair whole.safetensors
for size in 50B 1GB; do
	rm -rf shards .t/shards
	mkdir shards
	run convert whole.safetensors shards/m.safetensors --shard-size 50B
	status 0
	echo '{"n": 1}' >shards/config.json
	cp -r shards .t/shards
	run migrate --in-place shards --to-format safetensors --cast float16 \
		--shard-size $size
	status 0
	err '1 done, 1 skipped, 2 member'
	for file in m-00001-of-00002.safetensors m-00002-of-00002.safetensors \
		m.safetensors.index.json; do
		cmp -s shards/$file.ferry-backup .t/shards/$file ||
			fail "--shard-size=$size: no backup of $file"
	done
	run migrate --in-place shards --to-format safetensors --cast float16 \
		--shard-size $size
	err '1 kept'
	no_err done
	run verify shards --ledger
	status 0
done
absent shards/m-00001-of-00002.safetensors

# One file that becomes several is not done again under the name they have.
rm -rf single
mkdir single
cp whole.safetensors single/m.safetensors
for n in 1 2; do
	run migrate --in-place single --to-format safetensors --shard-size 50B \
		--add-prefix a.
	status 0
	absent single/m.safetensors single/m.safetensors.index.json.ferry-backup
	cp -r single .t/single.$n
done
err '1 kept, 2 member'
diff -r -x .ferry .t/single.1 .t/single.2 >.t/diff 2>&1 ||
	fail "done twice: $(head -n 3 .t/diff)"
run verify single --ledger
status 0

# ---- sets that are not whole -----------------------------------------------
# of_three: a set of three shards with its index.
safetensors three.safetensors '{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[4],"data_offsets":[16,32]},"c":{"dtype":"F32","shape":[4],"data_offsets":[32,48]}}' 48
of_three()
{
	rm -rf three new
	mkdir three
	run convert three.safetensors three/m.safetensors --shard-size 20B
	status 0
}
nothing_made()
{
	[ -z "$(find new -name '*.pt' 2>.t/find)" ] || fail 'a part was made'
}
of_three
rm three/m-00002-of-00003.safetensors three/m.safetensors.index.json
run migrate three new --to-format torch
status 5
err "a set of 3 files, of which 'm-00002-of-00003.safetensors' is missing"
err '2 failed'
nothing_made
run migrate three new --to-format torch --dry-run
status 5
rm three/m-00003-of-00003.safetensors
run migrate three new --to-format torch
err "'m-00002-of-00003.safetensors' and others are missing"
# With its index the set is one failure, and its shards are the index's.
of_three
rm three/m-00002-of-00003.safetensors
run migrate three new --to-format torch
status 5
err 'm-00002-of-00003.safetensors is named in it but missing'
err '2 member, 1 failed'
nothing_made
of_three
sed -i 's/"a"/"z"/' three/m.safetensors.index.json
run migrate three new --to-format torch
status 5
err '3 member, 1 failed'
nothing_made
# All shards without an index are files like any.
of_three
rm three/m.safetensors.index.json
run migrate three new --to-format torch
status 0
err '3 done'

# What is left of a set that was removed is never made an output of, under
# whatever name; a run that removes ends it.
of_three
cp -rp three .t/three
run migrate three new --to-format torch --verify --remove-source
status 0
absent three/m-00001-of-00003.safetensors three/m.safetensors.index.json
cp -r new .t/new
for left in 'm-00001-of-00003.safetensors m.safetensors.index.json' \
	'm-00003-of-00003.safetensors' 'm.safetensors.index.json' \
	'm-00001-of-00003.safetensors m-00002-of-00003.safetensors m-00003-of-00003.safetensors'
do
	for file in $left; do
		cp -p .t/three/$file three/
	done
	run migrate three new --to-format torch --cast float16
	status 5
	err 'is what a run that removes sources left of it'
	run migrate three new --to-format torch --name '{dir}/x-{stem}.pt'
	[ "$(ls new/*.pt)" = new/m.pt ] || fail "made of a part: $(ls new)"
	run migrate three new --to-format torch
	status 0
	present three/${left%% *}
	run migrate three new --to-format torch --verify --remove-source
	status 0
	err '1 kept'
	absent three/m*
	diff -r -x .ferry .t/new new >.t/diff 2>&1 || fail "$(cat .t/diff)"
done
# Frozen work whose sources are removed is done.
of_three
run migrate three new --to-format torch --plan-only -o three.jsonl
status 0
for n in 1 2; do
	run migrate three.jsonl --verify --remove-source
	status 0
done
err '1 kept'
cp -p .t/three/m-00002-of-00003.safetensors three/
rm -rf new three.jsonl
of_three
run migrate three new --to-format torch --plan-only -o three.jsonl
rm three/m-00002-of-00003.safetensors
run migrate three.jsonl --verify --remove-source
status 5
err 'm-00002-of-00003.safetensors'
nothing_made

# In place under another name: what was made is no item beside its source.
rm -rf named
mkdir named
cp whole.safetensors named/m.safetensors
run migrate --in-place named --to-format torch
status 0
run migrate --in-place named --to-format torch
status 0
err '1 kept, 1 member'

# A set that is made of fewer files now leaves none of before.
rm -rf shards
mkdir shards
cp .t/shards/m* shards
run migrate shards fewer --to-format safetensors --shard-size 50B
present fewer/m-00002-of-00002.safetensors
run migrate shards fewer --to-format safetensors --shard-size 1GB
status 0
present fewer/m-00001-of-00001.safetensors
absent fewer/m-00002-of-00002.safetensors

# What nothing tells of is nobody's to replace: not in place, nor beside what
# was made before.
mkdir near
cp whole.safetensors near/m.safetensors
echo precious >near/m-00001-of-00002.safetensors
cp near/m.safetensors .t/near
run migrate --in-place near --to-format safetensors --shard-size 50B
status 5
err 'm-00001-of-00002.safetensors: exists already'
cmp -s near/m.safetensors .t/near || fail 'the source was replaced'
grep -q precious near/m-00001-of-00002.safetensors || fail 'a shard was replaced'
mkdir -p far
cp whole.safetensors far/m.safetensors
run migrate far farther --to-format safetensors
status 0
echo precious >farther/m-00001-of-00002.safetensors
run migrate far farther --to-format safetensors --shard-size 50B
status 5
grep -q precious farther/m-00001-of-00002.safetensors ||
	fail 'a file was replaced'
present farther/m.safetensors

# Sources that a later run removes: what is left of them when it is killed
# replaces nothing, whatever that run or the next want.
rm -rf gone there before
mkdir gone
cp -r "$corpus/run/$id" gone/
chmod -R u+w gone
cp -rp gone .t/gone
run migrate gone there --to-format safetensors --weights --verify
status 0
run migrate gone there --to-format safetensors --weights --verify \
	--remove-source
status 0
err '1 kept'
absent "gone/$checkpoints"
cp -r there before
mkdir -p "gone/$checkpoints"
for part in encoder decoder; do
	cp -p ".t/gone/$checkpoints/autoencoder.${part}_cp=latest_model.th" \
		".t/gone/$checkpoints/autoencoder.${part}_cp=latest_optim.th" \
		"gone/$checkpoints/"
done
cp -p ".t/gone/$checkpoints/autoencoder_cp=latest_trainer.th" \
	"gone/$checkpoints/"
run migrate gone there --to-format safetensors --weights --cast float16
status 5
err 'is what a run that removes sources left of it'
present "gone/$checkpoints/autoencoder.encoder_cp=latest_model.th"
run migrate gone there --to-format safetensors --weights --verify \
	--remove-source
status 0
err '1 kept'
absent "gone/$checkpoints"
diff -r -x .ferry there before >.t/diff 2>&1 ||
	fail "a part replaced the whole: $(head -n 3 .t/diff)"

cat >sized.yaml <<'END'
rules:
  - match: {size: ">500B"}
    to-format: torch
END
run migrate shards sized --recipe sized.yaml
status 0
err '1 done'
finish
