#!/bin/sh
# Run every libFuzzer target for so many seconds each, from the corpus.
#
#   run.sh SECONDS      in a build made with --enable-fuzzing CC=clang
seconds=${1:-20}
here=$(cd "$(dirname "$0")" && pwd)
status=0
ran=0
for target in tests/fuzz/fuzz_*; do
	[ -f "$target" ] && [ -x "$target" ] || continue
	name=${target##*/fuzz_}
	work=fuzz-work/$name
	mkdir -p "$work"
	if "$target" -max_total_time="$seconds" -timeout=10 \
		-rss_limit_mb=2048 -malloc_limit_mb=1024 -print_final_stats=1 \
		-artifact_prefix="fuzz-work/$name-" "$work" \
		"$here/../corpus/fuzz/$name" >"fuzz-work/$name.log" 2>&1; then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' \
			"fuzz-work/$name.log")
		echo "$name: $runs runs, nothing found"
	else
		echo "$name: FAILED"
		tail -n 60 "fuzz-work/$name.log"
		status=1
	fi
	ran=$((ran + 1))
done
[ $ran -gt 0 ] || { echo "no fuzz target was built"; status=1; }
exit $status
