#!/bin/sh
# The page about a migration: that it needs nothing but itself, that names
# cannot become markup, and what a browser makes of it.  SCREENSHOT=FILE keeps
# the picture.
. "$abs_top_srcdir/tests/cli/lib.sh"
jobs=$abs_top_builddir/tests/cli/jobs

item()
{
	printf '{"event": "item", "time": 1760000001, %s}\n' "$1"
}

{
	echo '{"event": "begin", "time": 1760000000, "items": 7}'
	item '"source": "a/one.pt", "output": "a/one.safetensors",
		"state": "done", "format": "torch", "type": "speech/training",
		"version": "1.9", "losses": "optimizer", "nbytes": 3000000,
		"bytes_out": 1000000, "seconds": 0.5' | tr -d '\n\t'
	echo
	item '"source": "a/two.pt", "output": "a/two.safetensors", "state": "kept", "format": "torch", "type": "speech/training", "version": "1.6", "nbytes": 2000000, "bytes_out": 500000'
	item '"source": "a/notes.txt", "state": "skipped", "reason": "no checkpoint", "nbytes": 10'
	item '"source": "b/cut.pt", "state": "failed", "code": "malformed", "format": "torch", "reason": "the directory is cut off at byte 812", "nbytes": 812'
	item '"source": "b/</script><script>document.title=1</script>\n<!-- & \"q\".pt", "state": "failed", "code": "io", "reason": "<img src=x onerror=document.title=2>", "nbytes": 1'
	echo '{"event": "end", "time": 1760000009, "states": {}}'
} >journal.jsonl
"$jobs" --page=page.html <journal.jsonl || fail "no page was made"
for each in .page.html.*; do
	[ ! -e "$each" ] || fail "$each was left"
done

# Nothing is loaded, and the data ends no element.
grep -nE 'https?://|url\(|@import|<link|<img|src=' page.html |
	grep -v '^[0-9]*:{"' >found
[ ! -s found ] || fail "the page names something to load: $(cat found)"
grep -q "default-src 'none'" page.html || fail "no policy forbids loading"
[ "$(grep -c '</script>' page.html)" = 2 ] || fail "data ends its element"
grep -q 'u003c/script' page.html || fail "names are not escaped"

# Of every code there is something to do.
for code in out-of-memory io not-found exists malformed unsupported limit \
	ambiguous lossy misuse cancelled plugin; do
	grep -qE "^	\"?$code\"?: \"[A-Z]" page.html ||
		fail "the page has no advice for $code"
done

# A page that can't be written leaves the one that was there.
cp page.html before.html
(ulimit -f 1; "$jobs" --page=page.html <journal.jsonl) >"$out" 2>"$err" &&
	fail "a page of no room was written"
cmp -s page.html before.html || fail "half a page replaced a whole one"

# ---- ten thousand items with hostile names -----------------------------------
python=$(command -v python3) || skip 'no python3 to make a tree'
pair good
"$python" - <<'END'
import os, shutil
hostile = [
    "</script><script>document.title=1</script>", "<!-- ", "-->", "]]>",
    "<img src=x onerror=document.title=2>", "&lt;&amp;&quot;", "'\"`",
    "two\nlines", "tab\there", "\x1b[31mred\x1b]0;title\x07", "\u202egpj.tp",
    "\u2066\u2069\u200f\u061c\ufeff", "\u2028\u2029", "back\\slash\\n",
    "%s%n%41", "@DATA@", "${7*7}{{7*7}}", " lead and trail ", "\U0001f600",
    "\x7f\x80\x9f", "e\u0301\u0301", "a" * 200,
]
n = 0
for i in range(100):
    for k, name in enumerate(hostile):
        path = os.path.join("tree", "%d" % i, name)
        if path.count("/") > 2:
            os.makedirs(os.path.dirname(path), exist_ok=True)
        else:
            os.makedirs("tree/%d" % i, exist_ok=True)
        for j in range(5 if k < 10 else 4):
            n += 1
            with open("%s.%d.pt" % (path, j), "wb") as f:
                f.write((b"", b"PK\x03\x04", b"<!DOCTYPE html>",
                         b"\x80\x02" + b"q" * 40, b"")[j])
raw = b"tree/not\xffutf8"
while n < 9999:
    n += 1
    open(raw + b"%d.pt" % n, "wb").close()
shutil.copy("good", "tree/good.safetensors")
END
run migrate tree made --to-format safetensors --report=many.html
status 5
err ' failed; '
cat >look.py <<'END'
"""What a page has in it: that it is well-formed, and its rows."""
import html.parser, json, os, sys

