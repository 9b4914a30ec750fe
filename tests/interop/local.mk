# Real frameworks; long, so not part of `make check`: see `make interop`.
EXTRA_DIST += \
	tests/interop/arrays.py \
	tests/interop/audiocraft.py \
	tests/interop/behaviour.py \
	tests/interop/caiman.py \
	tests/interop/cases.py \
	tests/interop/dump.py \
	tests/interop/ksuit.py \
	tests/interop/linnaeus.py \
	tests/interop/matrix.py \
	tests/interop/run.sh \
	tests/interop/shapes.py \
	tests/interop/tree.py \
	tests/interop/yaml_text.py \
	$(NULL)

.PHONY: interop
interop: all
	$(AM_TESTS_ENVIRONMENT) $(SHELL) $(srcdir)/tests/interop/run.sh || test $$? = 77
