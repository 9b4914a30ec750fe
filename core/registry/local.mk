core_libferry_la_SOURCES += \
	core/registry/abilities.c \
	core/registry/diagnose.c \
	core/registry/gate.c \
	core/registry/identify.c \
	core/registry/input.c \
	core/registry/loader.c \
	core/registry/model.c \
	core/registry/nearest.c \
	core/registry/open.c \
	core/registry/opened.h \
	core/registry/option.c \
	core/registry/option.h \
	core/registry/prove.c \
	core/registry/recognise.c \
	core/registry/registry.h \
	core/registry/scan.c \
	core/registry/schema.c \
	core/registry/session.c \
	$(NULL)

UNIT_TESTS += \
	tests/unit/test_directory \
	tests/unit/test_loader \
	tests/unit/test_schema_files \
	tests/unit/test_session \
	$(NULL)

tests_unit_test_loader_SOURCES = tests/unit/test_loader.c
tests_unit_test_loader_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_loader_LDADD = core/libferry.la $(CRITERION_LIBS)

tests_unit_test_session_SOURCES = tests/unit/test_session.c
tests_unit_test_session_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_session_LDADD = core/libferry.la $(CRITERION_LIBS)

tests_unit_test_schema_files_SOURCES = tests/unit/test_schema_files.c
tests_unit_test_schema_files_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_schema_files_LDADD = core/libferry.la $(CRITERION_LIBS)

tests_unit_test_directory_SOURCES = tests/unit/test_directory.c
tests_unit_test_directory_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_directory_LDADD = core/libferry.la $(CRITERION_LIBS)
