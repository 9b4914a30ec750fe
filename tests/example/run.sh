#!/bin/sh
# Build the example plugin as a stranger would: outside of the tree, against an
# installed ferry, by pkg-config alone; then carry a checkpoint through it.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
dest=$abs_top_builddir/tests/example/stage

say() { echo "example: $*"; }
fail() { say "$*" >&2; exit 1; }

pc=$(find "$dest" -name ferry-plugin.pc)
[ -n "$pc" ] || fail "no ferry-plugin.pc was installed"
libdir=$(dirname "$(dirname "$pc")")

PKG_CONFIG_PATH=$(dirname "$pc")
PKG_CONFIG_SYSROOT_DIR=$dest
LD_LIBRARY_PATH=$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR LD_LIBRARY_PATH

mkdir "$tmp/bundle"
cp "$abs_top_srcdir"/doc/examples/llama-bundle/* "$tmp/bundle"
if grep -q "$abs_top_srcdir" "$tmp/bundle"/*; then
	fail "the example names the source tree"
fi
"$MAKE" -C "$tmp/bundle" CC="$CC" CFLAGS=-O1 \
	>"$tmp/build.log" 2>&1 ||
	{ cat "$tmp/build.log"; fail "the example does not build"; }

# The installed ferry with the plugins installed beside it, and this one.
unset FERRY_PLUGIN_PATH_ONLY
ferry=$(find "$dest" -path '*/bin/ferry')
plugins=$(find "$dest" -name numpy.so)
FERRY_PLUGIN_PATH=$tmp/bundle:$(dirname "$plugins")
export FERRY_PLUGIN_PATH

"$ferry" formats >"$tmp/formats" || fail "ferry formats failed"
grep -q '^ *bundle ' "$tmp/formats" ||
	{ cat "$tmp/formats"; fail "ferry formats does not list it"; }

cd "$tmp"
corpus=$abs_top_srcdir/tests/corpus/example
"$ferry" convert "$corpus/model.safetensors" model.bundle.json
[ -s model.bundle.bin ] || fail "no data file was written"
"$ferry" convert model.bundle.json back.safetensors
"$ferry" diff "$corpus/model.safetensors" back.safetensors ||
	fail "what came back differs"
"$ferry" inspect model.bundle.json >inspect.txt
grep -q 'bundle' inspect.txt || fail "inspect does not say what it is"

# Found by content under another name; a missing data file is named.
cp model.bundle.json other.json
"$ferry" diff other.json back.safetensors || fail "probing by content failed"
rm model.bundle.bin
if "$ferry" inspect model.bundle.json >/dev/null 2>missing.txt; then
	fail "a missing data file was not noticed"
fi
grep -q 'model.bundle.bin' missing.txt || fail "which file is missing is unsaid"

# A name that leaves the directory is refused.
sed 's|model.bundle.bin|../model.bundle.bin|' model.bundle.json >escape.json
if "$ferry" inspect escape.json >/dev/null 2>escape.txt; then
	fail "a name that leaves the directory was followed"
fi

# What a bundle can't hold stops the conversion, and --allow-loss lets it by.
"$ferry" convert "$abs_top_srcdir/tests/corpus/numpy/numpy-2/mixed.npz" \
	lossy.bundle.json 2>loss.txt && fail "a loss went unsaid"
grep -q 'readme.txt' loss.txt || { cat loss.txt; fail "the loss is not named"; }
[ ! -e lossy.bundle.json ] || fail "a refused conversion left a file"
"$ferry" convert --allow-loss=structure \
	"$abs_top_srcdir/tests/corpus/numpy/numpy-2/mixed.npz" \
	lossy.bundle.json 2>allowed.txt || { cat allowed.txt; fail "--allow-loss"; }
say "passed"
