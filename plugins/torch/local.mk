plugin_LTLIBRARIES += plugins/torch.la
plugins_torch_la_SOURCES = plugins/torch/plugin.c
plugins_torch_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_torch_la_LIBADD = formats/libtorch.la core/libferry.la
