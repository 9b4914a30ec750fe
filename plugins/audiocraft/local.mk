plugin_LTLIBRARIES += plugins/audiocraft.la

audiocraft_parts = \
	plugins/audiocraft/audiocraft.h \
	plugins/audiocraft/check.c \
	plugins/audiocraft/codec.c \
	plugins/audiocraft/config.c \
	plugins/audiocraft/conversions.c \
	plugins/audiocraft/describe.c \
	plugins/audiocraft/edit.c \
	plugins/audiocraft/export.c \
	plugins/audiocraft/lm.c \
	plugins/audiocraft/loss.c \
	plugins/audiocraft/name.c \
	plugins/audiocraft/plugin.c \
	plugins/audiocraft/seanet.c \
	plugins/audiocraft/shape.c \
	plugins/audiocraft/state.c \
	plugins/audiocraft/types.c \
	plugins/audiocraft/unfinished.c \
	plugins/audiocraft/upgrade.c \
	plugins/audiocraft/watermark.c \
	plugins/audiocraft/wrap.c \
	$(NULL)

plugins_audiocraft_la_SOURCES = $(audiocraft_parts)
plugins_audiocraft_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_audiocraft_la_LIBADD = \
	formats/libomegaconf.la \
	formats/libyaml.la \
	core/libferry.la \
	$(NULL)

UNIT_TESTS += tests/unit/test_audiocraft

tests_unit_test_audiocraft_SOURCES = \
	tests/unit/test_audiocraft.c \
	$(audiocraft_parts) \
	$(NULL)
tests_unit_test_audiocraft_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_audiocraft_LDADD = \
	formats/libomegaconf.la \
	formats/libyaml.la \
	core/libferry.la \
	$(CRITERION_LIBS) \
	$(NULL)
