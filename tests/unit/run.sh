#!/bin/sh
# Run one test program.  Criterion's exit status is 0 when no test ran and when
# a test called exit(0), and a leak report does not fail a test, so its closing
# line and the sanitizers' logs are read as well.
prog=$1
logs=$(mktemp -d) || exit 99
trap 'rm -rf "$logs"' EXIT
ASAN_OPTIONS=log_path=$logs/asan:handle_segv=0:$ASAN_OPTIONS
UBSAN_OPTIONS=log_path=$logs/ubsan:print_stacktrace=1:$UBSAN_OPTIONS
export ASAN_OPTIONS UBSAN_OPTIONS

case $prog in
*/test_*)
	"$@" -j1 >"$logs/out" 2>&1
	status=$?
	cat "$logs/out"
	grep -q 'Tested: [1-9]' "$logs/out" || status=1
	;;
*)
	"$@"
	status=$?
	;;
esac
for log in "$logs"/asan* "$logs"/ubsan*; do
	[ -f "$log" ] || continue
	cat "$log"
	status=1
done
exit $status
