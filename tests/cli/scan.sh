#!/bin/sh
# Classes and calls, and who refuses them.
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

# os.system("touch ran") as a pickle of protocol 0.
printf 'cos\nsystem\n(S'\''touch ran'\''\ntR.' >evil.pkl
run scan evil.pkl
status 0
out os.system
out 'runs code'
out 'refused by os.system'
out 'dangerous: 1 name'
absent ran
run scan --strict evil.pkl
status 4
run scan --json evil.pkl
status 0
json
json_is file evil.pkl
json_is scan/dangerous 1
json_is scan/weights_only refused
json_is scan/globals/0/module os
json_is scan/globals/0/name system

# Read, shown and rewritten as data.
run inspect evil.pkl
status 0
out os.system
absent ran
run convert evil.pkl copy.pkl
status 0
run diff --strict evil.pkl copy.pkl
status 0
run scan copy.pkl
out os.system
absent ran

# A pickle that breaks off, and is listed up to there.
printf '\200\002cos\nsystem\nq\000(X\005\000\000\000to' >cut.pkl
run scan cut.pkl
status 0
out os.system
out 'warning: the pickle breaks off: '

printf 'cos\nsystem\n(S'\''touch' >text.pt
run scan text.pt
status 0
out os.system
out 'warning: the pickle breaks off: '
run inspect text.pt
status 1
err 'cut short'

# A NUL ends no name: OrderedDict\0x is not what a loader allows.
printf '\200\004X\013\000\000\000collectionsX\015\000\000\000OrderedDict\000x\223.' >nul.pkl
run scan --json nul.pkl
status 0
json_is scan/globals/0/weights_only refused

# What ferry writes for torch is what its safe loader takes.
pair a.safetensors
run convert a.safetensors a.pt
status 0
run scan --strict a.pt
status 0
out 'weights_only=True: loads'
run inspect a.pt
out 'weights_only=True: loads'

# Several files: a line of JSON each; some that cannot be read.
last='scan --json evil.pkl a.pt'
"$FERRY" scan --json evil.pkl a.pt >"$out" 2>"$err"
got=$?
status 0
[ "$(grep -c '' "$out")" -eq 2 ] || fail 'not one line for each file'
"$JSON_VALUE" -l <"$out" >/dev/null 2>&1 || fail 'no JSON lines'
run scan evil.pkl missing.pkl
status 5
out os.system
err missing.pkl
run scan missing.pkl
status 1
run scan a.safetensors
status 3
err a.safetensors
finish
