#!/bin/sh
# ferry migrate on a real Slurm: a controller and three nodes on this machine.
# Every case migrates one tree of checkpoints by jobs that ferry writes, and
# ends in the very bytes of a migration without a cluster: outputs and sidecars.
#
#	FERRY=.../ferry tests/slurm/run.sh
#
# Ends in "N passed, N failed".  Exit 77 where Slurm is not installed.
here=$(cd "$(dirname "$0")" && pwd)
for each in slurmctld slurmd munged sbatch; do
	command -v $each >/dev/null && continue
	echo "SKIPPED: there is no $each: migration on Slurm was NOT tested" \
		"(Debian: slurm-wlm munge)"
	exit 77
done
: "${FERRY:?names the command}"
LC_ALL=C
export LC_ALL
. "$here/cluster.sh"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/ferry-slurm.XXXXXX") || exit 99
trap 'cluster_stop; cd /; rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM HUP
cd "$scratch" || exit 99
chmod 711 "$scratch"
passed=0
failed=0
shards=6
files=${SLURM_TEST_FILES:-48}
nbytes=${SLURM_TEST_BYTES:-8000000}

pass()
{
	passed=$((passed + 1))
	echo "ok: $*"
}

fail()
{
	failed=$((failed + 1))
	echo "FAILED: $*"
	squeue -a 2>/dev/null
	for each in "$cluster/jobcomp.txt" "$scratch"/*.log; do
		[ -f "$each" ] && echo "== $each" && tail -n 12 "$each"
	done
	tail -n 15 "$cluster/slurmctld.log"
}

expect()
{
	what=$1
	shift
	if "$@"; then pass "$what"; else fail "$what"; fi
}

octal()
{
	printf '\\%03o' "$1"
}

# checkpoint FILE BYTES: a safetensors file of random float32
checkpoint()
{
	n=$(($2 / 4))
	head="{\"w\":{\"dtype\":\"F32\",\"shape\":[$n],\"data_offsets\":[0,$((4 * n))]}}"
	len=${#head}
	{
		printf "$(octal $((len % 256)))$(octal $((len / 256)))\0\0\0\0\0\0"
		printf %s "$head"
		head -c $((4 * n)) /dev/urandom
	} >"$1"
}

tree()
{
	mkdir -p old/a old/b
	i=0
	while [ $i -lt "$files" ]; do
		d=a
		[ $((i % 2)) = 0 ] || d=b
		checkpoint "old/$d/model-$i.safetensors" $((nbytes + i * 4096))
		i=$((i + 1))
	done
	echo 'no checkpoint' >old/notes.txt
}

# digests DIR: of everything but journals
digests()
{
	(cd "$1" && find . -name .ferry -prune -o -type f -print | sort |
		xargs -d '\n' sha256sum)
}

same()
{
	digests "$1" >"$1.digests"
	cmp -s one.digests "$1.digests" || {
		diff one.digests "$1.digests" | head -n 10
		return 1
	}
}

# value KEY < JSON: of the report, one key to a line
value()
{
	sed -n 's/^ *"'"$1"'": "\{0,1\}\([^",]*\)"\{0,1\},\{0,1\}$/\1/p'
}

# begin NAME [OPTION...]: freeze, write and submit; sets job and verify_job
begin()
{
	name=$1
	shift
	"$FERRY" migrate old "$name" --to-format torch -o "$name.jsonl" \
		--shards $shards --slurm --submit --json \
		-j 2 "$@" >"$name.json" || return 1
	job=$(value job <"$name.json")
	verify_job=$(value verify_job <"$name.json")
	[ -n "$job" ] && [ -n "$verify_job" ]
}

state()
{
	squeue -a -h -r -j "$1" -o %T 2>/dev/null
}

running()
{
	state "$job" | grep -q RUNNING
}

# Slurm holds what it requeued for two minutes, which a test need not wait.
hurry()
{
	squeue -a -h -r -t PENDING -o '%i %E' 2>/dev/null |
		while read -r id after; do
			case $after in
			*after*) ;;
			*) scontrol update JobId="$id" StartTime=now \
				2>/dev/null ;;
			esac
		done
}

over()
{
	hurry
	[ -z "$(squeue -a -h -t PENDING,RUNNING,COMPLETING,SUSPENDED \
		-o %i 2>/dev/null)" ]
}

# outcome ID: the state jobcomp tells of a job, for the last time it ended
outcome()
{
	grep "^JobId=$1 " "$cluster/jobcomp.txt" |
		sed -n 's/.* JobState=\([A-Z_]*\) .*/\1/p' | tail -n 1
}

complete()
{
	until_true 240 over || return 1
	[ "$(outcome "$verify_job")" = COMPLETED ] || {
		echo "the verification: $(outcome "$verify_job")"
		return 1
	}
}

