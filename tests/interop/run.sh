#!/bin/sh
# The interoperability matrix, with every torch this machine can have:
# 2.13.0 from PyPI in a virtual environment, and Debian's python3-torch.
#
#   FERRY_INTEROP_VENV   where the environment is kept (default: in the build)
#   FERRY_INTEROP=no     skip
here=$(cd "$(dirname "$0")" && pwd)
venv=${FERRY_INTEROP_VENV:-${abs_top_builddir:-.}/interop-venv}
work=${abs_top_builddir:-.}/interop-work
log=${abs_top_builddir:-.}/interop-pip.log

skip() {
	echo "SKIPPED, and nothing about real frameworks was proved: $*" >&2
	exit 77
}

[ "${FERRY_INTEROP:-yes}" = no ] && skip "FERRY_INTEROP=no"

has_torch() {
	[ -x "$1" ] && "$1" -c 'import torch, numpy' >/dev/null 2>&1
}

make_venv() {
	has_torch "$venv/bin/python" && return 0
	rm -rf "$venv"
	python3 -m venv "$venv" >"$log" 2>&1 || return 1
	"$venv/bin/pip" install -q torch==2.13.0 numpy safetensors ml_dtypes \
		>>"$log" 2>&1 || { rm -rf "$venv"; return 1; }
}

# What reads and writes configurations; the environment may be older than this.
has_yaml() {
	"$venv/bin/python" -c 'import yaml, omegaconf' >/dev/null 2>&1 ||
		"$venv/bin/pip" install -q pyyaml omegaconf==2.3.0 \
			>>"$log" 2>&1
}

# Releases of omegaconf, each in a directory of its own: name one, and what it
# needs, as "release antlr".
omegaconf=
add_omegaconf() {
	dir=$venv/omegaconf-$1
	[ -d "$dir/omegaconf" ] ||
		"$venv/bin/pip" install -q --no-deps --target "$dir" \
			"omegaconf==$1" "antlr4-python3-runtime==$2" PyYAML \
			>>"$log" 2>&1 || return 0
	omegaconf="$omegaconf $dir"
}

pythons=
if make_venv; then
	pythons="$venv/bin/python"
else
	echo "no torch from PyPI (see $log): only Debian's is used" >&2
fi
if has_torch /usr/bin/python3; then
	pythons="$pythons /usr/bin/python3"
else
	echo "no Debian python3-torch: torch 1.13 is not tested" >&2
fi
[ -n "$pythons" ] || skip "neither PyPI's torch ($log) nor Debian's python3-torch is here"

# each NAME PYTHONS ARGUMENT...: NAME.py by every one at once, in a directory of
# its own.  One that skips itself is no failure.
each() {
	name=$1 run_by=$2 pids=
	shift 2
	for python in $run_by; do
		own=$work/$name-$(echo "$pids" | wc -w)
		"$python" "$here/$name.py" "$FERRY" "$own" "$@" \
			>"$own.log" 2>&1 &
		pids="$pids $!"
	done
	n=0
	for pid in $pids; do
		wait "$pid"
		case $? in
		0 | 77) ;;
		*) status=1 ;;
		esac
		cat "$work/$name-$n.log"
		n=$((n + 1))
	done
}

rm -rf "$work"
# shellcheck disable=SC2086 # a list of words
python3 "$here/matrix.py" "$FERRY" "$work" $pythons
status=$?
mkdir -p "$work"
each arrays "$pythons"
each ksuit "$pythons"
if has_yaml; then
	"$venv/bin/python" "$here/yaml_text.py" "$FERRY" "$work/yaml" ||
		status=1
else
	echo "no OmegaConf from PyPI (see $log): YAML is not tested" >&2
fi

# CAIMAN-ASR: what its releases validate configs with, and torch.
pydantic() {
	[ -x "$venv-$1/bin/python" ] && return 0
	python3 -m venv "$venv-$1" >>"$log" 2>&1 &&
		"$venv-$1/bin/pip" install -q "pydantic==$1" pyyaml \
			>>"$log" 2>&1 || { rm -rf "$venv-$1"; return 1; }
}

corpus=${FERRY_CORPUS:-$here/../corpus}
validators=
for release in 1.10.6 2.8.2; do
	if pydantic $release; then
		validators="$validators $venv-$release/bin/python"
	else
		echo "no pydantic $release (see $log): not tested" >&2
	fi
done
each caiman "$validators" "$corpus" pydantic
each caiman "$pythons" "$corpus" torch

# linnaeus: what its configs are made of.
yacs=$venv/yacs
if [ -x "$venv/bin/pip" ] && [ ! -d "$yacs/yacs" ]; then
	"$venv/bin/pip" install -q --no-deps --target "$yacs" yacs==0.1.8 \
		pyyaml >>"$log" 2>&1
fi
each linnaeus "$pythons" "$corpus" "$yacs"

# A tree that every framework has left something in, migrated in three ways.
migrate_tree() {
	tree=$work/tree
	mkdir -p "$tree/old" && cp "$here/../../doc/examples/tree.yaml" "$tree"
	for made_by in /usr/bin/python3 "$venv/bin/python"; do
		"$made_by" "$here/tree.py" make "$tree/old" "$corpus" ||
			return 1
	done
	# Streams of 2019 name storages by their addresses.
	diff -r -x 2019 "$tree/old" "$here/../../doc/examples/tree" >&2 || {
		echo "doc/examples/tree is not what tree.py makes" >&2
		return 1
	}
	(cd "$tree" && "$FERRY" migrate -q old upgrade --upgrade --verify
	 "$FERRY" migrate -q old weights --recipe weights-only --verify
	 "$FERRY" migrate -q old recipe --recipe tree.yaml --verify)
	for python in $pythons; do
		for how in upgrade weights recipe; do
			"$python" "$here/tree.py" check "$tree/old" \
				"$tree/$how" $how || return 1
		done
	done
}

case $pythons in
*"$venv/bin/python /usr/bin/python3"*) migrate_tree || status=1 ;;
*) echo "no two torches: the tree is not tested" >&2 ;;
esac

if [ -x "$venv/bin/pip" ]; then
	add_omegaconf 2.3.0 4.9.3
	add_omegaconf 2.2.3 4.9.3
	add_omegaconf 2.1.2 4.8
	add_omegaconf 2.0.6 4.8
fi
# AudioCraft's modules alone: what else it needs is not called.
AUDIOCRAFT=$venv/audiocraft
export AUDIOCRAFT
if [ -x "$venv/bin/pip" ] && [ ! -d "$AUDIOCRAFT/audiocraft" ]; then
	"$venv/bin/pip" install -q --no-deps --target "$AUDIOCRAFT" \
		audiocraft==1.3.0 einops >>"$log" 2>&1
fi
# shellcheck disable=SC2086 # a list of words
each audiocraft "$pythons" $omegaconf
[ $status -eq 0 ] && rm -rf "$work"
exit $status
