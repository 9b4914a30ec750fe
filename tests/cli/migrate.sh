#!/bin/sh
# Many checkpoints: what is found, what becomes of it, and what is told of it.
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

torch=$FERRY_CORPUS/torch
run types --json
grep -q state-dict "$out" || skip 'no plugin knows state dicts'

# tree DIR: some of what a team has.
tree()
{
	mkdir -p "$1/run/deep"
	pair "$1/one.safetensors"
	pair "$1/run/two.safetensors"
	pair "$1/run/deep/three.safetensors"
	echo 'a line' >"$1/run/notes.txt"
}

# The state of an item of the last --json by its source.
state()
{
	python=$(command -v python3) || skip 'no python3 to look into JSON'
	found=$("$python" -c '
import json, sys
for i in json.load(open(sys.argv[1]))["items"]:
    if i["source"] == sys.argv[2]:
        print(i["state"])' "$out" "$1")
	[ "$found" = "$2" ] || fail "$1 is $found, not $2"
}

same_trees()
{
	diff -r -x .ferry "$1" "$2" >.t/diff 2>&1 ||
		fail "$1 and $2 differ: $(head -n 3 .t/diff)"
}

# ---- a survey writes nothing -------------------------------------------------
tree old
run migrate old new --to-format torch --dry-run
status 0
out '3 planned, 1 skipped'
out 'new/run/deep/three.pt'
absent new
run migrate old new --to-format torch --dry-run --json
json
json_is totals/states/planned 3
state old/run/two.safetensors planned
state old/run/notes.txt skipped
absent new

# ---- a run, and another ------------------------------------------------------
run migrate old new --to-format torch
status 0
err '3 done, 1 skipped'
present new/one.pt new/run/two.pt new/run/deep/three.pt \
	new/one.pt.ferry.json
absent new/run/notes.txt
run verify new/one.pt --against old/one.safetensors
status 0
run migrate old new --to-format torch
status 0
err '3 kept, 1 skipped'
ls new/.ferry | grep -q '^work-' && fail 'a work directory was left'
run migrate --status new
status 0
out '3 kept, 1 skipped'
out '2 attempts: 0 running, 0 ended without a word'
run migrate --status new --json
json
json_is totals/states/kept 3

# What is missing, changed or damaged is made again, and nothing else.
cp -r new first
rm new/one.pt
run migrate old new --to-format torch
err '1 done, 2 kept'
printf x >>new/run/two.pt
run migrate old new --to-format torch
err '1 done, 2 kept'
rm new/one.pt.ferry.json
run migrate old new --to-format torch
err '1 done, 2 kept'
same_trees new first
touch -d '2001-01-01' old/one.safetensors
run migrate old new --to-format torch
err '1 done, 2 kept'
run migrate old new --to-format torch --digest=crc32 --set compact=yes
err '3 done'
echo '{"torn' >new/one.pt.ferry.json
run migrate old new --to-format torch --digest=crc32 --set compact=yes
err '1 done, 2 kept'

# The same bytes for any number of workers and any order.
for j in 1 2 5; do
	run migrate old j$j --to-format torch -j $j
	status 0
done
same_trees j1 j2
same_trees j1 j5

# ---- what is in the way ------------------------------------------------------
mkdir taken
echo mine >taken/one.pt
run migrate old taken --to-format torch
status 5
err 'one.safetensors: taken/one.pt: exists already'
[ "$(cat taken/one.pt)" = mine ] || fail 'a file was replaced'
run migrate old taken --to-format torch --overwrite
status 0
run migrate old old --to-format torch
status 2
err 'is source and destination; --in-place'
run migrate old old/new --to-format torch
status 0
run migrate old old/new --to-format torch
status 0
err '3 kept, 1 skipped'
err 'note: old/new is where the outputs go'
rm -r old/new

# Two sources of one output: neither is written.
mkdir twice
pair twice/a.safetensors
cp twice/a.safetensors twice/a.weights
run migrate twice twiced --to-format torch
status 5
err 'twice/a.weights: its output would be that of twice/a.safetensors, too'
err 'twice/a.safetensors: its output would be that of twice/a.weights, too'
absent twiced/a.pt
run migrate twice twiced --to-format torch --name '{dir}/{name}.pt'
status 0
present twiced/a.weights.pt twiced/a.safetensors.pt
run migrate twice twiced --to-format torch --name '../{name}'
status 5
err 'does not lie below the destination'
run migrate twice twiced --to-format torch --name '{what}'
status 2
err 'no field {what}'

# ---- old, broken, strange: migrate_strange.sh has what is told of each --------
mkdir odd
pair odd/whole.safetensors
: >odd/empty.safetensors
head -c 60 odd/whole.safetensors >odd/cut.safetensors
echo '<!DOCTYPE html><html>' >odd/page.pt
: >odd/empty.log
pair "odd/two
lines.safetensors"
pair "odd/$(printf 'not\377utf8').safetensors"
pair odd/.one.safetensors.1.2.ferry-tmp
ln -s loop odd/loop
ln -s nowhere odd/dangling
ln -s . odd/self
ln -s whole.safetensors odd/link.safetensors
mkfifo odd/pipe.pt
run migrate odd odder --to-format torch
status 5
err '4 done, 1 skipped, 3 failed'
run migrate odd odder --to-format torch
err '4 kept'
run migrate --status odder
status 5
out 'failed: odd/page.pt: '
run verify odder --ledger
status 0

# Configurations and logs are skipped or copied, whatever they look like; a
# broken one is no broken checkpoint.
mkdir others
printf '{"step": 1}\n{"step": 2}\n' >others/metrics.jsonl
printf '{"model_type": "x"}' >others/config.json
printf 'a: !!python/object:gone.Config {x: 1}\n' >others/hparams.yaml
printf '{"lr": 1, // so far\n}' >others/settings.json
printf 'epoch 1\n' >others/log.txt
pair others/one.safetensors
for what in '--to-format torch' --upgrade '--to state-dict'; do
	rm -rf othered
	run migrate others othered $what
	status 0
	err '1 done, 5 skipped'
	rm -rf othered
	run migrate others othered $what --copy-others
	status 0
	err '1 done, 5 copied'
	for file in metrics.jsonl config.json hparams.yaml settings.json \
		log.txt; do
		cmp -s others/$file othered/$file ||
			fail "$what: $file was not copied"
	done
done
run migrate --in-place others --upgrade
status 0
absent others/config.json.ferry-backup others/log.txt.ferry-backup

# A pickle that a class of somebody's made is data like any.
if [ -e "$torch" ] && [ -d "$torch" ]; then
	mkdir pickles
	find "$torch" -name '*.pt' -size -100k -exec cp {} pickles \;
	run migrate pickles current --upgrade
	[ "$got" -eq 0 ] || [ "$got" -eq 5 ] || fail 'status 0 or 5 was expected'
	err ' done'
	run migrate pickles current --upgrade
	no_err ' done'
fi

# Losses are failures that say which option allows them.
run convert old/one.safetensors half.npz --cast float16
mkdir lossy
printf '{"a": 1}' >lossy/a.json
pair lossy/b.safetensors
run migrate lossy lost --to-format npz --copy-others
status 0
cmp -s lossy/a.json lost/a.json || fail 'a.json was not copied'
present lost/a.json.ferry.json

# ---- in place ------------------------------------------------------------------
tree here
cp here/one.safetensors .t/one
run migrate --in-place here --to-format safetensors --cast float16 --verify
status 0
err '3 done'
present here/one.safetensors.ferry-backup
cmp -s here/one.safetensors.ferry-backup .t/one || fail 'the backup is another'
cmp -s here/one.safetensors .t/one && fail 'nothing was done in place'
run migrate --in-place here --to-format safetensors --cast float16 --verify
err '3 kept'
cp here/one.safetensors .t/half
run migrate --in-place here --to-format safetensors --cast bfloat16
err '3 done'
cmp -s here/one.safetensors.ferry-backup .t/one || fail 'the backup was replaced'
cmp -s here/one.safetensors.ferry-backup.1 .t/half ||
	fail 'there is no second backup'

# A link to what is replaced leads to what took its place.
mkdir linked
pair linked/m.safetensors
ln -s m.safetensors linked/a.safetensors
ln -s m.safetensors linked/z.safetensors
run migrate --in-place linked --to-format safetensors --add-prefix a.
status 0
err '1 done, 2 skipped'
[ -L linked/a.safetensors ] && [ -L linked/z.safetensors ] ||
	fail 'a link was replaced'
cmp -s linked/z.safetensors linked/m.safetensors || fail 'a link is astray'

# Nobody may read an output who may not read its source; in place it is whose
# it was.
mkdir -p private/set
pair private/m.safetensors
echo secret >private/token.txt
run convert private/m.safetensors private/set/m.safetensors --shard-size 50B
chmod 600 private/*.* private/set/*
[ "$(id -u)" -ne 0 ] || chown 12:34 private/*.* private/set/*
run migrate private public --to-format torch --copy-others
status 0
[ "$(stat -c %a public/*.pt public/set/*.pt public/token.txt | sort -u)" = 600 ] ||
	fail "more may read outputs: $(stat -c '%a %n' public/*)"
was=$(stat -c '%a %u %g' private/m.safetensors)
run migrate --in-place private --to-format safetensors --add-prefix a. \
	--shard-size 1GB
status 0
[ "$(stat -c '%a %u %g' private/m.safetensors private/set/*.safetensors \
	private/set/*.index.json | sort -u)" = "$was" ] ||
	fail "in place, outputs are of others: $(stat -c '%a %u %g %n' \
		private/*.safetensors private/set/*)"

tree gone
run migrate gone there --to-format torch --remove-source
status 2
err '--remove-source needs --verify'
run migrate gone there --to-format torch --verify --remove-source --no-sync
status 2
err 'give it without --no-sync'
present gone/one.safetensors
run migrate gone there --to-format torch --verify --remove-source
status 0
absent gone/one.safetensors gone/run/deep/three.safetensors
present gone/run/notes.txt there/one.pt
run migrate gone there --to-format torch --verify --remove-source
status 0

# A source that is its own output by another path stays.
mkdir -p self/sub alias
pair self/sub/m.safetensors
ln -s ../self/sub alias/sub
cp self/sub/m.safetensors .t/self
run migrate self alias --to-format safetensors --cast float16 --verify \
	--remove-source --overwrite
status 5
err 'is the source itself, by another path'
cmp -s self/sub/m.safetensors .t/self || fail 'the source was replaced'
run migrate self/sub/m.safetensors self/./sub --to-format safetensors \
	--verify --remove-source --overwrite
status 5
cmp -s self/sub/m.safetensors .t/self || fail 'the source is gone'

# An output that was damaged since, where no size or end tells, is made again
# before its source goes.
mkdir rot
safetensors rot/m.safetensors '{"w":{"dtype":"F32","shape":[9000],"data_offsets":[0,36000]}}' 36000
run migrate rot rotten --to-format torch --verify
cp rotten/m.pt .t/m.pt
printf rot | dd of=rotten/m.pt bs=1 seek=18000 conv=notrunc 2>.t/dd
run migrate rot rotten --to-format torch --verify --remove-source
status 0
err '1 done'
absent rot/m.safetensors
cmp -s rotten/m.pt .t/m.pt || fail 'a damaged output is all that is left'

# A sidecar that is that of another output gives leave to nothing.
mkdir copied
pair copied/x.safetensors
pair copied/y.safetensors
run migrate copied copies --to-format safetensors
cp copies/x.safetensors.ferry.json copies/y.safetensors.ferry.json
run migrate copied copies --to-format safetensors
status 0
present copies/x.safetensors
echo precious >copies/y.safetensors
cp copies/x.safetensors.ferry.json copies/y.safetensors.ferry.json
run migrate copied copies --to-format safetensors
status 5
err 'y.safetensors: exists already'
grep -q precious copies/y.safetensors || fail 'y.safetensors was replaced'

# ---- recipes -------------------------------------------------------------------
cat >recipe.yaml <<'END'
rules:
  - name: deep
    match: {path: "*/deep/*", size: [">1B", "<1MB"]}
    to-format: npz
    output: "flat/{stem}{ending}"
  - name: not two
    match: {regex: "two"}
    do: skip
  - match: {format: [safetensors, torch]}
    to-format: torch
    edits:
      - rename: "^a\\.=>b."
END
rm -r old/.ferry 2>/dev/null
run migrate old cooked --recipe recipe.yaml
status 0
err '2 done, 2 skipped'
present cooked/flat/three.npz cooked/one.pt
run inspect cooked/one.pt --tensors
out b.weight
for name in to-safetensors weights-only upgrade drop-optimizer; do
	run migrate old shipped-$name --recipe $name
	status 0
done
bad()
{
	printf 'rules:\n  - %s\n' "$1" >bad.yaml
	run migrate old never --recipe bad.yaml
	[ "$got" -ne 0 ] || fail 'a bad recipe was taken'
	err "$2"
}
bad '{nonsense: 1}' "'nonsense' is no key of a rule"
bad '{strip-prefix: module.}' "'strip-prefix' stands in the list of a rule's"
bad '{match: {colour: red}}' "'colour' is nothing to match by"
bad '{match: {size: 5}}' "'size' is to be a bound"
bad '{do: dance}' "'do' is to be convert, copy or skip"
bad '{edits: [{drop: x, keep: y}]}' 'mappings of one key each'
# Aliases: inside of what they name, and given again without end.
bad '&a {set: {x: *a}}' "'*a' stands in what it names"
{
	echo 'rules:'
	echo '- &a0 {name: xxxxxxxxxxxxxxxxxxxx}'
	for n in 1 2 3 4 5 6 7 8; do
		m=$((n - 1))
		echo "- &a$n {with: [*a$m,*a$m,*a$m,*a$m,*a$m,*a$m,*a$m,*a$m,*a$m,*a$m]}"
	done
} >bad.yaml
run migrate old never --recipe bad.yaml
status 1
err 'more than 16777216 bytes are given again by aliases'
run migrate old never --recipe nosuch
status 1
absent never

# ---- manifests and shards ------------------------------------------------------
run migrate old parts --to-format torch --plan-only -o work.jsonl --shards 2
status 0
absent parts
err '3 planned, 1 skipped; frozen in work.jsonl'
run migrate odd never --to-format torch --plan-only -o odd.jsonl
status 5
err 'failed: odd/page.pt: is a web page'
err '3 failed; frozen in odd.jsonl'
head -n 1 work.jsonl | grep -q '"shards":2' || fail 'no shards in the manifest'
run migrate old parts --to-format torch --plan-only -o work.jsonl
status 1
err 'a frozen manifest is never written over'
run migrate work.jsonl --shard 0/3
status 2
err 'it was frozen for 2 shards, not 3'
run migrate work.jsonl --shard 0/2
status 0
run migrate work.jsonl --shard 1/2
status 0
same_trees parts j1
run migrate work.jsonl
err '3 kept'
run migrate --status parts
out '3 attempts'
run migrate work.jsonl --slurm --fail-fast
status 0
grep -q -- ' --max-failures=1 ' work.sbatch || fail 'the workers go on'
grep -q -- ' --max-failures=1' work-verify.sbatch || fail 'the last one goes on'
sed 's/one/uno/' work.jsonl >forged.jsonl
run migrate forged.jsonl
status 1
err 'the digest is not that of the lines before'
head -n 2 work.jsonl >cut.jsonl
run migrate cut.jsonl
status 1
err 'it was not written to its end'
run migrate old parts --to-format torch --shard 0/2
status 2
err 'a shard is a part of a frozen manifest'
printf '{"source": "old/one.safetensors", "output": "x/y.pt"}\n' >list.jsonl
run migrate list.jsonl listed --to-format torch
status 0
present listed/x/y.pt

# What the environment says; unit tests have every engine and what refuses it.
unset SLURM_ARRAY_TASK_ID SLURM_ARRAY_TASK_COUNT SLURM_ARRAY_TASK_MIN \
	SLURM_ARRAY_TASK_MAX SLURM_ARRAY_TASK_STEP SLURM_PROCID SLURM_STEP_ID \
	SLURM_STEP_NUM_TASKS SLURM_NTASKS OMPI_COMM_WORLD_RANK \
	OMPI_COMM_WORLD_SIZE PMI_RANK PMI_SIZE PMIX_RANK JOB_COMPLETION_INDEX \
	FERRY_SHARDS

# auto_refused TEXT VARIABLE=VALUE... [-- ARG...]
auto_refused()
{
	text=$1
	shift
	last="migrate work.jsonl --shard auto, with $*"
	(
		while [ $# -gt 0 ] && [ "$1" != -- ]; do
			export "$1"
			shift
		done
		[ $# -eq 0 ] || shift
		exec "$FERRY" migrate work.jsonl --shard auto "$@"
	) >"$out" 2>"$err"
	got=$?
	status 2
	[ "$(head -n 1 "$err")" = "$text" ] || fail "stderr does not begin: $text"
}

auto='ferry migrate: --shard=auto:'
auto_refused "$auto nothing in the environment tells of a shard (Slurm, Open MPI, PMI, Kubernetes): give --shard I/N"
auto_refused "$auto JOB_COMPLETION_INDEX is 1 but nothing tells of how many: give --shards N or set FERRY_SHARDS" \
	JOB_COMPLETION_INDEX=1
auto_refused "$auto this is the batch script of 6 tasks and not one of them: start it with srun, or give --shard I/N" \
	SLURM_PROCID=0 SLURM_NTASKS=6
# The first two of an array that was larger pass for an array of two, but not
# for the manifest's.
run migrate old parts4 --to-format torch --plan-only -o four.jsonl --shards 4
status 0
SLURM_ARRAY_TASK_ID=1 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_MAX=1 \
SLURM_ARRAY_TASK_STEP=1 SLURM_ARRAY_TASK_COUNT=2 \
	"$FERRY" migrate four.jsonl --shard auto >"$out" 2>"$err"
got=$?
status 2
err 'it was frozen for 4 shards, not 2'
absent parts4
JOB_COMPLETION_INDEX=1 "$FERRY" migrate work.jsonl --shard auto --shards 2 \
	>"$out" 2>"$err"
got=$?
status 0
err '1 kept'

# ---- the ledger ----------------------------------------------------------------
run verify parts --ledger
status 0
out '3 outputs'
printf X | dd of=parts/one.pt bs=1 seek=600 conv=notrunc 2>/dev/null
run verify parts --ledger
status 4
out 'violation: parts/one.pt: one.pt has other bytes than its sidecar tells'
run verify parts --ledger --json
json
json_is ok false
printf '{"event":"item","sou' >>"$(ls parts/.ferry/journal-* | head -n 1)"
run migrate --status parts
out '1 line cut by a crash'

# However deep it lies.
deep=deep/1/2/3/4/5/6/7/8/9/10/11
mkdir -p .t/$deep
pair .t/$deep/one.safetensors
run migrate .t/deep deeper --to-format torch
status 0
run verify deeper --ledger
status 0
out '1 output'
truncate -s 10 deeper/1/2/3/4/5/6/7/8/9/10/11/one.pt
run verify deeper --ledger
status 4
out 'one.pt has another size than its sidecar tells'
run verify nosuch --ledger
status 1

# ---- room ----------------------------------------------------------------------
mkdir large
safetensors large/a.safetensors '{"w":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}' 4000000000000
run migrate large larger --to-format torch --dry-run
status 0
err 'warning: larger: 4.0 TB are needed and '
err ' are free: make room first'
run migrate large larger --to-format torch
status 5
err 'warning: larger: what is to be made comes from 4.0 TB and '
err 'failed: large/a.safetensors: no space left on device: 4.0 TB are needed'
err 'the disk is full: make room and run it again'
absent larger/a.pt
rm -r large

# ---- usage ---------------------------------------------------------------------
run migrate old new
status 2
err 'nothing says what is to be done'
run migrate old not-there-yet --dry-run
status 2
err 'nothing says what is to be done'
for what in "--to-format safetensor" "--from-format safetensor" \
	"--to caiman/hardwar" "--from caiman/hardwar"; do
	run migrate old not-there-yet --upgrade $what
	status 3
	err 'is not known (did you mean'
	absent not-there-yet
done
run migrate old --to-format torch
status 2
err 'operand missing'
run migrate old new --recipe upgrade --to-format torch
status 2
run migrate old new --to-format torch --plan-only
status 2
run migrate old new --to-format torch --shard 2/2
status 2
run migrate old new --to-format torch --fail-fast --max-failures=0
status 2
run migrate odd stop --to-format torch --fail-fast
status 5
err '4 items left: mend or move away what failed, or allow more with --max-fail'
run migrate --status stop
status 5
out '4 items not reached by the last attempt: run it again to go on'
run migrate odd stop --to-format torch
run migrate --status stop
no_out 'not reached'
finish
