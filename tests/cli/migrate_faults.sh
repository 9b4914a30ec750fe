#!/bin/sh
# Migrations that are killed, run out of room, or have their sources change
# under them: what was done stays done, what was not is made by the next run,
# and the result is that of a run that nothing happened to.
#
# FAULT_KILLS is how often it is killed (20), FAULT_ROOM at how many writes the
# disk is full (5), FAULT_WRITES which of the first writes fail (10).
# FAULT=all does what a release is to stand: 100, 20 and 50.
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

[ "$FAULT" != all ] || : "${FAULT_KILLS:=100}" "${FAULT_ROOM:=20}" \
	"${FAULT_WRITES:=50}"
kills=${FAULT_KILLS:-20}
rooms=${FAULT_ROOM:-5}
writes=${FAULT_WRITES:-10}
faulty=$abs_top_builddir/tests/cli/.libs/faulty.so

# random N: from 0 to N - 1
random()
{
	echo $(($(od -An -N4 -tu4 /dev/urandom) % $1))
}

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

# A worker that waits for its disk is killed with its parent when that is over;
# its directory is named after it.
workers_gone()
{
	for each in cut/.ferry/work-*; do
		each=${each%-*}
		n=0
		while kill -0 "${each##*-}" 2>/dev/null && [ $n -lt 400 ]; do
			sleep 0.05
			n=$((n + 1))
		done
	done
}

# ---- killed at any moment ---------------------------------------------------
killed=0 found=0 redone=0
run migrate src timed $convert
took=$(sed -n 's/^.*, in \([0-9.]*\) s$/\1/p' "$err" |
	awk '{ printf "%d", 1000 * $1 + 1 }')
runs=0
# Some end before they are killed: those are tried again.
while [ $killed -lt "$kills" ] && [ $runs -lt $((6 * kills)) ]; do
	rm -rf cut
	wait=$(random "$took")
	last="migrate, kill -9 after $wait ms"
	"$FERRY" migrate -q src cut $convert >"$out" 2>"$err" &
	pid=$!
	n=0
	while [ $n -lt 1000 ] && [ ! -d cut/.ferry ]; do
		sleep 0.005
		n=$((n + 1))
	done
	sleep "$(printf '%d.%03d' $((wait / 1000)) $((wait % 1000)))"
	kill -9 $pid 2>/dev/null && killed=$((killed + 1))
	wait $pid 2>/dev/null
	workers_gone
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
	runs=$((runs + 1))
done
[ $killed -eq "$kills" ] || fail "killed $killed times, not $kills"

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

# While it looks at what there is: nothing was made, and it is to be run again.
mkdir many
i=0
while [ $i -lt 1000 ]; do
	ln src/a/0.safetensors many/$i.safetensors
	i=$((i + 1))
done
last='migrate, SIGTERM before anything is made'
"$FERRY" migrate many cut2 --recipe weights-only -j 1 >"$out" 2>"$err" &
pid=$!
n=0
worker=
while [ -z "$worker" ] && [ $n -lt 100000 ] && kill -0 $pid 2>/dev/null; do
	n=$((n + 1))
	# It may be a script that starts the command.
	case $(readlink /proc/$pid/exe) in
	*ferry) read -r worker </proc/$pid/task/$pid/children || : ;;
	esac
done
kill -TERM $pid
wait $pid
[ $? -eq 75 ] || fail 'status 75 was expected'
err 'to look at, before anything was made: run it again to go on'
no_err 'nothing to do'
absent cut2
rm -rf many

# ---- a disk that fails --------------------------------------------------------
# faulty AT ERRNO: the command with a disk whose write number AT fails.
counted=$scratch/.t/count
faulty()
{
	at=$1
	number=$2
	shift 2
	last="$*, write $at fails with errno $number"
	head -c 24 /dev/zero >"$counted"
	LD_PRELOAD=$faulty FAULT_COUNT=$counted FAULT_AT=$at \
		FAULT_ERRNO=$number "$FERRY" "$@" >"$out" 2>"$err"
	got=$?
}

n_writes()
{
	od -An -N4 -tu4 "$counted" | tr -d ' '
}

# Whatever failed is told, all else is done, and the next run makes the rest.
recovers()
{
	[ "$got" -eq 5 ] || [ "$got" -eq 1 ] || fail 'status 5 was expected'
	whole_or_none cut "write $1"
	done_files cut >.t/before
	run migrate src cut $convert
	status 0
	done_files cut >.t/after
	[ -z "$(comm -23 .t/before .t/after)" ] ||
		fail "after write $1 failed, done ones were made again"
	same cut "write $1 failed and run again"
}

