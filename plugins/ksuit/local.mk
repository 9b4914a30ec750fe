plugin_LTLIBRARIES += plugins/ksuit.la

ksuit_sources = \
	formats/torch/allowed.c \
	formats/torch/allowed.h \
	formats/yaml/node.h \
	formats/yaml/number.c \
	formats/yaml/scalar.h \
	formats/yaml/yaml.h \
	plugins/ksuit/apart.c \
	plugins/ksuit/check.c \
	plugins/ksuit/compose.c \
	plugins/ksuit/composite.c \
	plugins/ksuit/composite.h \
	plugins/ksuit/describe.c \
	plugins/ksuit/divide.c \
	plugins/ksuit/follow.c \
	plugins/ksuit/keys.c \
	plugins/ksuit/ksuit.h \
	plugins/ksuit/make.c \
	plugins/ksuit/names.c \
	plugins/ksuit/ordered.c \
	plugins/ksuit/parts.c \
	plugins/ksuit/plain.c \
	plugins/ksuit/plugin.c \
	plugins/ksuit/previous.c \
	plugins/ksuit/resolver.c \
	plugins/ksuit/run_edit.c \
	plugins/ksuit/run_files.c \
	plugins/ksuit/run_format.c \
	plugins/ksuit/run_type.c \
	plugins/ksuit/scalar.c \
	plugins/ksuit/scalar.h \
	plugins/ksuit/trainer.c \
	plugins/ksuit/types.c \
	plugins/ksuit/upgrade.c \
	$(NULL)

plugins_ksuit_la_SOURCES = $(ksuit_sources)
plugins_ksuit_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_ksuit_la_LIBADD = core/libferry.la

UNIT_TESTS += tests/unit/test_ksuit
tests_unit_test_ksuit_SOURCES = tests/unit/test_ksuit.c $(ksuit_sources) \
	core/registry/option.h
tests_unit_test_ksuit_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_ksuit_LDADD = core/libferry.la $(CRITERION_LIBS)
