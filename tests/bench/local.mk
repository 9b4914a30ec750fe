# Ratios against named peers; needs a torch, so not part of `make check`.
EXTRA_PROGRAMS += tests/bench/pickle_load
tests_bench_pickle_load_SOURCES = tests/bench/pickle_load.c
tests_bench_pickle_load_LDADD = formats/libpickle.la core/libferry.la
CLEANFILES += tests/bench/pickle_load

EXTRA_DIST += \
	tests/bench/bench.py \
	tests/bench/run.sh \
	$(NULL)

BENCH_MB = 2048

.PHONY: bench
bench: all tests/bench/pickle_load
	$(AM_TESTS_ENVIRONMENT) \
		$(SHELL) $(srcdir)/tests/bench/run.sh $(BENCH_MB)