# killed_at FROM NAME ARG...: a migration of `set`, which is like FROM, that is
# killed before each change of a name and run again, ends as one that is not.
# Meanwhile each file of FROM is under some name, or all that is made of it is.
cuts=0
puts=0
sums()
{
	(cd "$1" && find . -name .ferry -prune -o -type f -exec sha256sum {} +)
}

# still_there FROM DIR...: see above; .t/made lists what a whole run makes.
still_there()
{
	sums "$1" | cut -d ' ' -f 1 | sort -u >.t/originals
	shift
	for each; do
		[ ! -d "$each" ] || sums "$each"
	done | sort >.t/found
	cut -d ' ' -f 1 .t/found | sort -u | comm -23 .t/originals - >.t/lost
	[ ! -s .t/lost ] || [ -z "$(comm -23 .t/made .t/found)" ]
}

killed_at()
{
	from=$1
	name=$2
	shift 2
	rm -rf set there set0 there0
	cp -rp "$from" set
	faulty 0 0 migrate -q -j 1 "$@"
	status 0
	n_names=$(od -An -j8 -N4 -tu4 "$counted" | tr -d ' ')
	n_put=$(n_writes)
	mv set set0
	[ ! -e there ] || mv there there0
	for each in set0 there0; do
		[ ! -d $each ] || sums $each
	done | grep -v 'ferry\.json$\|ferry-backup$' | sort >.t/made
	n=0
	while [ $n -lt "$n_names" ]; do
		n=$((n + 1))
		rm -rf set there
		cp -rp "$from" set
		FAULT_KILL=$n faulty 0 0 migrate -q -j 1 "$@"
		cuts=$((cuts + 1))
		still_there "$from" set there ||
			fail "$name, killed before name $n: an original is gone"
		run migrate -q -j 1 "$@"
		status 0
		diff -r -x .ferry set0 set >.t/diff 2>&1 ||
			fail "$name, killed before name $n: $(head -n 3 .t/diff)"
		[ ! -e there0 ] || diff -r -x .ferry there0 there >.t/diff 2>&1 ||
			fail "$name, killed before name $n: $(head -n 3 .t/diff)"
	done
	n=0
	while [ $n -lt "$n_put" ]; do
		n=$((n + 1))
		rm -rf set there
		cp -rp "$from" set
		faulty $n 5 migrate -q -j 1 "$@"
		puts=$((puts + 1))
		run migrate -q -j 1 "$@"
		status 0
		diff -r -x .ferry set0 set >.t/diff 2>&1 ||
			fail "$name, write $n failed: $(head -n 3 .t/diff)"
	done
}

# twin_at FROM ARG...: a migration of `set` in place, which is like FROM, ends
# the same when all of a twin's comes before any change of a name.  A twin that
# waits for it is killed.
twinned=0
twin_at()
{
	from=$1
	shift
	rm -rf set set0
	cp -rp "$from" set
	twin="migrate -q -j 1 --in-place set $*"
	faulty 0 0 $twin
	status 0
	n_names=$(od -An -j8 -N4 -tu4 "$counted" | tr -d ' ')
	mv set set0
	n=0
	while [ $n -lt "$n_names" ]; do
		n=$((n + 1))
		rm -rf set
		cp -rp "$from" set
		FAULT_KILL=$n FAULT_RUN="timeout -s KILL 0.2 '$FERRY' $twin || :" \
			faulty 0 0 $twin
		twinned=$((twinned + 1))
		run $twin
		status 0
		diff -r -x .ferry set0 set >.t/diff 2>&1 ||
			fail "a twin before name $n: $(head -n 3 .t/diff)"
	done
}

err_or_out()
{
	cat "$out" "$err" | grep -qF -e "$1" || fail "nothing says: $1"
}

