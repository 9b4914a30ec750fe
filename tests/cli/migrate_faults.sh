#!/bin/sh
# Migrations that are killed, run out of room, or have their sources change
# under them: what was done stays done, what was not is made by the next run,
# and the result is that of a run that nothing happened to.
#
# FAULT_KILLS is how often it is killed (20), FAULT_ROOM how many sizes of a
# full disk are tried (5), FAULT_WRITES how many limits of file size (10).
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

kills=${FAULT_KILLS:-20}
rooms=${FAULT_ROOM:-5}
limits=${FAULT_WRITES:-10}

mkdir -p src/a src/b
i=0
while [ $i -lt 40 ]; do
	n=$((4000 + 1000 * i))
	safetensors src/a/$i.safetensors "{\"w\":{\"dtype\":\"F32\",\"shape\":[$n],\"data_offsets\":[0,$((4 * n))]}}" $((4 * n))
	i=$((i + 1))
done
n=3000000
safetensors src/b/big.safetensors "{\"w\":{\"dtype\":\"F32\",\"shape\":[$n],\"data_offsets\":[0,$((4 * n))]}}" $((4 * n))
convert='--to-format torch --cast bfloat16'

run migrate src whole $convert
status 0
err '41 done'

# Outputs and sidecars alone: work in progress and journals are the ledger's.
same()
{
	diff -r -x .ferry whole "$1" >.t/diff 2>&1 ||
		fail "$2: $(head -n 3 .t/diff)"
}

# Under a final name there is a whole file or none.
whole_or_none()
{
	(cd "$1" 2>/dev/null && find . -name .ferry -prune -o -type f -print) |
	while read -r file; do
		cmp -s "$1/$file" "whole/$file" || echo "$file"
	done >.t/half
	[ ! -s .t/half ] || fail "$2: half written: $(head -n 3 .t/half)"
}

# What had its sidecar keeps its inode: it was not made again.
done_files()
{
	(cd "$1" 2>/dev/null && find . -name '*.ferry.json' | sort |
	 while read -r file; do
		echo "$file $(stat -c %i "${file%.ferry.json}")"
	 done)
}

# ---- killed at any moment ---------------------------------------------------
killed=0 found=0 redone=0
begun=$(date +%s%N)
run migrate src timed $convert
took=$((($(date +%s%N) - begun) / 1000000))
i=0
while [ $i -lt "$kills" ]; do
	rm -rf cut
	wait=$((took * (i + 1) / (kills + 1)))
	last="migrate, kill -9 after $wait ms"
	"$FERRY" migrate -q src cut $convert >"$out" 2>"$err" &
	pid=$!
	sleep "$(printf '%d.%03d' $((wait / 1000)) $((wait % 1000)))"
	kill -9 $pid 2>/dev/null && killed=$((killed + 1))
	wait $pid 2>/dev/null
	sleep 0.05
	whole_or_none cut "killed after $wait ms"
	done_files cut >.t/before
	found=$((found + $(wc -l <.t/before)))
	run migrate src cut $convert
	status 0
	done_files cut >.t/after
	n=$(comm -23 .t/before .t/after 2>/dev/null | wc -l)
	redone=$((redone + n))
	[ "$n" -eq 0 ] || fail "$n files were made again"
	same cut "killed after $wait ms and run again"
	ls cut/.ferry | grep -q '^work-' && fail 'a work directory was left'
	i=$((i + 1))
done

# ---- stopped by signals -----------------------------------------------------
for signal in TERM INT; do
	rm -rf cut
	last="migrate, SIG$signal"
	python=$(command -v python3) || break
	# A shell starts its background jobs with SIGINT ignored.
	"$python" -c '
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$FERRY" migrate src cut $convert \
		-j 1 >"$out" 2>"$err" &
	pid=$!
	n=0
	while [ $n -lt 1000 ] && [ ! -d cut/.ferry ]; do
		sleep 0.005
		n=$((n + 1))
	done
	kill -$signal $pid
	wait $pid
	got=$?
	case $signal$got in
	TERM75|INT130) err 'run it again to go on' ;;
	*0) ;;			# it was done already
	*) fail "the status of SIG$signal is $got" ;;
	esac
	whole_or_none cut "SIG$signal"
	run migrate src cut $convert
	status 0
	same cut "SIG$signal and run again"
done

# ---- no room ----------------------------------------------------------------
# A limit on the size of files stands for errors of writing.
i=0
failed_writes=0
while [ $i -lt "$limits" ]; do
	rm -rf cut
	last="migrate under ulimit -f $((16 + 16 * i))"
	(
		ulimit -f $((16 + 16 * i))
		exec "$FERRY" migrate -q src cut $convert
	) >"$out" 2>"$err"
	got=$?
	[ $got -eq 5 ] || [ $got -eq 1 ] || fail 'status 5 was expected'
	whole_or_none cut "ulimit -f $((16 + 16 * i))"
	failed_writes=$((failed_writes + $(grep -c 'failed: ' "$err")))
	run migrate src cut $convert
	status 0
	same cut "ulimit -f $((16 + 16 * i)) and run again"
	i=$((i + 1))
done

full=0
if [ "$(id -u)" -eq 0 ]; then
	mkdir small
	i=0
	while [ $i -lt "$rooms" ]; do
		mount -t tmpfs -o size=$((2048 + 512 * i))k tmpfs small \
			2>/dev/null || break
		run migrate src small/dst $convert --no-sync
		if [ "$got" -ne 0 ]; then
			full=$((full + 1))
			status 5
			err 'run it again'
		fi
		whole_or_none small/dst 'a full disk'
		mount -o remount,size=64m small
		run migrate src small/dst $convert
		status 0
		diff -r -x .ferry whole small/dst >.t/diff 2>&1 ||
			fail "a full disk and run again: $(head -n 3 .t/diff)"
		umount small
		i=$((i + 1))
	done
fi

# ---- a source that changes while it is read -----------------------------------
i=0
changed=0
while [ $i -lt 10 ] && [ $changed -eq 0 ]; do
	rm -rf moving cut
	mkdir moving
	cp src/b/big.safetensors moving/
	last='migrate a file that is cut while it is read'
	"$FERRY" migrate moving cut $convert --max-memory=1MiB >"$out" \
		2>"$err" &
	pid=$!
	n=0
	while [ $n -lt 1000 ] && ! ls cut/.ferry/work-*/0/.*tmp >.t/ls 2>&1; do
		n=$((n + 1))
	done
	truncate -s 5000000 moving/big.safetensors
	wait $pid
	got=$?
	[ $got -eq 5 ] && changed=1
	[ $got -eq 0 ] || absent cut/big.pt
	i=$((i + 1))
done
[ $changed -eq 1 ] && err 'failed: moving/big.safetensors: '

# ---- twins --------------------------------------------------------------------
rm -rf cut
"$FERRY" migrate -q src cut $convert &
one=$!
"$FERRY" migrate -q src cut $convert &
two=$!
wait $one || fail "the first twin's status is $?"
wait $two || fail "the second twin's status is $?"
same cut 'twins'

echo "killed $killed of $kills times ($found outputs stood, $redone redone)," \
	"$limits limits ($failed_writes failures), $full full disks," \
	"$changed changed source"
finish
