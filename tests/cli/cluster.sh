#!/bin/sh
# Jobs for clusters from a frozen manifest: what stands in them, and which
# manifests and options are refused.  KUBERNETES_VALIDATE names the program of
# that name, which checks against the schemas of Kubernetes.
. "$abs_top_srcdir/tests/cli/lib.sh"
version=$("$FERRY" --version | sed -n '1s/.* //p')
FERRY=$abs_top_builddir/tests/cli/jobs

# seal: what stands on stdin with the tail that its digest needs.
seal()
{
	cat >"$scratch/.t/lines"
	cat "$scratch/.t/lines"
	printf '{"end": %d, "digest": "sha256:%s"}\n' \
		$(($(wc -l <"$scratch/.t/lines") - 1)) \
		"$(sha256sum <"$scratch/.t/lines" | cut -d ' ' -f 1)"
}

# manifest SHARDS LINE...: one that is whole
manifest()
{
	shards=$1
	shift
	{
		printf '{"ferry_manifest": 1, "ferry": "%s", "output": "new dir", "roots": ["old"], "items": %d, "shards": %d}\n' \
			"$version" $# "$shards"
		for each; do
			printf '{"source": "old/a.pt", %s}\n' "$each"
		done
	} | seal
}

has()
{
	grep -qxF -e "$2" "$1" || fail "$1 has no line: $2"
}

dir="$scratch/it's 100% \$(touch pwned)"
mkdir "$dir"
manifest 3 '"action": "convert", "shard": 0, "nbytes": 900000000000' \
	'"action": "convert", "shard": 1, "nbytes": 5000000000' \
	'"action": "copy", "shard": 1, "nbytes": 10' \
	'"action": "fail", "shard": 0, "nbytes": 7' \
	'"action": "skip"' >"$dir/work.jsonl"

run --slurm --json --pass=--verify --slurm-option=--partition=cpu \
	--ferry=/opt/ferry "$dir/work.jsonl"
