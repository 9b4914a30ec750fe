noinst_LTLIBRARIES += formats/libpickle.la

formats_libpickle_la_SOURCES = \
	formats/pickle/atom.c \
	formats/pickle/danger.c \
	formats/pickle/discard.c \
	formats/pickle/emit.c \
	formats/pickle/encoded.c \
	formats/pickle/graph.c \
	formats/pickle/graph.h \
	formats/pickle/input.c \
	formats/pickle/input.h \
	formats/pickle/latin1.c \
	formats/pickle/latin1.h \
	formats/pickle/line.c \
	formats/pickle/machine.h \
	formats/pickle/memo.c \
	formats/pickle/memo.h \
	formats/pickle/numpy.c \
	formats/pickle/numpy_type.c \
	formats/pickle/object.c \
	formats/pickle/output.c \
	formats/pickle/output.h \
	formats/pickle/pickle.h \
	formats/pickle/plain.c \
	formats/pickle/read.c \
	formats/pickle/scan.c \
	formats/pickle/write.c \
	formats/pickle/writer.h \
	$(NULL)
formats_libpickle_la_LIBADD = core/libferry.la

UNIT_TESTS += \
	tests/unit/test_pickle \
	tests/unit/test_pickle_corpus \
	tests/unit/test_pickle_numpy \
	tests/unit/test_pickle_plugin \
	$(NULL)

tests_unit_test_pickle_SOURCES = tests/unit/test_pickle.c
tests_unit_test_pickle_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_pickle_LDADD = \
	formats/libpickle.la \
	core/libferry.la \
	$(CRITERION_LIBS) \
	$(NULL)

tests_unit_test_pickle_corpus_SOURCES = tests/unit/test_pickle_corpus.c
tests_unit_test_pickle_corpus_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_pickle_corpus_LDADD = \
	formats/libpickle.la \
	core/libferry.la \
	$(CRITERION_LIBS) \
	$(NULL)

tests_unit_test_pickle_numpy_SOURCES = tests/unit/test_pickle_numpy.c
tests_unit_test_pickle_numpy_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_pickle_numpy_LDADD = \
	formats/libpickle.la \
	core/libferry.la \
	$(CRITERION_LIBS) \
	$(NULL)

tests_unit_test_pickle_plugin_SOURCES = \
	plugins/pickle/plugin.c \
	tests/unit/test_pickle_plugin.c \
	$(NULL)
tests_unit_test_pickle_plugin_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_pickle_plugin_LDADD = \
	formats/libtorch.la \
	core/libferry.la \
	$(CRITERION_LIBS) \
	$(NULL)

check_PROGRAMS += tests/tools/pickle_roundtrip
tests_tools_pickle_roundtrip_SOURCES = tests/tools/pickle_roundtrip.c
tests_tools_pickle_roundtrip_LDADD = formats/libpickle.la core/libferry.la

tests_fuzz_replay_pickle_SOURCES = \
	tests/fuzz/driver.c \
	tests/fuzz/fuzz_pickle.c \
	$(NULL)
tests_fuzz_replay_pickle_LDADD = formats/libpickle.la core/libferry.la
REPLAY_TESTS += tests/fuzz/replay_pickle
