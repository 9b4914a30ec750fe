noinst_LTLIBRARIES += formats/libjson.la

formats_libjson_la_SOURCES = \
	formats/json/indent.c \
	formats/json/json.h \
	formats/json/read.c \
	formats/json/read.h \
	formats/json/scan.c \
	formats/json/scan.h \
	formats/json/text.c \
	formats/json/text.h \
	formats/json/typed.h \
	formats/json/typed_fields.c \
	formats/json/typed_fields.h \
	formats/json/typed_leaf.c \
	formats/json/typed_marks.c \
	formats/json/typed_object.c \
	formats/json/typed_out.h \
	formats/json/typed_read.c \
	formats/json/typed_read.h \
	formats/json/typed_scalar.c \
	formats/json/typed_write.c \
	formats/json/write.c \
	$(NULL)
formats_libjson_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
formats_libjson_la_LIBADD = core/libferry.la $(JANSSON_LIBS)

UNIT_TESTS += tests/unit/test_json tests/unit/test_typed_json

tests_unit_test_json_SOURCES = tests/unit/test_json.c
tests_unit_test_json_CFLAGS = \
	$(AM_CFLAGS) \
	$(CRITERION_CFLAGS) \
	$(JANSSON_CFLAGS) \
	$(NULL)
tests_unit_test_json_LDADD = \
	formats/libjson.la \
	core/libferry.la \
	$(CRITERION_LIBS) \
	$(JANSSON_LIBS) \
	$(NULL)

tests_unit_test_typed_json_SOURCES = tests/unit/test_typed_json.c
tests_unit_test_typed_json_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_typed_json_LDADD = \
	formats/libjson.la \
	core/libferry.la \
	$(CRITERION_LIBS) \
	$(NULL)

REPLAY_TESTS += tests/fuzz/replay_json

tests_fuzz_replay_json_SOURCES = tests/fuzz/fuzz_json.c tests/fuzz/driver.c
tests_fuzz_replay_json_LDADD = formats/libjson.la core/libferry.la
