#!/bin/sh
# Old, broken and strange things in a tree: of each, every line that is told,
# the exit status, what lies in DST after it, and what the journal says.  What a
# dry run foretells is what a run then does.
#
# The cases are those of the table in doc/migrate.md.
. "${abs_top_srcdir:?}/tests/cli/lib.sh"

python=$(command -v python3) || skip 'no python3 to look into JSON'
run types --json
grep -q state-dict "$out" || skip 'no plugin knows state dicts'
faulty=$abs_top_builddir/tests/cli/.libs/faulty.so
skipped=

# ---- how cases are told -----------------------------------------------------

same()
{
	diff -u .t/wanted .t/found >.t/diff 2>&1 ||
		fail "$1: $(sed 1,2d .t/diff)"
}

# Lines of the last run, in any order, without sizes and times.
told()
{
	sort >.t/wanted
	sed -E 's/; [^;]* before, [^;]* after(, in [0-9.]* s)?$//' "$err" |
		sort >.t/found
	same 'what is told'
}

# holds DIR: what is in it but the ledger's directory.
holds()
{
	sort >.t/wanted
	"$python" -c '
import os, sys
for root, dirs, files in os.walk(sys.argv[1]):
    dirs[:] = [d for d in dirs if d != ".ferry"]
    for name in dirs + files:
        path = os.path.relpath(os.path.join(root, name), sys.argv[1])
        print(path.encode("unicode_escape").decode())' "$1" |
		sort >.t/found
	same "what is in $1"
}

# recorded DST: of each item its state, its code and its source.
recorded()
{
	sort >.t/wanted
	"$FERRY" migrate --status "$1" --json >.t/status.json 2>>.t/found
	"$python" -c '
import json, sys
for i in json.load(open(sys.argv[1]))["items"]:
    print(":".join(filter(None, (i["state"], i.get("code")))),
          i["source"].encode("unicode_escape").decode())' .t/status.json | sort >.t/found
	same "what $1 records"
}

