plugin_LTLIBRARIES += plugins/pickle.la
plugins_pickle_la_SOURCES = plugins/pickle/plugin.c
plugins_pickle_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_pickle_la_LIBADD = formats/libtorch.la core/libferry.la
