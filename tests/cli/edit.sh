#!/bin/sh
# Edits, upgrades, usual names of outputs, files that the input names.
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

mocks=${FERRY_MOCKS:-$abs_top_builddir/tests/plugins/.libs}
ferry()
{
	verb=$1
	shift
	run "$verb" --plugin "$mocks/mock_chain.so" \
		--plugin "$mocks/mock_edit.so" "$@"
}

is()
{
	[ "$(cat "$1")" = "$2" ] || fail "$1 is $(cat "$1"), not $2"
}

mkdir in data
printf 'NOTE m config' >in/m.old.note
printf 'NOTE k beside' >in/config
printf 'NOTE k data' >data/config

# The usual name, beside the input.
ferry convert in/m.old.note --to mock/n
status 0
err 'wrote in/m.old.n.note'
is in/m.old.n.note 'NOTE n NOTE k beside from in/m.old.note (plain)?'
ferry convert in/m.old.note --to mock/n
status 1
err --overwrite
ferry plan --json --to mock/n in/m.old.note
status 1
json_is output in/m.old.n.note
rm in/m.old.n.note
ferry convert --default-name in/m.old.note --to mock/n
status 0
present in/m.old.n.note
cp in/m.old.note in/.m
ferry convert in/.m --to mock/n
status 0
present in/.m.n.note

# The last of several operands is the output, also one that is there.
ferry convert in/m.old.note in/config --to mock/n
[ "$got" -ne 0 ] || fail 'a file was replaced'
is in/config 'NOTE k beside'

# Options given several times; edits and upgrades.
ferry convert in/m.old.note o.note --set release=1 --set release=2
status 3
err history
ferry convert in/m.old.note o.note --set release=1 --set release=2 \
	--allow-loss=history
status 0
is o.note 'NOTE m config r=1 r=2'
ferry plan in/m.old.note p.note --set release=1 --upgrade --allow-loss
status 0
out 'edit'
out mock-m-upgrade
out mock-m-stamp
ferry conversions
status 0
grep -q 'mock-m-upgrade .* upgrade ' "$out" || fail 'no upgrade is marked'
grep -q 'mock-m-stamp .* edit ' "$out" || fail 'no edit is marked'
ferry conversions --json mock-m-stamp
json_is 0/kind edit

# Where files lie here.
printf 'NOTE m /far/away/config' >m.note
ferry convert m.note q.note --to mock/n
status 1
err /far/away/config
err --map-path
err '--with config=FILE'
absent q.note
ferry convert m.note q.note --to mock/n --map-path /far/away=data
status 0
is q.note 'NOTE n NOTE k data from m.note (plain)?'
ferry plan m.note r.note --to mock/n --map-path /far/away=data
out data/config
tidy
finish
