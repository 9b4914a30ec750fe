#!/bin/sh
# Run every libFuzzer target for so many seconds each, from the corpus, as many
# at once as there are processors.
#
#   run.sh SECONDS            in a build made with --enable-fuzzing CC=clang
#   run.sh SECONDS TARGET     that one
seconds=${1:-20}
here=$(cd "$(dirname "$0")" && pwd)

fuzz() {
	name=${1##*/fuzz_}
	work=fuzz-work/$name
	mkdir -p "$work"
	if "$1" -max_total_time="$seconds" -timeout=10 \
		-rss_limit_mb=2048 -malloc_limit_mb=1024 -print_final_stats=1 \
		-artifact_prefix="fuzz-work/$name-" "$work" \
		"$here/../corpus/fuzz/$name" >"fuzz-work/$name.log" 2>&1; then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' \
			"fuzz-work/$name.log")
		echo "$name: $runs runs, nothing found"
	else
		printf '%s: FAILED\n%s\n' "$name" \
			"$(tail -n 60 "fuzz-work/$name.log")"
		return 1
	fi
}

if [ -n "$2" ]; then
	fuzz "$2"
	exit
fi
set -- tests/fuzz/fuzz_*
for target; do
	shift
	[ -f "$target" ] && [ -x "$target" ] && set -- "$@" "$target"
done
[ $# -gt 0 ] || { echo "no fuzz target was built"; exit 1; }
printf '%s\n' "$@" | xargs -P "$(nproc)" -I TARGET sh "$0" "$seconds" TARGET
