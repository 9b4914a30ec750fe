# All but the descriptor, which the unit test links too.
noinst_LTLIBRARIES += plugins/libcaiman.la

plugins_libcaiman_la_SOURCES = \
	plugins/caiman/average.c \
	plugins/caiman/average.h \
	plugins/caiman/check.c \
	plugins/caiman/check.h \
	plugins/caiman/coerce.c \
	plugins/caiman/coerce.h \
	plugins/caiman/describe.c \
	plugins/caiman/describe.h \
	plugins/caiman/export.c \
	plugins/caiman/export.h \
	plugins/caiman/export_files.c \
	plugins/caiman/inference.c \
	plugins/caiman/inference.h \
	plugins/caiman/migrate.c \
	plugins/caiman/migrate.h \
	plugins/caiman/migrate_hardware.c \
	plugins/caiman/migrate_training.c \
	plugins/caiman/number.c \
	plugins/caiman/number.h \
	plugins/caiman/origin.c \
	plugins/caiman/origin.h \
	plugins/caiman/pieces.c \
	plugins/caiman/pieces.h \
	plugins/caiman/recognise.c \
	plugins/caiman/release.c \
	plugins/caiman/release.h \
	plugins/caiman/report.c \
	plugins/caiman/report.h \
	plugins/caiman/sentencepiece.c \
	plugins/caiman/sentencepiece.h \
	plugins/caiman/shape.c \
	plugins/caiman/shape.h \
	plugins/caiman/tensors.c \
	plugins/caiman/training_config.c \
	plugins/caiman/training_config.h \
	plugins/caiman/types.c \
	plugins/caiman/types.h \
	plugins/caiman/variant.c \
	plugins/caiman/variant.h \
	plugins/caiman/weights.c \
	plugins/caiman/weights.h \
	$(NULL)
plugins_libcaiman_la_LIBADD = formats/libyaml.la core/libferry.la

plugin_LTLIBRARIES += plugins/caiman.la
plugins_caiman_la_SOURCES = plugins/caiman/plugin.c
plugins_caiman_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_caiman_la_LIBADD = plugins/libcaiman.la core/libferry.la

UNIT_TESTS += tests/unit/test_caiman
tests_unit_test_caiman_SOURCES = tests/unit/test_caiman.c
tests_unit_test_caiman_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_caiman_LDADD = plugins/libcaiman.la core/libferry.la 	$(CRITERION_LIBS)
