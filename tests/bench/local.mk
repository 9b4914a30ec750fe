# Ratios against named peers; needs a torch, so not part of `make check`.
EXTRA_PROGRAMS += tests/bench/convert_many tests/bench/pickle_load
tests_bench_convert_many_SOURCES = tests/bench/convert_many.c
tests_bench_convert_many_LDADD = core/libferry.la
tests_bench_pickle_load_SOURCES = tests/bench/pickle_load.c
tests_bench_pickle_load_LDADD = formats/libpickle.la core/libferry.la
CLEANFILES += tests/bench/convert_many tests/bench/pickle_load

EXTRA_DIST += \
	tests/bench/bench.py \
	tests/bench/checkpoints.py \
	tests/bench/migrations.py \
	tests/bench/peer.py \
	tests/bench/run.sh \
	tests/bench/timing.py \
	$(NULL)

BENCH_MB = 2048
# Some of: copies memory inspect objects shared migrate; empty: all.
BENCH_ROWS =

.PHONY: bench
bench: all tests/bench/convert_many tests/bench/pickle_load
	$(AM_TESTS_ENVIRONMENT) \
		$(SHELL) $(srcdir)/tests/bench/run.sh $(BENCH_MB) $(BENCH_ROWS) || test $$? = 77