status 0
json
json_is shards 3
json_is items 3
json_is nbytes 905000000010
json_is digest "$(sed -n 's/.*"digest": "\([^"]*\).*/\1/p' "$dir/work.jsonl")"
json_is script "$dir/work.sbatch"
json_is job null
job=$dir/work.sbatch
has "$job" '#SBATCH --array=0-2'
has "$job" '#SBATCH --cpus-per-task=2'
has "$job" '#SBATCH --mem=640M'
has "$job" '#SBATCH --requeue'
has "$job" '#SBATCH --open-mode=append'
has "$job" '#SBATCH --signal=B:TERM@3600'
has "$job" '#SBATCH --time=1390'
has "$job" '#SBATCH --partition=cpu'
has "$job" '	--shard="$SLURM_ARRAY_TASK_ID/3"'
grep -q -- '--array' "$dir/work-verify.sbatch" &&
	fail "the verification is an array"
sh -n "$job" || fail "the job is no shell script"
sh -n "$dir/work-verify.sbatch" || fail "the verification is none either"

# The job as a shell runs it: its arguments, and its status.
cat >"$dir/show" <<'END'
#!/bin/sh
printf '[%s]' "$@"
exit "${SHOW_STATUS:-0}"
END
chmod +x "$dir/show"
run --slurm --pass=--verify --ferry="$dir/show" "$dir/work.jsonl"
status 0
SLURM_ARRAY_TASK_ID=2 SHOW_STATUS=5 sh "$job" >"$out"
[ $? = 5 ] || fail "the job's status is not its worker's"
out "[migrate][$dir/work.jsonl][--threads=2][--verify][--shard=2/3]"
SLURM_JOB_ID=1 sh "$dir/work-verify.sbatch" >"$out"
out "[migrate][$dir/work.jsonl][--threads=2][--verify][verify][--ledger][--][new dir]"
absent pwned "$dir/pwned"

# Terminated, it lets its worker end, and asks to come back if that did not.
cat >"$dir/slow" <<'END'
#!/bin/sh
trap 'echo finishing; sleep 0.3; echo finished; exit '"${SLOW_STATUS:-75}" TERM
echo begun
for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1 & wait $!; done
END
chmod +x "$dir/slow"
run --slurm --ferry="$dir/slow" "$dir/work.jsonl"
stopped()
{
	: >"$out"
	SLURM_ARRAY_TASK_ID=0 PATH=/usr/bin:/bin sh "$job" >"$out" 2>"$err" &
	pid=$!
	until grep -q begun "$out" || ! kill -0 "$pid"; do sleep 0.05; done
	kill -TERM "$pid"
	wait "$pid"
	got=$?
	out finished
}
stopped
status 75
SLOW_STATUS=0 stopped
status 0

# So it is when it is told before the worker is there, or is known to be.
early()
{
	sed "$1" "$job" >"$dir/early"
	SLURM_ARRAY_TASK_ID=0 PATH=/usr/bin:/bin sh "$dir/early" >"$out" 2>"$err"
	got=$?
	status 75
}
early '/^work /i kill -TERM $$'
[ ! -s "$out" ] || fail "a worker was begun that was to end"
early '/^	"\$@" &/a kill -TERM $$'

run --kubernetes --image=registry.example/ferry:1 --claim=ckpt:/data \
	--claim=home:/home "$dir/work.jsonl"
status 0
job=$dir/work.job.yaml
has "$job" '  completions: 3'
has "$job" '  completionMode: Indexed'
has "$job" '        - "--shard=$(FERRY_SHARD_INDEX)/3"'
has "$job" "        - \"$scratch/it's 100% \$\$(touch pwned)/work.jsonl\""
has "$job" '          claimName: "home"'
has "$job" '          mountPath: "/home"'
if [ -n "$KUBERNETES_VALIDATE" ]; then
	for each in 1.29 1.33; do
		"$KUBERNETES_VALIDATE" --strict -k $each "$job" \
			"$dir/work-verify.job.yaml" >"$out" 2>&1 ||
			fail "the schemas of Kubernetes $each refuse it"
	done
else
	echo "KUBERNETES_VALIDATE is not set: schemas were NOT checked"
fi

# Manifests that are none, or not whole.
refused()
{
	run --slurm "$2"
	status "$1"
	err "$3"
	absent w.sbatch
}
manifest 2 '"action": "convert", "shard": 1, "nbytes": 5' >good
sed 2q good >w.jsonl
refused 1 w.jsonl 'the end is missing'
: >w.jsonl
refused 1 w.jsonl 'is no frozen manifest'
sed 's/"shard": 1/"shard": 2/' good >w.jsonl
refused 1 w.jsonl "in a shard that there isn't"
sed 's/"shards": 2/"shards": 0/' good >w.jsonl
refused 1 w.jsonl 'no number of shards'
sed 's/manifest": 1/manifest": 2/' good >w.jsonl
refused 3 w.jsonl 'has version 2'
sed 's/"end": 1/"end": 4/' good >w.jsonl
refused 1 w.jsonl 'the number of items is not that of the lines'
sed 's/, "digest.*/}/' good >w.jsonl
refused 1 w.jsonl 'ends without a digest'
cat good good >w.jsonl
refused 1 w.jsonl 'stands after the end'
sed 's/"nbytes": 5/"nbytes": 6/' good >w.jsonl
refused 1 w.jsonl 'the digest is not that of the lines before'
sed 's/"ferry": "/&0/' good >w.jsonl
refused 3 w.jsonl 'was frozen by another version of ferry'
echo '{"source": "old/a.pt"}' >w.jsonl
refused 1 w.jsonl 'is no frozen manifest'
head -c 3000 /dev/urandom >w.jsonl
refused 1 w.jsonl 'no JSON object'
refused 1 nowhere 'No such file'
run --submit good
status 2
run --slurm --kubernetes good
status 2
run --kubernetes --claim=a:/b good
status 2
run --kubernetes --image=i --claim=a:b good
status 2
run --slurm --slurm-option=cpu good
status 2
finish
