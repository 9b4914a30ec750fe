#!/bin/sh
# Run the benchmark with the interoperability tests' torch, else Debian's.
# The programs themselves are run, not libtool's wrappers around them.
here=$(cd "$(dirname "$0")" && pwd)
top=${abs_top_builddir:-.}
python=${FERRY_INTEROP_VENV:-$top/interop-venv}/bin/python
"$python" -c 'import torch, safetensors' 2>/dev/null || python=/usr/bin/python3
"$python" -c 'import torch, safetensors' 2>/dev/null || {
	echo "SKIPPED: no torch with safetensors to measure against;" \
		"run 'make interop' first, where PyPI is reached" >&2
	exit 77
}
LD_LIBRARY_PATH=$top/core/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
program() {
	if [ -x "$top/$1/.libs/$2" ]; then
		echo "$top/$1/.libs/$2"
	else
		echo "$top/$1/$2"
	fi
}
exec "$python" "$here/bench.py" "$(program cli ferry)" \
	"$(program tests/bench pickle_load)" \
	"$(program tests/bench convert_many)" "$top/bench-work" "$@"
