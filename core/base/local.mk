core_libferry_la_SOURCES += \
	core/base/alloc.c \
	core/base/base64.c \
	core/base/buffer.c \
	core/base/error.c \
	core/base/findings.c \
	core/base/hash.c \
	core/base/map.c \
	core/base/utf8.c \
	core/base/utf8.h \
	$(NULL)

UNIT_TESTS += \
	tests/unit/test_alloc_failure \
	tests/unit/test_buffer \
	tests/unit/test_error \
	tests/unit/test_findings \
	tests/unit/test_map \
	$(NULL)

tests_unit_test_alloc_failure_SOURCES = tests/unit/test_alloc_failure.c
tests_unit_test_alloc_failure_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_alloc_failure_LDADD = core/libferry.la $(CRITERION_LIBS)

tests_unit_test_buffer_SOURCES = tests/unit/test_buffer.c
tests_unit_test_buffer_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_buffer_LDADD = core/libferry.la $(CRITERION_LIBS)

tests_unit_test_error_SOURCES = tests/unit/test_error.c
tests_unit_test_error_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_error_LDADD = core/libferry.la $(CRITERION_LIBS)

tests_unit_test_findings_SOURCES = tests/unit/test_findings.c
tests_unit_test_findings_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_findings_LDADD = core/libferry.la $(CRITERION_LIBS)

tests_unit_test_map_SOURCES = tests/unit/test_map.c
tests_unit_test_map_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_map_LDADD = core/libferry.la $(CRITERION_LIBS)