class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.stack, self.scripts, self.wrong = [], [], []
    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "input", "br"):
            self.stack.append(tag)
        if tag == "script":
            self.scripts.append("")
    def handle_endtag(self, tag):
        if not self.stack or self.stack.pop() != tag:
            self.wrong.append(tag)
    def handle_data(self, text):
        if self.stack and self.stack[-1] == "script":
            self.scripts[-1] += text
    def handle_comment(self, text):
        self.wrong.append("comment " + text)

text = open(sys.argv[1], "rb").read()
text.decode("ascii")
page = Page()
page.feed(text.decode())
assert not page.wrong and not page.stack, (page.wrong, page.stack)
assert len(page.scripts) == 2, len(page.scripts)
rows = json.loads(page.scripts[0])["rows"]
found = {row[0] for row in rows}
there = set()
for root, dirs, files in os.walk(b"tree"):
    for name in files:
        path = os.path.join(root, name)
        try:
            there.add(path.decode())
        except UnicodeDecodeError:
            there.add(path.decode("utf-8", "replace"))
missing = [t for t in there if "\ufffd" not in t and t not in found]
assert len(rows) == 10000, len(rows)
assert not missing, missing[:3]
assert all(row[3] and row[4] for row in rows if row[2] == "failed")
print(len(rows), sum(row[2] == "failed" for row in rows))
END
"$python" look.py many.html >.t/rows 2>.t/wrong ||
	fail "the page is not well-formed: $(tail -n 1 .t/wrong)"
[ "$(cat .t/rows)" = '10000 9999' ] || fail "rows, failed: $(cat .t/rows)"

browser=$(command -v chromium) || {
	echo "no chromium: what a browser shows was NOT tested"
	finish
}

shown()
{
	HOME=$scratch/home timeout 60 "$browser" --headless --no-sandbox \
		--disable-gpu --disable-dev-shm-usage --no-first-run \
		--user-data-dir="$scratch/profile" --window-size=1200,1500 \
		"$@" 2>.t/browser
}

has()
{
	grep -qF -e "$1" dom || fail "the page shown has no: $1"
}

mkdir home
shown --dump-dom "file://$scratch/page.html" |
	sed '/application\/json/,/^<\/script>/d' >dom
has '<title>ferry migrate: old/ to new/</title>'
has '1 run, 2025-10-09 08:53:20 to 2025-10-09 08:53:29 UTC'
has '<b>5</b>items'
has '<b>1</b>done'
has '<b>2</b>failed'
has '<b>5.0 MB</b>before'
has '<b>1.5 MB</b>after'
has '<details data-code="malformed" open=""><summary><b>malformed</b>: 1 item'
has 'cut off or damaged'
has 'the directory is cut off at byte 812'
has '&lt;img src=x onerror=document.title=2&gt;'
has 'class="bar before" title="5.0 MB" style="width: 100%;"'
has 'class="bar after" title="1.5 MB" style="width: 30%;"'
has '<td>speech/training</td><td>1.9</td><td>torch</td><td class="n">1</td>'
has 'a/one.safetensors (without optimizer)'
has '>5 of 5<'
shown --dump-dom "file://$scratch/page.html#SPEECH%20two" >dom
has '>1 of 5<'
# Searched, names are shown by what is in them, and turn nothing into markup.
searched()
{
	shown --dump-dom "file://$scratch/many.html#$1" >whole
	sed '/application\/json/,/^<\/script>/d' whole >dom
	grep -qF "<title>ferry migrate: tree to made</title>" dom ||
		fail "searching $1: the title is another"
	has ">$2 of 10,000"
	[ -z "$3" ] || grep -qF -e "$3" dom || fail "searching $1: no: $3"
}

searched '' 10,000 ', the first 500 shown'
has '<b>9,999</b>failed'
searched '%3C/script%3E%20tree/7/' 5 'tree/7/&lt;/script&gt;&lt;script&gt;document.title=1&lt;/script&gt;.0.pt'
searched 'tree/42/two' 5 '<td class="name">tree/42/two\nlines.3.pt</td>'
searched '42/%5Cu%7B202e%7Dgpj' 4 '\u{202E}gpj.tp.0.pt'
searched '100%' 0
searched '1b%5B31mred%20/55/' 5 'tree/55/\x1B[31mred\x1B]0;title\x07.4.pt'
grep -q "$(printf '[\033\007]\|\342\200\256')" dom &&
	fail 'characters that turn or hide text are shown as they are'
shown --screenshot="$scratch/page.png" "file://$scratch/page.html"
[ "$(wc -c <page.png 2>/dev/null || echo 0)" -gt 20000 ] ||
	fail "the picture of the page is missing or empty"
[ -z "$SCREENSHOT" ] || cp page.png "$SCREENSHOT"
echo "shown by $("$browser" --version 2>/dev/null)"
finish
