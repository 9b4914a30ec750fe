plugin_LTLIBRARIES += plugins/numpy.la
plugins_numpy_la_SOURCES = plugins/numpy/plugin.c
plugins_numpy_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_numpy_la_LIBADD = formats/libnumpy.la core/libferry.la
