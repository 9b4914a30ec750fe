core_libferry_la_SOURCES += \
	core/handling/apply.c \
	core/handling/cast.c \
	core/handling/follow.c \
	core/handling/load.c \
	core/handling/names.c \
	core/handling/pattern.c \
	core/handling/pattern.h \
	core/handling/rules.c \
	core/handling/rules.h \
	core/handling/yaml_file.c \
	core/handling/yaml_file.h \
	$(NULL)

UNIT_TESTS += tests/unit/test_handling

tests_unit_test_handling_SOURCES = tests/unit/test_handling.c
tests_unit_test_handling_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_handling_LDADD = core/libferry.la $(CRITERION_LIBS)
