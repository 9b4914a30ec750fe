core_libferry_la_SOURCES += \
	core/model/big.c \
	core/model/big.h \
	core/model/child.c \
	core/model/child.h \
	core/model/compare.c \
	core/model/compare.h \
	core/model/compare_data.c \
	core/model/compare_value.c \
	core/model/copy.c \
	core/model/dict.c \
	core/model/document.c \
	core/model/dtype.c \
	core/model/key.c \
	core/model/key.h \
	core/model/path.c \
	core/model/places.c \
	core/model/python_name.c \
	core/model/scalar.c \
	core/model/sequence.c \
	core/model/store.c \
	core/model/store.h \
	core/model/tensor.c \
	core/model/value.c \
	core/model/views.c \
	$(NULL)

UNIT_TESTS += \
	tests/unit/test_compare \
	tests/unit/test_dtype \
	tests/unit/test_places \
	tests/unit/test_value \
	$(NULL)

tests_unit_test_compare_SOURCES = tests/unit/test_compare.c
tests_unit_test_compare_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_compare_LDADD = core/libferry.la $(CRITERION_LIBS)

tests_unit_test_dtype_SOURCES = tests/unit/test_dtype.c
tests_unit_test_dtype_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_dtype_LDADD = core/libferry.la $(CRITERION_LIBS)

tests_unit_test_places_SOURCES = tests/unit/test_places.c
tests_unit_test_places_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_places_LDADD = core/libferry.la $(CRITERION_LIBS)

tests_unit_test_value_SOURCES = tests/unit/test_value.c
tests_unit_test_value_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_value_LDADD = core/libferry.la $(CRITERION_LIBS)
