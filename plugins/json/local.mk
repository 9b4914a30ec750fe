plugin_LTLIBRARIES += plugins/json.la
plugins_json_la_SOURCES = plugins/json/plugin.c
plugins_json_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_json_la_LIBADD = formats/libjson.la core/libferry.la
