noinst_LTLIBRARIES += formats/libsafetensors.la

formats_libsafetensors_la_SOURCES = \
	formats/safetensors/dtype.c \
	formats/safetensors/files.c \
	formats/safetensors/files.h \
	formats/safetensors/header.c \
	formats/safetensors/header.h \
	formats/safetensors/inventory.c \
	formats/safetensors/inventory.h \
	formats/safetensors/kept.c \
	formats/safetensors/kept.h \
	formats/safetensors/layout.h \
	formats/safetensors/notes.c \
	formats/safetensors/notes.h \
	formats/safetensors/place.c \
	formats/safetensors/place.h \
	formats/safetensors/read.c \
	formats/safetensors/restore.c \
	formats/safetensors/restore.h \
	formats/safetensors/safetensors.h \
	formats/safetensors/sha256.c \
	formats/safetensors/sha256.h \
	formats/safetensors/stale.c \
	formats/safetensors/stale.h \
	formats/safetensors/verify.c \
	formats/safetensors/write.c \
	$(NULL)
formats_libsafetensors_la_CFLAGS = $(AM_CFLAGS) $(OPENSSL_CFLAGS)
formats_libsafetensors_la_LIBADD = \
	formats/libjson.la \
	core/libferry.la \
	$(OPENSSL_LIBS) \
	$(NULL)

UNIT_TESTS += \
	tests/unit/test_safetensors \
	tests/unit/test_safetensors_corpus \
	$(NULL)

tests_unit_test_safetensors_SOURCES = tests/unit/test_safetensors.c
tests_unit_test_safetensors_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_safetensors_LDADD = \
	formats/libsafetensors.la \
	core/libferry.la \
	$(CRITERION_LIBS) \
	$(NULL)

tests_unit_test_safetensors_corpus_SOURCES = \
	tests/unit/test_safetensors_corpus.c
tests_unit_test_safetensors_corpus_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_safetensors_corpus_LDADD = \
	formats/libsafetensors.la \
	formats/libjson.la \
	core/libferry.la \
	$(CRITERION_LIBS) \
	$(NULL)

REPLAY_TESTS += tests/fuzz/replay_safetensors

tests_fuzz_replay_safetensors_SOURCES = \
	tests/fuzz/driver.c \
	tests/fuzz/fuzz_safetensors.c \
	$(NULL)
tests_fuzz_replay_safetensors_LDADD = \
	formats/libsafetensors.la \
	core/libferry.la \
	$(NULL)
