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

# A page that can't be written leaves the one that was there.
cp page.html before.html
(ulimit -f 1; "$jobs" --page=page.html <journal.jsonl) >"$out" 2>"$err" &&
	fail "a page of no room was written"
cmp -s page.html before.html || fail "half a page replaced a whole one"

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
shown --screenshot="$scratch/page.png" "file://$scratch/page.html"
[ "$(wc -c <page.png 2>/dev/null || echo 0)" -gt 20000 ] ||
	fail "the picture of the page is missing or empty"
[ -z "$SCREENSHOT" ] || cp page.png "$SCREENSHOT"
echo "shown by $("$browser" --version 2>/dev/null)"
finish
