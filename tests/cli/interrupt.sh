#!/bin/sh
# Signals and a disk that fills while an output is written: no file is left.
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

# 160 MB that take no room on the disk; a cast has to read and write them all.
safetensors big.safetensors '{"a":{"dtype":"F32","shape":[40000000],"data_offsets":[0,160000000]}}' 160000000

# stop SIGNAL [AGAIN]: 0 when the run was stopped while it was writing.
stop()
{
	last="convert, SIG$1"
	"$FERRY" convert -j 1 --cast bfloat16 --max-memory=1MiB \
		big.safetensors out.safetensors >"$out" 2>"$err" &
	pid=$!
	n=0
	while [ "$n" -lt 2000 ] && kill -0 "$pid" 2>/dev/null; do
		set -- "$1" "$2" .*.ferry-tmp*
		[ -e "$3" ] && break
		n=$((n + 1))
	done
	kill -"$1" "$pid" 2>/dev/null
	[ -z "$2" ] || kill -"$1" "$pid" 2>/dev/null
	wait "$pid"
	got=$?
	[ "$got" -ne 0 ]
}

check()
{
	tries=5
	until stop "$1" "$3"; do
		# Done before the signal came: nothing was shown.
		rm -f out.safetensors
		tries=$((tries - 1))
		[ $tries -gt 0 ] || skip 'the conversion is too fast to stop'
	done
	status "$2"
	absent out.safetensors
	tidy
}

trap '' PIPE
check TERM 143 ''
check HUP 129 ''
check TERM 143 again

# A limit on the size of files stands for a full disk.
last='convert under ulimit -f'
(
	ulimit -f 1000
	exec "$FERRY" convert -q --cast bfloat16 big.safetensors \
		full.safetensors
) >"$out" 2>"$err"
got=$?
status 1
err 'ulimit -f'
absent full.safetensors
tidy

# A real one, where a file system may be made.
if [ "$(id -u)" -eq 0 ] && mkdir small &&
   mount -t tmpfs -o size=1m tmpfs small 2>/dev/null; then
	run convert --cast bfloat16 big.safetensors small/full.safetensors
	left=$(ls -A small)
	umount small
	status 1
	err 'no space left'
	[ -z "$left" ] || fail "left on the full disk: $left"
fi
finish
