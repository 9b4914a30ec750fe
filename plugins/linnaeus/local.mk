plugin_LTLIBRARIES += plugins/linnaeus.la
plugins_linnaeus_la_SOURCES = \
	plugins/linnaeus/check.c \
	plugins/linnaeus/config.c \
	plugins/linnaeus/describe.c \
	plugins/linnaeus/linnaeus.h \
	plugins/linnaeus/plugin.c \
	plugins/linnaeus/recognise.c \
	plugins/linnaeus/stitch.c \
	plugins/linnaeus/target.c \
	plugins/linnaeus/target.h \
	plugins/linnaeus/types.c \
	plugins/linnaeus/value.c \
	plugins/linnaeus/weights.c \
	$(NULL)
plugins_linnaeus_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_linnaeus_la_LIBADD = core/libferry.la

UNIT_TESTS += tests/unit/test_linnaeus
tests_unit_test_linnaeus_SOURCES = tests/unit/test_linnaeus.c
tests_unit_test_linnaeus_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_linnaeus_LDADD = core/libferry.la $(CRITERION_LIBS) -lm