i=0
failed=0
full=0
total=0
faulty 0 0 migrate src preloaded $convert
[ "$got" -ne 0 ] || total=$(n_writes)
mkdir once .t/sets .t/run
pair once/m.safetensors
cp -rp once .t/once
cp -p once/m.safetensors .t/run/
run convert once/m.safetensors .t/sets/m.safetensors --shard-size 50B
if [ "$total" -ge 100 ]; then
	while [ $i -lt "$writes" ]; do
		i=$((i + 1))
		rm -rf cut
		faulty $i 5 migrate src cut $convert
		failed=$((failed + $(grep -c 'Input/output error' "$err")))
		recovers $i
	done
	i=0
	FAULT_STAYS=yes
	export FAULT_STAYS
	while [ $i -lt "$rooms" ]; do
		i=$((i + 1))
		rm -rf cut
		at=$(($(random $((total - 1))) + 1))
		faulty $at 28 migrate src cut $convert
		if grep -qi 'no space left on device' "$err"; then
			full=$((full + 1))
		else
			fail "nothing tells of the full disk"
		fi
		recovers $at
	done
	unset FAULT_STAYS
	# The outputs stand when their directory can't be synced; sources are
	# not removed then.
	rm -rf cut
	cp -r src removed
	FAULT_SYNC=yes
	export FAULT_SYNC
	faulty 0 0 migrate src cut $convert
	status 0
	err '41 done'
	err 'the output is whole, but a crash of the machine may take its name'
	same cut 'directories that can not be synced'
	faulty 0 0 migrate removed removing $convert --verify --remove-source
	status 5
	unset FAULT_SYNC
	diff -r src removed >.t/diff || fail "a source is gone: $(cat .t/diff)"
	# What a worker that died failed at and did not tell of is done again,
	# and counted once.
	mkdir dying
	for n in 1000 2000 3000 4000; do
		safetensors dying/$n.safetensors "{\"w\":{\"dtype\":\"F32\",\"shape\":[$n],\"data_offsets\":[0,$((4 * n))]}}" $((4 * n))
	done
	safetensors dying/a.safetensors '{"w":{"dtype":"F32","shape":[5000],"data_offsets":[0,20000]},"v":{"dtype":"F32","shape":[1],"data_offsets":[20000,20004]}}' 20004
	FAULT_NAME=4000.pt FAULT_RUN='kill -9 $PPID' faulty 1 0 \
		migrate dying died --to-format torch --rename '^v$=>w' \
		--max-failures 3 -j 1
	[ "$got" -eq 5 ] || fail "status 5 was expected, not $got"
	err 'died of signal 9'
	err '3 done, 2 failed'
	[ -z "$(find died/.ferry -name 'work-*')" ] ||
		fail 'the directory of a worker that died was left'
	rm -rf dying died
	# What a link leads to stays until something is made of the link.
	mkdir leading
	pair leading/m.safetensors
	ln -s m.safetensors leading/a.safetensors
	FAULT_NAME=a.pt faulty 1 5 migrate leading led --to-format torch \
		--verify --remove-source
	[ "$got" -eq 5 ] || fail "status 5 was expected, not $got"
	err "m.safetensors: is not removed, as nothing could be made of"
	err '2 failed'
	present leading/m.safetensors
	run migrate leading led --to-format torch --verify --remove-source
	status 0
	err '2 done'
	absent leading/m.safetensors
	present led/a.pt led/m.pt
	rm -rf leading led
	# A source that is written while its output waits for others to be
	# made: what was written stays.
	for what in 'held there' '--in-place held'; do
		rm -rf held there
		mkdir held
		safetensors held/a.safetensors '{"w":{"dtype":"F32","shape":[50000],"data_offsets":[0,200000]}}' 200000
		pair held/z.safetensors
		pair .t/newer
		FAULT_NAME=z.safetensors FAULT_RUN='mv .t/newer held/a.safetensors' \
			faulty 1 0 migrate -j 1 $what --to-format safetensors \
			--add-prefix a. --verify --remove-source
		[ "$got" -eq 5 ] || fail "status 5 was expected, not $got"
		err_or_out 'run again when nothing writes to it'
		err_or_out '1 done, 1 failed'
		pair .t/newer
		cmp -s .t/newer held/a.safetensors ||
			fail 'what was written is gone'
		run migrate $what --to-format safetensors --add-prefix a. \
			--verify --remove-source
		status 0
		err '1 done'
	done
	# In place, what a twin made meanwhile is no original.
	rm -rf held there
	mkdir held
	safetensors held/a.safetensors '{"w":{"dtype":"F32","shape":[50000],"data_offsets":[0,200000]}}' 200000
	pair held/z.safetensors
	cp -rp held .t/held
	twin='migrate -q -j 1 --in-place held --to-format safetensors --add-prefix a.'
	FAULT_NAME=z.safetensors FAULT_RUN="'$FERRY' $twin" faulty 1 0 $twin
	status 0
	mv held twinned
	cp -rp .t/held held
	run $twin
	status 0
	diff -r -x .ferry held twinned >.t/diff 2>&1 ||
		fail "twins in place: $(head -n 3 .t/diff)"
	rm -rf held twinned
	# What a twin made and removed meanwhile is done.
	cp -rp .t/held held
	twin='migrate -q -j 1 held there --to-format torch --verify --remove-source'
	FAULT_NAME=z.pt FAULT_RUN="'$FERRY' $twin" faulty 1 0 $twin
	status 0
	absent held/a.safetensors held/z.safetensors
	present there/a.pt there/z.pt
	run verify there --ledger
	status 0
	rm -rf held there
	in_place='--to-format safetensors --add-prefix a.'
	for what in "run $in_place" "run $in_place --shard-size 50B" \
		"run $in_place --verify --remove-source" \
		"sets $in_place --shard-size 50B" \
		"sets $in_place --shard-size 1GB" \
		"sets --to-format torch --verify"; do
		twin_at .t/$what
	done
	# In place, nothing is done twice: whatever a run leaves, the next ends
	# with what one would have made.
	twice='--to-format safetensors --add-prefix a. --verify'
	faulty 0 0 migrate -j 1 --in-place once $twice
	status 0
	changes=$(n_writes)
	i=0
	while [ $i -lt "$changes" ]; do
		i=$((i + 1))
		rm -rf again
		cp -rp .t/once again
		faulty $i 5 migrate -j 1 --in-place again $twice
		run migrate --in-place again $twice
		status 0
		diff -r -x .ferry once again >.t/diff 2>&1 ||
			fail "in place, after write $i failed: $(head -n 3 .t/diff)"
	done
	# Killed before each name that a set gets or loses in place, with and
	# without backups, into fewer and more files.
	again='--to-format safetensors --add-prefix a. --verify'
	for what in "sets $again --shard-size 50B" \
		"sets $again --shard-size 1GB" \
		"sets $again --shard-size 50B --remove-source" \
		"sets $again --shard-size 1GB --remove-source" \
		"run $again --shard-size 50B" \
		"run $again --shard-size 50B --remove-source"; do
		from=.t/${what%% *}
		killed_at "$from" 'in place' --in-place set ${what#* }
	done
	killed_at .t/sets removed set there $again --remove-source
	killed_at .t/sets 'removed in place' --in-place set --to-format torch \
		--verify --remove-source
	killed_at .t/run 'one removed in place' --in-place set \
		--to-format torch --verify --remove-source
	rm -rf there there0
	# What is half replaced is nothing to make something of: not elsewhere,
	# nor in a run that writes nothing.
	rm -rf set elsewhere
	cp -rp .t/sets set
	n=0
	while [ $n -lt 100 ]; do
		[ ! -e set/m.safetensors.index.json.ferry-moving ] ||
			[ set/m-00001-of-00002.safetensors -ef \
			  set/m-00001-of-00002.safetensors.ferry-backup ] ||
			break
		n=$((n + 1))
		rm -rf set
		cp -rp .t/sets set
		FAULT_KILL=$n faulty 0 0 migrate -q -j 1 --in-place set $again \
			--shard-size 50B
	done
	rm -rf set/.ferry
	cp -rp set .t/half-set
	for what in "set elsewhere --to-format torch" \
		"--in-place set $again --shard-size 50B --dry-run"; do
		run migrate $what
		status 5
		err_or_out 'is partly replaced by a run in place that was stopped'
		diff -r set .t/half-set >.t/diff 2>&1 || fail "$(cat .t/diff)"
	done
	[ -z "$(find elsewhere -name '*.pt' 2>.t/find)" ] ||
		fail 'something was made of it'
	run verify set --ledger
	status 4
	out 'tells of a set that a run in place was stopped at'
	# Without its backup it is left as it is.
	rm set/m-00001-of-00002.safetensors.ferry-backup
	run migrate --in-place set $again --shard-size 50B
	status 5
	err "the original of 'm-00001-of-00002.safetensors' is neither there"
	present set/m-00002-of-00002.safetensors.ferry-backup
else
	echo "no disk that fails: $faulty can't be preloaded"
fi

# A real one that is full.
if [ "$(id -u)" -eq 0 ]; then
	mkdir small
	for size in 2048 4096; do
		mount -t tmpfs -o size=${size}k tmpfs small 2>/dev/null || break
		run migrate src small/dst $convert --no-sync
		status 5
		err 'run it again'
		whole_or_none small/dst 'a full disk'
		mount -o remount,size=64m small
		run migrate src small/dst $convert
		status 0
		diff -r -x .ferry whole small/dst >.t/diff 2>&1 ||
			fail "a full disk and run again: $(head -n 3 .t/diff)"
		umount small
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
# In place, two of a set: one waits for the other or finds it done; a twin may
# fail where the other replaced what it reads.
rm -rf set set0
cp -rp .t/sets set
twins='--in-place set --to-format safetensors --add-prefix a. --shard-size 50B'
run migrate -q $twins
mv set set0
i=0
while [ $i -lt 10 ]; do
	i=$((i + 1))
	rm -rf set
	cp -rp .t/sets set
	"$FERRY" migrate -q $twins 2>.t/twin &
	one=$!
	"$FERRY" migrate -q $twins 2>.t/other
	wait $one
	run migrate $twins
	status 0
	diff -r -x .ferry set0 set >.t/diff 2>&1 ||
		fail "twins in place: $(head -n 3 .t/diff)"
done

echo "killed $killed times in $runs runs ($found outputs stood, $redone redone)," \
	"$writes writes failed ($failed told, of $total)," \
	"$full of $rooms times the disk was full, $changed changed source," \
	"$cuts times killed at a set ($puts writes failed)," \
	"$twinned twins"
finish
