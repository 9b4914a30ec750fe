#!/bin/sh
# Formats that are directories, as inputs and as outputs.
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

mock=${FERRY_MOCKS:-$abs_top_builddir/tests/plugins/.libs}/mock_bundle.so
[ -e "$mock" ] || skip "no $mock"

# with VERB ARG...: run it with the mock.
with()
{
	verb=$1
	shift
	run "$verb" --plugin "$mock" "$@"
}

mkdir -p run/sub
printf 'one.part\nsub/two.part\n' >run/bundle.txt
printf PARTfirst. >run/one.part
printf PARTsecond. >run/sub/two.part
echo words >run/log

with formats bundle
status 0
out directory

# Inspect: the whole, its size, then the tree.
with inspect run
status 0
quiet
out 'run: bundle (mock of a directory), '
out one.part
out 'weights_only=True: loads 0 of 2 files; refuses one.part, sub/two.part'
with inspect run/ sub/two.part
status 0
out second.
with inspect --json run
json
json_is format bundle
json_is about/files 4

# Scan: by file.
with scan run
status 0
out run/sub/two.part
with scan --json --strict run/
status 4
json

# Verify: every file.
with verify run
status 0
out 'run: ok'
printf 'PARTloud!' >run/extra.part
with verify run
status 4
out extra.part
out loud
with verify --json run
status 4
json_is ok false
rm run/extra.part

# A directory that no format takes keeps its diagnosis.
mkdir plain
with inspect plain
status 3
err 'is a directory: name a file in it'

# Convert: a new directory, whatever way it is named.
with convert --verify run new/
status 0
cmp run/sub/two.part new/sub/two.part || fail 'two.part differs'
absent new/log
tidy
with convert run --to-format bundle named
status 0
present named/one.part
with convert run new/one.part
status 3
with convert run x.json
status 0
with convert x.json --to-format bundle again/
status 0
cmp run/bundle.txt again/bundle.txt || fail 'bundle.txt differs'

# Into one that is there.
with convert run new
status 1
err 'new/bundle.txt: exists already'
echo mine >new/mine
with convert --overwrite run new
status 0
present new/mine
tidy

# What stands in the way.
: >file
with convert run file/
status 1
with convert --to-format bundle run file
status 1
err 'is there and is no directory'
with convert --to-format json run new
status 3
err 'is a directory and can'
with convert run no/such/
status 1
with plan run planned/
status 0
out bundle
absent planned
with plan run no/such/
status 1
with plan run new
status 0
with convert --overwrite run run
status 2
err 'is one of the inputs'

# A writer that fails leaves nothing.
with convert --set fail-after=1 run failed/
status 1
err 'told to fail'
absent failed
tidy
with convert --overwrite --set fail-after=1 run new
status 1
[ -z "$(find new -name '*.ferry-tmp')" ] || fail 'a temporary file was left'

# Odd names are escaped, loops end.
ln -s .. run/sub/loop
ln -s self run/self
printf PARTodd. >"run/new
line.part"
with verify run
status 0
with scan run
status 0
out 'new\nline.part'

# stop SIGNAL [AGAIN]: while many files are written.
mkdir many
i=0
while [ "$i" -lt 20000 ]; do
	printf PARTx. >"many/$i.part"
	echo "$i.part"
	i=$((i + 1))
done >many/bundle.txt
stop()
{
	last="convert, SIG$1"
	"$FERRY" convert --plugin "$mock" -q many stopped/ >"$out" 2>"$err" &
	pid=$!
	n=0
	while [ "$n" -lt 5000 ] && kill -0 "$pid" 2>/dev/null; do
		set -- "$1" "$2" .stopped.*.ferry-tmp
		[ -e "$3" ] && break
		n=$((n + 1))
	done
	kill -"$1" "$pid" 2>/dev/null
	[ -z "$2" ] || kill -"$1" "$pid" 2>/dev/null
	wait "$pid"
	got=$?
	[ "$got" -ne 0 ]
}
for again in '' again; do
	if stop TERM "$again"; then
		status 143
		absent stopped
		tidy
	else
		rm -rf stopped
	fi
done
finish