# fails_by CODE DST: whatever failed did so with that code.
fails_by()
{
	"$FERRY" migrate --status "$2" --json >.t/status.json 2>.t/e
	found=$("$python" -c '
import json, sys
print(*sorted({i["code"] for i in json.load(open(sys.argv[1]))["items"]
               if i["state"] == "failed"}))' .t/status.json)
	[ "$found" = "$1" ] || fail "$2 has failures by '$found', not $1"
}

failures_of()
{
	"$python" -c '
import json, sys
j = json.load(open(sys.argv[1]))
for i in j.get("failures", j.get("items")):
    if i["state"] == "failed":
        print(i["source"], i["code"], i["reason"])' "$1" | sort
}

# migrates STATUS ARG...: a dry run fails at the same items for the same
# reasons, unless those are known only when it is done.
migrates()
{
	want=$1
	shift
	"$FERRY" migrate "$@" --dry-run --json >.t/dry.json 2>/dev/null
	dry=$?
	run migrate "$@" --json
	cp "$err" .t/told
	status "$want"
	[ "$dry" -eq "$want" ] || fail "a dry run's status is $dry"
	if [ "$want" -eq 5 ]; then
		failures_of .t/dry.json >.t/wanted
		failures_of "$out" >.t/found
		same 'what a dry run foretells'
	fi
}

# late STATUS ARG...: what no dry run can know.
late()
{
	want=$1
	shift
	run migrate "$@"
	status "$want"
}

# while_reading COMMAND ARG...: the command is run when the first byte of an
# output is about to be written.
while_reading()
{
	meddle=$1
	shift
	last="migrate $*, and meanwhile: $meddle"
	head -c 24 /dev/zero >.t/count
	LD_PRELOAD=$faulty FAULT_COUNT=$scratch/.t/count FAULT_AT=1 \
		FAULT_NAME=/work- FAULT_RUN=$meddle \
		"$FERRY" migrate "$@" >"$out" 2>"$err"
	got=$?
}

not_tested()
{
	skipped="$skipped; $*"
	echo "NOT TESTED: $*"
}

pair .t/pair
"$FERRY" convert .t/pair pair.pt --from-format safetensors >"$out" 2>"$err"
mv pair.pt .t/pair.pt

# ---- corrupt and cut off ----------------------------------------------------
mkdir broken
size=$(stat -c %s .t/pair.pt)
head -c 700 .t/pair.pt >broken/cut.pt
head -c $((size - 10)) .t/pair.pt >broken/end.pt
head -c 60 .t/pair >broken/cut.safetensors
printf 'PK\003\004' >broken/four.pt
printf 'no checkpoint' >broken/text.pt
printf '<!DOCTYPE html><html>' >broken/page.pt
head -c 300 /dev/zero >broken/zeros.pt
cp "$FERRY_CORPUS/torch/legacy_truncated.pt" broken/legacy.pt
cp "$FERRY_CORPUS/torch/tar_truncated.pt" broken/tar.pt
chmod u+w broken/*
cp .t/pair.pt broken/good.pt
migrates 5 broken mended --upgrade
told <<'END'
ferry: failed: broken/cut.pt: file looks cut off: it begins as a zip archive and ends after 700 bytes without an end record; copy or download it again (at byte 700)
ferry: failed: broken/cut.safetensors: header ends at byte 133, the file at 60: it looks cut off; copy or download it again (at byte 0)
ferry: failed: broken/end.pt: file looks cut off: it begins as a zip archive and ends after 945 bytes without an end record; copy or download it again (at byte 945)
ferry: failed: broken/four.pt: is a zip archive that ends after 4 bytes without its end record: it looks cut off; copy or download it again
ferry: failed: broken/legacy.pt: file looks cut off: a storage of 24 bytes begins at 502 and the file has 521; copy it again (at byte 521)
ferry: failed: broken/page.pt: is a web page (HTML), not a checkpoint: usually a login or error page saved in its place; download it again
ferry: failed: broken/tar.pt: ends at byte 1400, but 512 bytes at byte 1024 are needed; the file is truncated or its index is wrong (at byte 1024)
ferry: failed: broken/text.pt: is text that no format here reads (it begins "no checkpoint"); ferry formats lists what is read
ferry: failed: broken/zeros.pt: begins and ends with nothing but zero bytes (300 bytes): an interrupted save or a full disk leaves such files; take another copy
END
holds mended <<'END'
good.pt
good.pt.ferry.json
END
recorded mended <<'END'
done broken/good.pt
failed:malformed broken/cut.pt
failed:malformed broken/cut.safetensors
failed:malformed broken/end.pt
failed:malformed broken/four.pt
failed:malformed broken/legacy.pt
failed:malformed broken/page.pt
failed:malformed broken/tar.pt
failed:malformed broken/zeros.pt
failed:unsupported broken/text.pt
END

# What only --verify sees: bytes that are not those that were saved.
mkdir flipped
cp .t/pair.pt flipped/a.pt
"$python" - <<'END'
data = bytearray(open("flipped/a.pt", "rb").read())
import zipfile
with zipfile.ZipFile("flipped/a.pt") as z:
    info = next(i for i in z.infolist() if i.filename.endswith("/data/0"))
at = info.header_offset
at += 30 + int.from_bytes(data[at + 26:at + 28], "little") + \
    int.from_bytes(data[at + 28:at + 30], "little")
data[at] ^= 1
open("flipped/a.pt", "wb").write(data)
END
late 5 flipped unflipped --to-format safetensors --verify
told <<'END'
ferry: 1 failed
ferry: failed: flipped/a.pt: the bytes of 'pair/data/0' don't match their recorded CRC-32: the input may be damaged; nothing was written: without --verify the bytes are taken as they are
END
holds unflipped </dev/null
recorded unflipped <<'END'
failed:malformed flipped/a.pt
END

# ---- pickles of classes that are gone, or that would do things --------------
mkdir classes
printf '\200\002cgone.module\nVanished\nq\0)\201q\1}q\2X\001\0\0\0aq\3K\001sb.' \
	>classes/vanished.pt
printf '\200\002cposix\nsystem\nq\0X\014\0\0\0touch pwned\n\205R.' \
	>classes/evil.pt
migrates 0 classes kept --upgrade --verify
told </dev/null
holds kept <<'END'
evil.pt
evil.pt.ferry.json
vanished.pt
vanished.pt.ferry.json
END
recorded kept <<'END'
done classes/evil.pt
done classes/vanished.pt
END
run inspect kept/vanished.pt
out gone.module.Vanished
absent pwned

# ---- leftovers and what is ferry's own --------------------------------------
mkdir -p left/.ferry
cp .t/pair.pt left/model.pt
cp .t/pair.pt left/saved.pt.tmp
head -c 500 .t/pair.pt >left/half.pt.tmp
printf 'half a' >left/notes.tmp
cp .t/pair.pt left/.model.pt.4194304.0a1b2c.ferry-tmp
cp .t/pair.pt left/model.pt.ferry-backup
cp .t/pair.pt left/model.pt.ferry-backup.1
echo '{}' >left/model.pt.ferry.json
cp .t/pair.pt left/.ferry/x.pt
migrates 5 left leftd --upgrade --copy-others
told <<'END'
ferry: failed: left/half.pt.tmp: file looks cut off: it begins as a zip archive and ends after 500 bytes without an end record; copy or download it again (at byte 500)
ferry: note: left/.model.pt.4194304.0a1b2c.ferry-tmp is what an interrupted conversion left behind; it can be removed
END
holds leftd <<'END'
model.pt
model.pt.ferry.json
notes.tmp
notes.tmp.ferry.json
saved.pt.tmp
saved.pt.tmp.ferry.json
END
recorded leftd <<'END'
copied left/notes.tmp
done left/model.pt
done left/saved.pt.tmp
failed:malformed left/half.pt.tmp
END

# Work that a dead process of this host left is removed; another host's may go on.
mkdir -p resting "swept/.ferry/work-$(uname -n)-4194304-0000abcd/0" \
	swept/.ferry/work-elsewhere-1-0000abcd/0
pair resting/a.safetensors
late 0 resting swept --to-format torch
told <<'END'
ferry: 1 done
END
absent "swept/.ferry/work-$(uname -n)-4194304-0000abcd"
present swept/.ferry/work-elsewhere-1-0000abcd

# Nothing of ferry's own is the name of an output.
mkdir own
pair own/a.safetensors
for name in '{stem}.ferry.json' '.ferry/{name}' '{name}.ferry-backup' \
	'.{name}.1.abcdef.ferry-tmp'; do
	migrates 5 own owned --to-format torch --name "$name"
	echo "ferry: failed: own/a.safetensors: output 'owned/$(
		echo "$name" | sed 's/{stem}/a/; s/{name}/a.safetensors/'
	)' has a name that ferry gives to its own files: give it another" |
		told
	holds owned </dev/null
	fails_by misuse owned
done

# ---- links -------------------------------------------------------------------
mkdir -p links/sub outside
pair links/sub/file.safetensors
ln -s file.safetensors links/sub/link.safetensors
ln links/sub/file.safetensors links/sub/hard.safetensors
ln -s self.pt links/self.pt
ln -s two links/one
ln -s one links/two
ln -s nowhere.pt links/dangling.pt
ln -s .. links/sub/up
ln -s ../outside links/away
mkfifo .t/pipe
ln -s ../.t/pipe links/pipe.pt
migrates 0 links linked --to-format torch
told <<'END'
ferry: note: links/away is a link to a directory, which is not followed: name that as a source, too, if it is wanted
ferry: note: links/pipe.pt is no regular file but a pipe, and is passed over
ferry: note: links/sub/up is a link to a directory, which is not followed: name that as a source, too, if it is wanted
ferry: warning: links/dangling.pt is a symbolic link to nothing, and is passed over
ferry: warning: links/one is a symbolic link that leads back to itself, and is passed over
ferry: warning: links/self.pt is a symbolic link that leads back to itself, and is passed over
ferry: warning: links/two is a symbolic link that leads back to itself, and is passed over
END
holds linked <<'END'
sub
sub/file.pt
sub/file.pt.ferry.json
sub/hard.pt
sub/hard.pt.ferry.json
sub/link.pt
sub/link.pt.ferry.json
END
recorded linked <<'END'
done links/sub/file.safetensors
done links/sub/hard.safetensors
done links/sub/link.safetensors
END
# In place, the names of one inode are each made anew, a link is left.
late 0 --in-place links/sub --to-format safetensors --cast float16
told <<'END'
ferry: 2 done, 1 skipped
ferry: note: links/sub/up is a link to a directory, which is not followed: name that as a source, too, if it is wanted
END
holds links/sub <<'END'
file.safetensors
file.safetensors.ferry-backup
file.safetensors.ferry.json
hard.safetensors
hard.safetensors.ferry-backup
hard.safetensors.ferry.json
link.safetensors
up
END
recorded links/sub <<'END'
done links/sub/file.safetensors
done links/sub/hard.safetensors
skipped links/sub/link.safetensors
END

# ---- what is no file ---------------------------------------------------------
mkdir -p special/model.pt special/empty.pt
pair special/model.pt/inner.safetensors
mkfifo special/pipe.pt
"$python" -c '
import socket
socket.socket(socket.AF_UNIX).bind("special/socket.pt")'
device=
[ "$(id -u)" -eq 0 ] && mknod special/null.pt c 1 3 2>/dev/null &&
	device='ferry: note: special/null.pt is no regular file but a device, and is passed over'
migrates 0 special specials --to-format torch
{
	[ -z "$device" ] || echo "$device"
	cat <<'END'
ferry: note: special/pipe.pt is no regular file but a pipe, and is passed over
ferry: note: special/socket.pt is no regular file but a socket, and is passed over
END
} | told
holds specials <<'END'
model.pt
model.pt/inner.pt
model.pt/inner.pt.ferry.json
END
recorded specials <<'END'
done special/model.pt/inner.safetensors
END

# ---- empty files -------------------------------------------------------------
mkdir empty
for name in a.pt b.safetensors c.npz notes.txt none; do
	: >empty/$name
done
migrates 5 empty emptied --to-format torch --copy-others
told <<'END'
ferry: failed: empty/a.pt: is empty (0 bytes): the save or the download did not finish; take another copy
ferry: failed: empty/b.safetensors: is empty (0 bytes): the save or the download did not finish; take another copy
ferry: failed: empty/c.npz: is empty (0 bytes): the save or the download did not finish; take another copy
END
holds emptied <<'END'
none
none.ferry.json
notes.txt
notes.txt.ferry.json
END
recorded emptied <<'END'
copied empty/none
copied empty/notes.txt
failed:malformed empty/a.pt
failed:malformed empty/b.safetensors
failed:malformed empty/c.npz
END

# ---- names -------------------------------------------------------------------
mkdir -p 'names/<'
pair "names/two
lines.safetensors"
pair "names/$(printf 'not\377utf8').safetensors"
pair "names/$(printf 'esc\033[31m').safetensors"
pair "names/$(printf '\342\200\256rtl').safetensors"
pair 'names/$(touch pwned)`touch pwned`"; touch pwned.safetensors'
pair names/-rf.safetensors
pair 'names/ .safetensors'
pair names/.safetensors
: >'names/</script>.pt'
migrates 5 names named --to-format torch
told <<'END'
ferry: failed: names/</script>.pt: is empty (0 bytes): the save or the download did not finish; take another copy
END
holds named <<'END'
 .pt
 .pt.ferry.json
$(touch pwned)`touch pwned`"; touch pwned.pt
$(touch pwned)`touch pwned`"; touch pwned.pt.ferry.json
-rf.pt
-rf.pt.ferry.json
.safetensors.pt
.safetensors.pt.ferry.json
\u202ertl.pt
\u202ertl.pt.ferry.json
esc\x1b[31m.pt
esc\x1b[31m.pt.ferry.json
not\udcffutf8.pt
not\udcffutf8.pt.ferry.json
two\nlines.pt
two\nlines.pt.ferry.json
END
recorded named <<'END'
done names/ .safetensors
done names/$(touch pwned)`touch pwned`"; touch pwned.safetensors
done names/-rf.safetensors
done names/.safetensors
done names/\u202ertl.safetensors
done names/esc\x1b[31m.safetensors
done names/not\\xFFutf8.safetensors
done names/two\nlines.safetensors
failed:malformed names/</script>.pt
END
absent pwned

# A name in a reason is escaped once, in the table, too.
mkdir lines
pair "lines/$(printf 'a\nb').safetensors"
pair lines/c.safetensors
run migrate lines one --to-format torch --name one.pt --dry-run
out 'its output would be that of lines/a\nb.safetensors, too'

# Too long with what is kept beside it: told before anything is made.
x=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
x=$x$x$x$x$x
mkdir long
pair long/xxx$x.safetensors
cp .t/pair.pt long/xx$x.pt
pair long/x$x.pt
echo words >long/xxxxxxxxxxxxxxx$x
last='names of 255 bytes'
[ "$(cd long && echo x*.safetensors | wc -c)" -eq 256 ] || fail 'not 255 bytes'
migrates 5 long shortened --to-format safetensors --copy-others
sed "s/$x/X/g" "$err" >.t/e && cp .t/e "$err"
told <<'END'
ferry: failed: long/Xx.pt: the name of its output is too long: 253 bytes, and 244 is the most that leaves room for NAME.ferry.json: give it a shorter one with --name or the recipe's output
ferry: failed: long/Xxx.pt: the name of its output is too long: 254 bytes, and 244 is the most that leaves room for NAME.ferry.json: give it a shorter one with --name or the recipe's output
ferry: failed: long/Xxxx.safetensors: the name of its output is too long: 255 bytes, and 244 is the most that leaves room for NAME.ferry.json: give it a shorter one with --name or the recipe's output
ferry: failed: long/Xxxxxxxxxxxxxxxx: the name of its output is too long: 255 bytes, and 244 is the most that leaves room for NAME.ferry.json: give it a shorter one with --name or the recipe's output
END
(cd shortened && find . -name .ferry -prune -o ! -name . -print) | sed "s/$x/X/g; s,^./,," |
	sort >.t/found
: >.t/wanted
same 'what is made of long names'
fails_by limit shortened
late 5 --in-place long --to-format safetensors --cast float16
sed "s/$x/X/g" "$err" >.t/e && cp .t/e "$err"
told <<'END'
ferry: 1 skipped, 3 failed
ferry: failed: long/Xx.pt: the name of its output is too long: 253 bytes, and 244 is the most that leaves room for NAME.ferry.json: give it a shorter one with --name or the recipe's output
ferry: failed: long/Xxx.pt: the name of its output is too long: 254 bytes, and 244 is the most that leaves room for NAME.ferry.json: give it a shorter one with --name or the recipe's output
ferry: failed: long/Xxxx.safetensors: the name of its output is too long: 255 bytes, and 242 is the most that leaves room for NAME.ferry-backup: give it a shorter one with --name or the recipe's output
END
find long -name '*.ferry*' | sed "s/$x/X/g" | sort >.t/found
sort >.t/wanted <<'END'
long/.ferry
END
same 'what is kept of long names'

# Deeper than a path can tell, and deeper than is looked.
"$python" - <<'END'
import os
here = os.getcwd()
for root, name, n in ("distant", "d" * 250, 18), ("deep", "d", 203):
    os.mkdir(root)
    os.chdir(root)
    for i in range(n):
        open("empty.pt" if i % 100 == 15 else "x", "w").close()
        os.mkdir(name)
        os.chdir(name)
    os.chdir(here)
END
migrates 5 distant distantly --to-format torch
sed -E 's/d{250}/D/g' "$err" >.t/e && cp .t/e "$err"
told <<'END'
ferry: failed: distant/D/D/D/D/D/D/D/D/D/D/D/D/D/D/D/D/D: has a path of 4274 bytes and 4095 are the most that can be opened: run ferry from a directory nearer to it
ferry: failed: distant/D/D/D/D/D/D/D/D/D/D/D/D/D/D/D/empty.pt: is empty (0 bytes): the save or the download did not finish; take another copy
END
migrates 5 deep deeply --to-format torch
sed -E 's,(/d){100},/C,g; s,(/d){15},/F,g' "$err" >.t/e && cp .t/e "$err"
told <<'END'
ferry: failed: deep/C/C: is a directory that lies too deep and was not looked into: name it as a source of its own
ferry: failed: deep/C/F/empty.pt: is empty (0 bytes): the save or the download did not finish; take another copy
ferry: failed: deep/F/empty.pt: is empty (0 bytes): the save or the download did not finish; take another copy
END
# ... which goes when that is named, too.
below=deep$("$python" -c 'print("/d" * 200)')
mkdir -p "$below"
late 5 deep "$below" deeply --to-format torch
sed -E 's,(/d){100},/C,g; s,(/d){15},/F,g' "$err" >.t/e && cp .t/e "$err"
told <<'END'
ferry: 201 skipped, 2 failed
ferry: failed: deep/C/F/empty.pt: is empty (0 bytes): the save or the download did not finish; take another copy
ferry: failed: deep/F/empty.pt: is empty (0 bytes): the save or the download did not finish; take another copy
ferry: note: deep/C/C is a source of its own
END

# ---- sources that change -----------------------------------------------------
meddled()
{
	rm -rf src dst
	mkdir src
	cp .t/pair src/a.safetensors
	while_reading "$@"
}

# same_again: when nothing meddles any more, the next run makes it.
same_again()
{
	"$FERRY" convert src/a.safetensors a.pt --overwrite 2>.t/e
	run migrate src dst --to-format torch
	status 0
	cmp -s dst/a.pt a.pt || fail 'what is made next is another'
}

while_reading : --version
if [ -s .t/count ] && LD_PRELOAD=$faulty "$FERRY" --version >/dev/null 2>&1
then
	meddled 'touch src/a.safetensors' src dst --to-format torch
	status 5
	told <<'END'
ferry: 1 failed
ferry: failed: src/a.safetensors: changed while it was read: run again when nothing writes to it
END
	holds dst </dev/null
	recorded dst <<'END'
failed:io src/a.safetensors
END
	same_again
	meddled 'printf x >>src/a.safetensors' src dst --to-format torch \
		--verify --remove-source
	status 5
	told <<'END'
ferry: 1 failed
ferry: failed: src/a.safetensors: changed while it was read: run again when nothing writes to it
END
	holds dst </dev/null
	present src/a.safetensors
	meddled 'truncate -s 100 src/a.safetensors' src dst --to-format torch
	status 5
	told <<'END'
ferry: 1 failed
ferry: failed: src/a.safetensors: file shrank while it was read: it ends at or before byte 133, and had 197 bytes (at byte 133)
END
	holds dst </dev/null
	recorded dst <<'END'
failed:io src/a.safetensors
END
	meddled 'rm src/a.safetensors' src dst --to-format torch
	status 5
	told <<'END'
ferry: 1 failed
ferry: failed: src/a.safetensors: is not there
END
	holds dst </dev/null
	recorded dst <<'END'
failed:not-found src/a.safetensors
END
	meddled 'cp .t/pair.pt new; mv new src/a.safetensors' \
		--in-place src --to-format safetensors --cast float16
	status 5
	told <<'END'
ferry: 1 failed
ferry: failed: src/a.safetensors: changed while it was read: run again when nothing writes to it
END
	holds src <<'END'
a.safetensors
END
	meddled 'echo mine >dst/a.pt' src dst --to-format torch
	status 5
	told <<'END'
ferry: 1 failed
ferry: failed: src/a.safetensors: dst/a.pt: exists already and is not what this would make of it; use --overwrite to replace it
END
	holds dst <<'END'
a.pt
END
	rm dst/a.pt
	same_again
else
	not_tested "files that change: $faulty can't be preloaded"
fi

# Between the plan and the run, too.
mkdir -p planned/sub
pair planned/gone.safetensors
pair planned/cut.safetensors
pair planned/grown.safetensors
echo words >planned/notes.txt
late 0 planned plannedd --to-format torch --copy-others --plan-only -o plan.jsonl
rm planned/gone.safetensors planned/notes.txt
truncate -s 90 planned/cut.safetensors
mkdir planned/notes.txt
safetensors planned/grown.safetensors '{"w":{"dtype":"F32","shape":[100],"data_offsets":[0,400]}}' 400
late 5 plan.jsonl
told <<'END'
ferry: 1 done, 3 failed
ferry: failed: planned/cut.safetensors: header ends at byte 133, the file at 90: it looks cut off; copy or download it again (at byte 0)
ferry: failed: planned/gone.safetensors: is not there
ferry: failed: planned/notes.txt: is no regular file
END
holds plannedd <<'END'
grown.pt
grown.pt.ferry.json
END
recorded plannedd <<'END'
done planned/grown.safetensors
failed:io planned/notes.txt
failed:malformed planned/cut.safetensors
failed:not-found planned/gone.safetensors
END

# ---- two that would be one ---------------------------------------------------
mkdir -p pairs/sub
pair pairs/a.safetensors
pair pairs/a.weights
ln pairs/a.weights pairs/sub/same.weights
ln -s ../a.weights pairs/sub/link.weights
pair pairs/sub/b.safetensors
migrates 5 pairs paired --to-format torch
told <<'END'
ferry: failed: pairs/a.safetensors: its output would be that of pairs/a.weights, too: give them different names with --name or the recipe's output
ferry: failed: pairs/a.weights: its output would be that of pairs/a.safetensors, too: give them different names with --name or the recipe's output
END
holds paired <<'END'
sub
sub/b.pt
sub/b.pt.ferry.json
sub/link.pt
sub/link.pt.ferry.json
sub/same.pt
sub/same.pt.ferry.json
END
recorded paired <<'END'
done pairs/sub/b.safetensors
done pairs/sub/link.weights
done pairs/sub/same.weights
failed:exists pairs/a.safetensors
failed:exists pairs/a.weights
END
rm pairs/a.safetensors
migrates 5 pairs pairing --to-format torch --name 'one.pt' --copy-others
told <<'END'
ferry: failed: pairs/a.weights: its output would be that of pairs/sub/b.safetensors, too: give them different names with --name or the recipe's output
ferry: failed: pairs/sub/b.safetensors: its output would be that of pairs/a.weights, too: give them different names with --name or the recipe's output
ferry: failed: pairs/sub/link.weights: its output would be that of pairs/a.weights, too, which is the same file: name it once
ferry: failed: pairs/sub/same.weights: its output would be that of pairs/a.weights, too, which is the same file: name it once
END
holds pairing </dev/null
fails_by exists pairing
# A file where another needs a directory.
mkdir -p file directory/x
echo words >file/x
pair directory/x/a.safetensors
pair directory/b.safetensors
migrates 5 file directory crossed --to-format torch --copy-others
told <<'END'
ferry: failed: directory/x/a.safetensors: its output would be below that of file/x, which would be a file: give them different names with --name or the recipe's output
ferry: failed: file/x: its output would be above that of directory/x/a.safetensors, and a file: give them different names with --name or the recipe's output
END
holds crossed <<'END'
b.pt
b.pt.ferry.json
END
recorded crossed <<'END'
done directory/b.safetensors
failed:exists directory/x/a.safetensors
failed:exists file/x
END

# ---- sources -----------------------------------------------------------------
mkdir -p twice/sub hollow
pair twice/a.safetensors
pair twice/sub/b.safetensors
ln -s twice alias
migrates 0 twice twice once --to-format torch
told <<'END'
ferry: note: twice was looked into already, as a source or in one, and is passed over
END
recorded once <<'END'
done twice/a.safetensors
done twice/sub/b.safetensors
END
migrates 0 ./twice alias "$PWD/twice/" twice/sub onceagain --to-format torch
sed "s,$PWD,PWD,g" "$err" >.t/e && cp .t/e "$err"
told <<'END'
ferry: note: PWD/twice was looked into already, as a source or in one, and is passed over
ferry: note: alias was looked into already, as a source or in one, and is passed over
ferry: note: twice/sub was looked into already, as a source or in one, and is passed over
END
holds onceagain <<'END'
a.pt
a.pt.ferry.json
sub
sub/b.pt
sub/b.pt.ferry.json
END
# A file by itself and by its directory: by the first it has its name.
migrates 0 twice/sub/b.safetensors twice self --to-format torch
told </dev/null
holds self <<'END'
a.pt
a.pt.ferry.json
b.pt
b.pt.ferry.json
END
migrates 5 ./twice/a.safetensors twice selves --to-format torch
told <<'END'
ferry: failed: ./twice/a.safetensors: its output would be that of twice/a.safetensors, too, which is the same file: name it once
ferry: failed: twice/a.safetensors: its output would be that of ./twice/a.safetensors, too, which is the same file: name it once
END
migrates 0 hollow hollowed --to-format torch
told <<'END'
ferry: warning: hollow is empty: nothing is to be done; is its disk mounted?
END
holds hollowed </dev/null
run migrate hollow hollowed --to-format torch
told <<'END'
ferry: nothing to do
ferry: warning: hollow is empty: nothing is to be done; is its disk mounted?
END
migrates 1 nowhere unmade --to-format torch
told <<'END'
ferry: nowhere: is not there: check its name, and that its disk is mounted
END
migrates 2 special/pipe.pt unmade --to-format torch
told <<'END'
ferry: special/pipe.pt: is a pipe: a source is a directory, a file or a manifest
END
migrates 2 '' unmade --to-format torch
told <<'END'
ferry migrate: operand 1 is empty: name a file
hint: ferry migrate --help lists the options
END
absent unmade

# ---- destinations ------------------------------------------------------------
mkdir -p src2/sub
pair src2/sub/a.safetensors
migrates 2 src2 src2/ --to-format torch
told <<'END'
ferry: src2: is source and destination; --in-place replaces files where they are
END
migrates 0 src2 src2/sub/out --to-format torch
told </dev/null
late 0 src2 src2/sub/out --to-format torch
told <<'END'
ferry: 1 kept
ferry: note: src2/sub/out is where the outputs go, and is passed over
END
holds src2 <<'END'
sub
sub/a.safetensors
sub/out
sub/out/sub
sub/out/sub/a.pt
sub/out/sub/a.pt.ferry.json
END
rm -r src2/sub/out
echo mine >file.txt
migrates 2 src2 file.txt --to-format torch
told <<'END'
ferry: file.txt: is no directory: the outputs are to be in one: name another DST
END
late 2 src2 file.txt/new --to-format torch
told <<'END'
ferry: file.txt: is no directory: the outputs are to be below it: name another DST
END
mkdir ledger
echo mine >ledger/.ferry
migrates 2 src2 ledger --to-format torch
told <<'END'
ferry: ledger/.ferry: is no directory: the journals are to be in one of that name: move it away
END
mkdir -p way/sub/a.pt side/sub/a.pt.ferry.json block
echo mine >block/sub
late 5 src2 way --to-format torch --overwrite
told <<'END'
ferry: 1 failed
ferry: failed: src2/sub/a.safetensors: way/sub/a.pt: is a directory, and its output is to have that name: move it away, or give the output another name with --name or the recipe's output
END
late 5 src2 side --to-format torch --overwrite
told <<'END'
ferry: 1 failed
ferry: failed: src2/sub/a.safetensors: side/sub/a.pt.ferry.json: is a directory, and its sidecar is to have that name: move it away, or give the output another name with --name or the recipe's output
END
late 5 src2 block --to-format torch --overwrite
told <<'END'
ferry: 1 failed
ferry: failed: src2/sub/a.safetensors: block/sub: is no directory, and has to be one for its output: move it away, or give the output another name with --name or the recipe's output
END
for each in way side block; do
	fails_by exists $each
done
holds way <<'END'
sub
sub/a.pt
END
holds side <<'END'
sub
sub/a.pt.ferry.json
END
holds block <<'END'
sub
END
mkdir -p onto/sub
ln -s ../../file.txt onto/sub/a.pt
late 5 src2 onto --to-format torch
told <<'END'
ferry: 1 failed
ferry: failed: src2/sub/a.safetensors: onto/sub/a.pt: exists already and is not what this would make of it; use --overwrite to replace it
END
late 0 src2 onto --to-format torch --overwrite
told <<'END'
ferry: 1 done
END
[ "$(cat file.txt)" = mine ] || fail 'what a link led to was replaced'

# ---- a directory that is mounted in itself ------------------------------------
mkdir -p ring/sub
pair ring/a.safetensors
if [ "$(id -u)" -eq 0 ] && mount --bind ring ring/sub 2>.t/mount; then
	migrates 0 ring ringed --to-format torch
	told <<'END'
ferry: note: ring/sub was looked into already, as a source or in one, and is passed over
END
	holds ringed <<'END'
a.pt
a.pt.ferry.json
END
	umount ring/sub
else
	not_tested 'a directory that is mounted in itself: needs root and mount'
fi

# ---- full, and read-only -----------------------------------------------------
mkdir disk
if [ "$(id -u)" -eq 0 ] &&
	mount -t tmpfs -o size=64k tmpfs disk 2>.t/mount; then
	late 5 src2 disk/dst --to-format torch
	sed -E 's/and [0-9]+ [a-zA-Z]+ are free/and SOME are free/' "$err" \
		>.t/e && cp .t/e "$err"
	told <<'END'
ferry: 1 failed
ferry: failed: src2/sub/a.safetensors: no space left on device: 64 bytes are needed, with 1.0 MB to spare, and SOME are free
ferry: the disk is full: make room and run it again
END
	holds disk/dst </dev/null
	recorded disk/dst <<'END'
failed:io src2/sub/a.safetensors
END
	mount -t tmpfs -o nr_inodes=6 tmpfs disk
	late 5 src2 disk/dst --to-format torch
	sed -E 's,/work-[^ /]*/,/WORK/,' "$err" >.t/e && cp .t/e "$err"
	told <<'END'
ferry: 1 failed
ferry: failed: src2/sub/a.safetensors: disk/dst/.ferry/WORK/0/a.pt: can't make a temporary file beside it: No space left on device: its inodes are used up: remove files
ferry: the disk is full: make room and run it again
END
	fails_by io disk/dst
	umount disk
	cp -r src2 disk/src
	mount -o remount,ro disk
	late 1 src2 disk/dst --to-format torch
	sed -E 's/journal-[^ ]*: /JOURNAL: /' "$err" >.t/e && cp .t/e "$err"
	told <<'END'
ferry: disk/dst/.ferry/JOURNAL: can't make the journal: Read-only file system
ferry: warning: disk/dst: is on a file system that is mounted read-only: nothing can be made there
END
	late 1 src2 disk/new --to-format torch
	told <<'END'
ferry: disk/new: can't make it: Read-only file system
END
	run migrate src2 disk/new --to-format torch --dry-run
	status 0
	told <<'END'
ferry: warning: disk/new: is on a file system that is mounted read-only: nothing can be made there
END
	late 1 --in-place disk/src --to-format torch
	told <<'END'
ferry: disk/src/.ferry: can't make it: Read-only file system
END
	late 0 disk/src fromro --to-format torch
	holds fromro <<'END'
sub
sub/a.pt
sub/a.pt.ferry.json
END
	late 5 disk/src fromro --to-format torch --verify --remove-source
	told <<'END'
ferry: 1 failed
ferry: failed: disk/src/sub/a.safetensors: its output is made, but it can't be removed: Read-only file system
END
	holds fromro <<'END'
sub
sub/a.pt
sub/a.pt.ferry.json
END
	present disk/src/sub/a.safetensors
	umount disk
else
	not_tested 'full and read-only disks: that needs root and mount'
fi

# ---- what may not be read, or written ----------------------------------------
unprivileged()
{
	last="$* (unprivileged)"
	if [ "$(id -u)" -ne 0 ]; then
		"$FERRY" "$@" >"$out" 2>"$err"
	else
		setpriv --reuid=65534 --regid=65534 --clear-groups \
			"$FERRY" "$@" >"$out" 2>"$err"
	fi
	got=$?
}

chmod 777 "$scratch"
unprivileged --version
if [ "$got" -eq 0 ]; then
	mkdir -p closed/shut closed/names closed/open mayread
	pair closed/shut/a.safetensors
	pair closed/names/b.safetensors
	pair closed/open/c.safetensors
	pair closed/secret.safetensors
	echo words >closed/secret.txt
	ln -s shut/a.safetensors closed/link.safetensors
	chmod 0 closed/shut closed/secret.safetensors closed/secret.txt
	chmod 444 closed/names
	chmod 777 mayread
	unprivileged migrate closed mayread --to-format torch
	status 5
	told <<'END'
ferry: 1 done, 5 failed
ferry: failed: closed/link.safetensors: is a symbolic link to what can't be looked at: Permission denied
ferry: failed: closed/names/b.safetensors: can't be looked at: Permission denied
ferry: failed: closed/secret.safetensors: can't open: Permission denied
ferry: failed: closed/secret.txt: can't open: Permission denied
ferry: failed: closed/shut: is a directory that can't be looked into: Permission denied
END
	holds mayread <<'END'
open
open/c.pt
open/c.pt.ferry.json
END
	recorded mayread <<'END'
done closed/open/c.safetensors
failed:io closed/link.safetensors
failed:io closed/names/b.safetensors
failed:io closed/secret.safetensors
failed:io closed/secret.txt
failed:io closed/shut
END
	unprivileged migrate closed/shut mayread --to-format torch
	status 1
	told <<'END'
ferry: closed/shut: can't look into it: Permission denied
END
	mkdir readonly
	chmod 555 readonly
	unprivileged migrate closed/open readonly --to-format torch
	status 1
	told <<'END'
ferry: readonly/.ferry: can't make it: Permission denied
END
	unprivileged migrate closed/open readonly/new --to-format torch
	status 1
	told <<'END'
ferry: readonly/new: can't make it: Permission denied
END
	mkdir -p partly/sub
	chmod 777 partly
	chmod 555 partly/sub
	unprivileged migrate src2 partly --to-format torch
	status 5
	told <<'END'
ferry: 1 failed
ferry: failed: src2/sub/a.safetensors: partly/sub/a.pt: can't give that name to it: Permission denied
END
	holds partly <<'END'
sub
END
	mkdir staying
	chmod 777 staying
	chmod 555 src2/sub
	unprivileged migrate src2 staying --to-format torch --verify \
		--remove-source
	status 5
	told <<'END'
ferry: 1 failed
ferry: failed: src2/sub/a.safetensors: its output is made, but it can't be removed: Permission denied
END
	holds staying <<'END'
sub
sub/a.pt
sub/a.pt.ferry.json
END
	recorded staying <<'END'
failed:io src2/sub/a.safetensors
END
	present src2/sub/a.safetensors
	chmod 755 closed/shut closed/names partly/sub src2/sub
else
	not_tested "what may not be read: 'setpriv $FERRY' does not run"
fi

[ -z "$skipped" ] || echo "NOT TESTED${skipped#;}"
finish
