#!/bin/sh
# The README's migration of a tree prints what it says.
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

run types --json
for type in caiman/training audiocraft/training ksuit/run state-dict; do
	grep -q "$type" "$out" || skip "no plugin knows $type"
done
python=$(command -v python3) || skip 'no python3'
"$python" "$abs_top_srcdir/tests/cli/session.py" \
	"$abs_top_srcdir/README.md" "$abs_top_srcdir/doc/examples/tree" \
	"$abs_top_srcdir/doc/examples/tree.yaml" "$PWD/session" ||
	fail 'the session of the README prints something else'
finish
