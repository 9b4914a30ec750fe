plugin_LTLIBRARIES += plugins/yaml.la
plugins_yaml_la_SOURCES = plugins/yaml/plugin.c
plugins_yaml_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_yaml_la_LIBADD = formats/libyaml.la core/libferry.la
