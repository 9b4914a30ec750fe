noinst_LTLIBRARIES += formats/libomegaconf.la

formats_libomegaconf_la_SOURCES = \
	formats/omegaconf/build.c \
	formats/omegaconf/edit.c \
	formats/omegaconf/interpolation.c \
	formats/omegaconf/key.c \
	formats/omegaconf/node.c \
	formats/omegaconf/node.h \
	formats/omegaconf/omegaconf.h \
	formats/omegaconf/read.c \
	$(NULL)
formats_libomegaconf_la_LIBADD = core/libferry.la

UNIT_TESTS += tests/unit/test_omegaconf

tests_unit_test_omegaconf_SOURCES = tests/unit/test_omegaconf.c
tests_unit_test_omegaconf_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_omegaconf_LDADD = \
	formats/libomegaconf.la \
	formats/libpickle.la \
	core/libferry.la \
	$(CRITERION_LIBS) \
	$(NULL)

tests_fuzz_replay_omegaconf_SOURCES = \
	tests/fuzz/driver.c \
	tests/fuzz/fuzz_omegaconf.c \
	$(NULL)
tests_fuzz_replay_omegaconf_LDADD = \
	formats/libomegaconf.la \
	formats/libpickle.la \
	core/libferry.la \
	$(NULL)
REPLAY_TESTS += tests/fuzz/replay_omegaconf
