#!/bin/sh
# One value's bytes as a file.
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

printf '{"a":{"text":"some words\\n","n":1}}' >x.json
printf 'some words\n' >want
run convert x.json words.txt --select a.text
status 0
cmp want words.txt || fail 'words.txt differs'
run convert --verify x.json words --select a.text --to-format raw
status 0
cmp want words || fail 'words differs'
run convert x.json n.txt
status 3
err 'of kind dict'
err '--select PATH'
absent n.txt
run convert x.json n.txt --allow-loss --select a.n
status 3
err 'of kind int'
absent n.txt

# A file into a file, a range and no copy; whatever it is.
run convert words.txt again.model
status 0
cmp want again.model || fail 'again.model differs'
run inspect words.txt
status 0
out 'words.txt: raw'
run inspect words
status 3
run inspect --from-format raw words
status 0
pair m.txt
run inspect m.txt
status 0
out safetensors
finish
