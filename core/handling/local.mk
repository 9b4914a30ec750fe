core_libferry_la_SOURCES += \
	core/handling/apply.c \
	core/handling/cast.c \
	core/handling/filter.h \
	core/handling/filter_load.c \
	core/handling/filter_loader.h \
	core/handling/filter_model.c \
	core/handling/filter_match.c \
	core/handling/filter_report.c \
	core/handling/filter_tree.c \
	core/handling/follow.c \
	core/handling/load.c \
	core/handling/load_file.c \
	core/handling/loader.h \
	core/handling/names.c \
	core/handling/pattern.c \
	core/handling/pattern.h \
	core/handling/resize.c \
	core/handling/rules.c \
	core/handling/rules.h \
	core/handling/schema.c \
	core/handling/schema.h \
	core/handling/schema_check.c \
	core/handling/schema_find.c \
	core/handling/schema_formula.c \
	core/handling/schema_formula.h \
	core/handling/schema_load.c \
	core/handling/schema_loader.h \
	core/handling/schema_shift.c \
	core/handling/schema_unroll.c \
	core/handling/yaml_ahead.c \
	core/handling/yaml_ahead.h \
	core/handling/yaml_file.c \
	core/handling/yaml_file.h \
	$(NULL)

UNIT_TESTS += \
	tests/unit/test_filters \
	tests/unit/test_handling \
	tests/unit/test_schema \
	$(NULL)

tests_unit_test_handling_SOURCES = tests/unit/test_handling.c
tests_unit_test_handling_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_handling_LDADD = core/libferry.la $(CRITERION_LIBS)

tests_unit_test_schema_SOURCES = tests/unit/test_schema.c
tests_unit_test_schema_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_schema_LDADD = core/libferry.la $(CRITERION_LIBS)

tests_unit_test_filters_SOURCES = tests/unit/test_filters.c
tests_unit_test_filters_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_filters_LDADD = core/libferry.la $(CRITERION_LIBS)
