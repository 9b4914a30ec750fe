plugin_LTLIBRARIES += plugins/raw.la
plugins_raw_la_SOURCES = plugins/raw/plugin.c
plugins_raw_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_raw_la_LIBADD = core/libferry.la

UNIT_TESTS += tests/unit/test_raw

tests_unit_test_raw_SOURCES = plugins/raw/plugin.c tests/unit/test_raw.c
tests_unit_test_raw_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_raw_LDADD = core/libferry.la $(CRITERION_LIBS)
