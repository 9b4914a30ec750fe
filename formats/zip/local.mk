noinst_LTLIBRARIES += formats/libzip.la
formats_libzip_la_SOURCES = \
	formats/zip/layout.h \
	formats/zip/read.c \
	formats/zip/verify.c \
	formats/zip/write.c \
	formats/zip/zip.h \
	$(NULL)
formats_libzip_la_LIBADD = core/libferry.la

tests_unit_test_zip_SOURCES = tests/unit/test_zip.c
tests_unit_test_zip_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_zip_LDADD = \
	formats/libzip.la \
	core/libferry.la \
	$(CRITERION_LIBS) \
	$(NULL)
UNIT_TESTS += tests/unit/test_zip

tests_fuzz_replay_zip_SOURCES = \
	tests/fuzz/driver.c \
	tests/fuzz/fuzz_zip.c \
	$(NULL)
tests_fuzz_replay_zip_LDADD = formats/libzip.la core/libferry.la
REPLAY_TESTS += tests/fuzz/replay_zip
