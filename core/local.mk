lib_LTLIBRARIES += core/libferry.la

core_libferry_la_SOURCES =
core_libferry_la_CPPFLAGS = \
	$(AM_CPPFLAGS) \
	-DPLUGINDIR='"$(plugindir)"' \
	-DSCHEMADIR='"$(schemadir)"' \
	$(NULL)
core_libferry_la_CFLAGS = \
	$(AM_CFLAGS) \
	$(ZLIB_CFLAGS) \
	$(DEFLATE_CFLAGS) \
	$(PCRE2_CFLAGS) \
	$(YAML_CFLAGS) \
	$(JANSSON_CFLAGS) \
	$(OPENSSL_CFLAGS) \
	$(XXHASH_CFLAGS) \
	$(NULL)
core_libferry_la_LDFLAGS = \
	$(AM_LDFLAGS) \
	-version-info $(FERRY_LTVERSION) \
	-no-undefined \
	$(NULL)
core_libferry_la_LIBADD = \
	$(ZLIB_LIBS) \
	$(DEFLATE_LIBS) \
	$(PCRE2_LIBS) \
	$(YAML_LIBS) \
	$(JANSSON_LIBS) \
	$(OPENSSL_LIBS) \
	$(XXHASH_LIBS) \
	$(NULL)

ferryincludedir = $(includedir)/ferry
ferryinclude_HEADERS = \
	core/include/ferry/abilities.h \
	core/include/ferry/api.h \
	core/include/ferry/dtype.h \
	core/include/ferry/error.h \
	core/include/ferry/filters.h \
	core/include/ferry/findings.h \
	core/include/ferry/handling.h \
	core/include/ferry/migrate.h \
	core/include/ferry/plan.h \
	core/include/ferry/schema.h \
	core/include/ferry/session.h \
	core/include/ferry/tensor.h \
	core/include/ferry/value.h \
	core/include/ferry/work.h \
	$(NULL)
ferrysysincludedir = $(includedir)/ferry/sys
ferrysysinclude_HEADERS = \
	core/include/ferry/sys/alloc.h \
	core/include/ferry/sys/base64.h \
	core/include/ferry/sys/buffer.h \
	core/include/ferry/sys/build.h \
	core/include/ferry/sys/bytes.h \
	core/include/ferry/sys/ckd.h \
	core/include/ferry/sys/map.h \
	core/include/ferry/sys/ops.h \
	core/include/ferry/sys/python_name.h \
	core/include/ferry/sys/plugin.h \
	core/include/ferry/sys/sink.h \
	core/include/ferry/sys/source.h \
	$(NULL)

include core/base/local.mk
include core/io/local.mk
include core/model/local.mk
include core/registry/local.mk
include core/handling/local.mk
include core/chain/local.mk
include core/batch/local.mk
