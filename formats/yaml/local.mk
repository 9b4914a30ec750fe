noinst_LTLIBRARIES += formats/libyaml.la

formats_libyaml_la_SOURCES = \
	formats/yaml/analyze.c \
	formats/yaml/binary.c \
	formats/yaml/compose.c \
	formats/yaml/construct.c \
	formats/yaml/copy.c \
	formats/yaml/emit.c \
	formats/yaml/emit.h \
	formats/yaml/emit_scalar.c \
	formats/yaml/held.c \
	formats/yaml/held.h \
	formats/yaml/losses.c \
	formats/yaml/merge.c \
	formats/yaml/node.h \
	formats/yaml/number.c \
	formats/yaml/quoted.c \
	formats/yaml/read.c \
	formats/yaml/resolve.c \
	formats/yaml/scalar.h \
	formats/yaml/timestamp.c \
	formats/yaml/write.c \
	formats/yaml/yaml.h \
	$(NULL)
formats_libyaml_la_CFLAGS = $(AM_CFLAGS) $(YAML_CFLAGS)
formats_libyaml_la_LIBADD = core/libferry.la $(YAML_LIBS)

UNIT_TESTS += tests/unit/test_yaml

tests_unit_test_yaml_SOURCES = tests/unit/test_yaml.c
tests_unit_test_yaml_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_yaml_LDADD = \
	formats/libyaml.la \
	core/libferry.la \
	$(CRITERION_LIBS) \
	$(NULL)

REPLAY_TESTS += tests/fuzz/replay_yaml

tests_fuzz_replay_yaml_SOURCES = tests/fuzz/fuzz_yaml.c tests/fuzz/driver.c
tests_fuzz_replay_yaml_LDADD = formats/libyaml.la core/libferry.la
