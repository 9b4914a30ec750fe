plugin_LTLIBRARIES += plugins/statedict.la

plugins_statedict_la_SOURCES = \
	plugins/statedict/conversions.c \
	plugins/statedict/describe.c \
	plugins/statedict/flatten.c \
	plugins/statedict/plugin.c \
	plugins/statedict/shape.c \
	plugins/statedict/statedict.h \
	plugins/statedict/types.c \
	$(NULL)
plugins_statedict_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_statedict_la_LIBADD = core/libferry.la
