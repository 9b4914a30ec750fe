# What the tests of the command share.  Sourced; gives a scratch directory as
# the working directory, and:
#
#   run ARG...          run ferry: its status, $out and $err (files)
#   status N            the last run exited with N
#   out TEXT, err TEXT  its stdout or stderr has this text
#   no_out TEXT, no_err TEXT
#   json                its stdout is one JSON value without raw controls
#   json_is PATH VALUE  what stands at a path of that value
#   safetensors FILE HEADER NBYTES    a file with that header and zeros
#   finish              exit 0 when nothing failed

: "${FERRY:?is set by make check}"
: "${FERRY_CORPUS:?is set by make check}"
JSON_VALUE=${JSON_VALUE:-$abs_top_builddir/tests/cli/json_value}
LC_ALL=C
export LC_ALL

scratch=$(mktemp -d) || exit 99
trap 'cd /; rm -rf "$scratch"' EXIT
cd "$scratch" || exit 99
mkdir .t
out=$scratch/.t/out
err=$scratch/.t/err
failures=0
last='(nothing was run)'
got=

fail()
{
	failures=$((failures + 1))
	echo "FAIL: $0: $*"
	echo "  command: ferry $last"
	echo "  status: $got"
	sed 's/^/  out: /' "$out" 2>/dev/null | head -n 20
	sed 's/^/  err: /' "$err" 2>/dev/null | head -n 20
}

run()
{
	last=$*
	"$FERRY" "$@" >"$out" 2>"$err"
	got=$?
}

status()
{
	[ "$got" -eq "$1" ] || fail "status $1 was expected"
}

out()
{
	grep -qF -e "$1" "$out" || fail "stdout has no: $1"
}

err()
{
	grep -qF -e "$1" "$err" || fail "stderr has no: $1"
}

no_out()
{
	! grep -qF -e "$1" "$out" || fail "stdout has: $1"
}

no_err()
{
	! grep -qF -e "$1" "$err" || fail "stderr has: $1"
}

quiet()
{
	[ ! -s "$err" ] || fail "stderr is not empty"
}

json()
{
	"$JSON_VALUE" <"$out" >/dev/null 2>.t/json ||
		fail "stdout is no JSON: $(cat .t/json)"
}

json_is()
{
	found=$("$JSON_VALUE" "$1" <"$out" 2>&1)
	[ "$found" = "$2" ] || fail "JSON at $1 is $found, not $2"
}

absent()
{
	for each; do
		[ ! -e "$each" ] || fail "$each exists"
	done
}

present()
{
	for each; do
		[ -e "$each" ] || fail "$each does not exist"
	done
}

# No temporary file of an output was left here.
tidy()
{
	for each in .*.ferry-tmp*; do
		[ ! -e "$each" ] || fail "$each was left"
	done
}

octal()
{
	printf '\\%03o' "$1"
}

safetensors()
{
	n=${#2}
	printf "$(octal $((n % 256)))$(octal $((n / 256)))\0\0\0\0\0\0" >"$1"
	printf %s "$2" >>"$1"
	truncate -s $((8 + n + $3)) -- "$1"
}

# Two small tensors, 3 x 4 float32 and 2 int64.
pair()
{
	safetensors "$1" '{"a.weight":{"dtype":"F32","shape":[3,4],"data_offsets":[0,48]},"b.count":{"dtype":"I64","shape":[2],"data_offsets":[48,64]}}' 64
}

skip()
{
	echo "SKIP: $*"
	exit 77
}

finish()
{
	[ "$failures" -eq 0 ] || exit 1
	exit 0
}
