noinst_LTLIBRARIES += formats/libnumpy.la
formats_libnumpy_la_SOURCES = \
	formats/numpy/array.h \
	formats/numpy/element.c \
	formats/numpy/element.h \
	formats/numpy/encode.c \
	formats/numpy/header.c \
	formats/numpy/literal.c \
	formats/numpy/literal.h \
	formats/numpy/npz.h \
	formats/numpy/npz_document.c \
	formats/numpy/npz_read.c \
	formats/numpy/npz_write.c \
	formats/numpy/numpy.h \
	formats/numpy/pick.c \
	formats/numpy/pick.h \
	formats/numpy/read.c \
	formats/numpy/scan.c \
	formats/numpy/write.c \
	$(NULL)
formats_libnumpy_la_LIBADD = \
	formats/libpickle.la \
	formats/libzip.la \
	formats/libjson.la \
	core/libferry.la \
	$(NULL)

UNIT_TESTS += tests/unit/test_npy tests/unit/test_npz

tests_unit_test_npy_SOURCES = \
	tests/unit/numpy_files.h \
	tests/unit/test_npy.c \
	$(NULL)
tests_unit_test_npy_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_npy_LDADD = \
	formats/libnumpy.la \
	core/libferry.la \
	$(CRITERION_LIBS) \
	$(NULL)

tests_unit_test_npz_SOURCES = \
	tests/unit/numpy_files.h \
	tests/unit/test_npz.c \
	$(NULL)
tests_unit_test_npz_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_npz_LDADD = \
	formats/libnumpy.la \
	core/libferry.la \
	$(CRITERION_LIBS) \
	$(NULL)

REPLAY_TESTS += tests/fuzz/replay_npy
tests_fuzz_replay_npy_SOURCES = tests/fuzz/fuzz_npy.c tests/fuzz/driver.c
tests_fuzz_replay_npy_LDADD = formats/libnumpy.la core/libferry.la