restarts()
{
	scontrol show job "$1" 2>/dev/null |
		sed -n 's/.*Restarts=\([0-9]*\).*/\1/p' |
		awk '{ n += $1 } END { print n + 0 }'
}

all_done()
{
	begin all && complete && same all
}

# The journals of all parts, as one report.
merged()
{
	"$FERRY" migrate --status all --json >all.status || return 1
	n=$(find all/.ferry -name 'journal-*.jsonl' | wc -l)
	[ "$n" -ge $((shards + 1)) ] &&
		grep -q "model-$((files - 1))" all.status
}

node_down()
{
	begin node || return 1
	until_true 20 running || return 1
	node=$(squeue -h -r -j "$job" -t RUNNING -o %N | head -n 1)
	scontrol update NodeName="$node" State=DOWN Reason=test
	sleep 1
	scontrol update NodeName="$node" State=RESUME
	until_true 20 requeued || return 1
	complete && same node
}

requeued()
{
	[ "$(restarts "$job")" -ge 1 ]
}

# A controller writes its state some seconds after a change and forgets what it
# had not written, so the parts wait for that; they work while it is away.
controller_killed()
{
	cat >slow <<END
#!/bin/sh
case "\$*" in
*--shard*) until [ -e "$scratch/go" ]; do sleep 0.1; done ;;
esac
exec "$FERRY" "\$@"
END
	chmod +x slow
	begin controller --ferry="$scratch/slow" || return 1
	until_true 20 running || return 1
	sleep 8
	controller_kill
	touch go
	sleep 1
	[ -n "$(find controller -name 'model-*')" ] || return 1
	controller_start || return 1
	until_true 20 scontrol ping >/dev/null || return 1
	complete && same controller
}

n_failed()
{
	grep -c 'JobState=FAILED' "$cluster/jobcomp.txt"
}

# A source that is away when its part runs.
failed_alone()
{
	gone=old/a/model-0.safetensors
	"$FERRY" migrate old alone --to-format torch -o alone.jsonl \
		--shards $shards --slurm -j 2 >/dev/null || return 1
	index=$(grep "a/model-0[.]" alone.jsonl |
		sed 's/.*"shard": *\([0-9]*\).*/\1/')
	mv "$gone" away
	before=$(n_failed)
	job=$(sbatch --parsable alone.sbatch)
	until_true 120 over || return 1
	mv away "$gone"
	[ "$(find alone -name 'model-*.pt' | wc -l)" = $((files - 1)) ] ||
		return 1
	[ "$(n_failed)" = $((before + 1)) ] || return 1
	job=$(sbatch --parsable --array="$index" alone.sbatch)
	until_true 120 over || return 1
	verify_job=$(sbatch --parsable alone-verify.sbatch)
	complete && same alone
}

# Terminated, as on preemption and before a time limit: the item at hand is
# finished, and the part put back.  One worker, for it to last.
terminated()
{
	shards=1
	begin "$1" -j 1 || return 1
	shards=6
	until_true 20 running || return 1
	part=$(squeue -h -r -j "$job" -t RUNNING -o %i | head -n 1)
	until_true 20 at_work "$1" || return 1
	scancel --signal=TERM --batch "$part"
	until_true 20 requeued || return 1
	complete && same "$1" &&
		grep -q "items* left: run it again" "$1".slurm-*.log
}

at_work()
{
	[ -n "$(find "$1" -name 'model-*.ferry.json' 2>/dev/null)" ]
}

# A site where the status alone puts a part back.
terminated_by_status()
{
	echo RequeueExit=75 >>"$SLURM_CONF"
	scontrol reconfigure && terminated status
}

cluster=$scratch/cluster
tree
"$FERRY" migrate old one --to-format torch -q || {
	echo "FAILED: a migration without a cluster"
	exit 1
}
digests one >one.digests
start=$(date +%s%N)
cluster_start "$cluster" || {
	fail "the cluster starts"
	exit 1
}
echo "cluster of 3 nodes up in $((($(date +%s%N) - start) / 1000000)) ms:" \
	"$(slurmctld -V), $files checkpoints of $nbytes bytes, $shards parts"
expect "all parts and the verification done, same bytes" all_done
expect "the status of all parts is merged" merged
expect "a node taken down: its parts are requeued, same bytes" node_down
expect "the controller killed and restarted, same bytes" controller_killed
expect "failed parts submitted again alone, same bytes" failed_alone
expect "a terminated part asks to come back, same bytes" terminated asks
expect "a terminated part is put back by its status, same bytes" \
	terminated_by_status
echo "$passed passed, $failed failed"
[ $failed = 0 ]
