#!/bin/sh
# The rules of the house (doc/architecture.md) that a look at the text can hold.
# Comments may cite where a fact comes from; code may not.

src=${abs_top_srcdir:-.}
build=${abs_top_builddir:-$src}
CC=${CC:-cc}
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
failed=0

complain() {
	echo "FAIL: $1"
	sed "s|^$src/|    |;s|^|    |" "$work/found"
	failed=1
}

# Report the lines in $work/found, if there are any.
none() {
	[ -s "$work/found" ] && complain "$1"
}

files() {
	(cd "$src" && find "$@" \( -name '*.c' -o -name '*.h' \) | sort)
}

# The text of a C file without comments, lines kept.
code() {
	awk -v file="$1" '
	{
		line = $0; out = ""
		while (length(line)) {
			if (inside) {
				i = index(line, "*/")
				if (!i) { line = ""; break }
				line = substr(line, i + 2); inside = 0
				continue
			}
			i = index(line, "/*")
			if (!i) { out = out line; break }
			out = out substr(line, 1, i - 1)
			line = substr(line, i + 2); inside = 1
		}
		print file ":" NR ":" out
	}' "$src/$1"
}

all_code() {
	files "$@" | while read -r f; do code "$f"; done
}

includes() {
	all_code "$@" | grep -E '^[^:]*:[0-9]*:[[:space:]]*#[[:space:]]*include'
}

# R1: the core names no format, no framework and no model (a module of Python
# has the name of a format).
names='torch|safetensors|numpy|pickle|npz|npy|json|caiman|audiocraft|ksuit'
names="$names|linnaeus|tensorflow|keras|gguf|hdf5|lightning|flax|onnx|llama"
# The records of a migration's ledger are ferry's own and JSON.
all_code core | grep -v '^core/model/python_name\.c:[0-9]*:.*{ "cPickle"' |
	sed 's/^[^:]*:[0-9]*:/&\t/' |
	sed '/^core\/batch\//s/[Jj][Ss][Oo][Nn]//g' |
	awk -F '\t' '{ at = $1; $1 = ""; print at tolower($0) }' |
	grep -E "($names)" >"$work/found"
none "core/ names a format, a framework or a model"

# ... and is made of core alone.
includes core | grep -E '"(formats|plugins|cli|tests)/' >"$work/found"
none "core/ includes what is not core"

# formats/ know core by its headers for plugins, and no plugin.
includes formats | grep -E '"(core|plugins|cli|tests)/' >"$work/found"
none "formats/ include more than <ferry/...> and formats/"

# plugins/ likewise, and nothing of each other.
includes plugins | grep -E '"(core|cli|tests)/' >"$work/found"
includes plugins | awk -F '[/"]' '
	$0 ~ /"plugins\// {
		for (i = 1; i <= NF; i++)
			if ($i == "plugins" && i > 1 && $(i + 1) != $2) print
	}' >>"$work/found"
none "a plugin includes core files or another plugin"

# cli/ uses public headers only.
includes cli | grep -E '<ferry/sys/|"(core|formats|plugins|tests)/' \
	>"$work/found"
none "cli/ includes more than <ferry/*.h>"

# One place loads shared objects, one allocates.
all_code core formats plugins cli | grep -w 'dlopen' |
	grep -v '^core/registry/loader\.c:' >"$work/found"
none "dlopen is called outside of core/registry/loader.c"
all_code core formats plugins |
	grep -wE '(malloc|calloc|realloc|strdup|strndup) *\(' |
	grep -v '^core/base/alloc\.c:' >"$work/found"
none "memory is allocated other than through ferry/sys/alloc.h"

banned='strcpy|strcat|sprintf|vsprintf|gets|alloca|atoi|atol|atof|system|popen'
all_code core formats plugins cli | grep -wE "($banned) *\(" >"$work/found"
none "a banned function is called"

# Every public header stands alone, in C11 and in C++.
: >"$work/found"
for h in $(cd "$src/core/include" && find ferry -name '*.h' | sort); do
	printf '#include <%s>\nextern int not_empty;\n' "$h" >"$work/t.c"
	$CC -std=c11 -pedantic -Wall -Wextra -Werror -fsyntax-only \
		-I"$src/core/include" "$work/t.c" >>"$work/found" 2>&1
done
none "a public header does not compile alone as C11"
CXX=${CXX:-c++}
if command -v "$CXX" >/dev/null 2>&1; then
	: >"$work/found"
	for h in $(cd "$src/core/include" && find ferry -name '*.h' | sort)
	do
		echo "#include <$h>" >"$work/t.cc"
		"$CXX" -std=c++11 -Wall -Wextra -Werror -fsyntax-only \
			-I"$src/core/include" "$work/t.cc" \
			>>"$work/found" 2>&1
	done
	none "a public header does not compile alone as C++"
fi

# What is exported is the interface, and nothing else.
lib=$build/core/.libs/libferry.so
if [ -e "$lib" ] && command -v nm >/dev/null 2>&1; then
	nm -D --defined-only "$lib" | awk '{ print $NF }' |
		sed 's/@.*//' | grep -vE '^ferry_[a-z0-9]' >"$work/found"
	none "libferry exports what does not begin with ferry_"
	: >"$work/found"
	for so in "$build"/plugins/.libs/*.so; do
		nm -D --defined-only "$so" | awk '{ print $NF }' |
			sed 's/@.*//' | grep -vE '^ferry_plugin_v1$' |
			sed "s|^|${so##*/}: |" >>"$work/found"
	done
	none "a plugin exports more than its descriptor"
fi

# A folder's fragment names every source in it.
: >"$work/found"
for f in $(files core formats plugins cli tests/unit tests/plugins); do
	d=$(dirname "$f")
	while [ ! -e "$src/$d/local.mk" ] && [ "$d" != . ]; do
		d=$(dirname "$d")
	done
	grep -qF "$f" "$src"/*/local.mk "$src"/*/*/local.mk ||
		echo "$f" >>"$work/found"
done
none "a source is in no local.mk"

exit $failed
