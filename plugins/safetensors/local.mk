plugin_LTLIBRARIES += plugins/safetensors.la
plugins_safetensors_la_SOURCES = plugins/safetensors/plugin.c
plugins_safetensors_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_safetensors_la_LIBADD = formats/libsafetensors.la core/libferry.la
