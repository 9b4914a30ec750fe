core_libferry_la_SOURCES += \
	core/io/block.c \
	core/io/carry.c \
	core/io/clone.c \
	core/io/commit.c \
	core/io/crc32.c \
	core/io/descriptor.c \
	core/io/directory.c \
	core/io/directory.h \
	core/io/file_source.c \
	core/io/file_source.h \
	core/io/fragment.c \
	core/io/fragment.h \
	core/io/inflate.c \
	core/io/output.c \
	core/io/output.h \
	core/io/pending.c \
	core/io/pending.h \
	core/io/prove.c \
	core/io/remove.c \
	core/io/sink.c \
	core/io/source.c \
	core/io/swap.c \
	core/io/sync.c \
	core/io/sync.h \
	core/io/target.c \
	core/io/target.h \
	core/io/thread.c \
	core/io/thread.h \
	core/io/transfer.c \
	core/io/transfer.h \
	core/io/tree.c \
	core/io/tree.h \
	core/model/assemble.c \
	core/model/cast.c \
	core/model/cast.h \
	core/model/cast_number.h \
	core/model/cast_scalar.c \
	core/model/cast_wide.c \
	core/model/concat.c \
	core/model/gather.c \
	core/model/gather_box.c \
	core/model/gather_box.h \
	core/model/gather_copy.c \
	core/model/gather_copy.h \
	core/model/gather_grid.c \
	core/model/mean.c \
	core/model/mean.h \
	core/model/mean_kernel.c \
	core/model/ops.c \
	core/model/ops.h \
	core/model/resize.c \
	$(NULL)

tests_unit_transfer_threads_SOURCES = tests/unit/transfer_threads.c
tests_unit_transfer_threads_LDADD = core/libferry.la $(ZLIB_LIBS) -lpthread

tests_unit_test_source_SOURCES = \
	core/io/file_source.c \
	tests/unit/test_source.c \
	$(NULL)
tests_unit_test_source_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_source_LDADD = core/libferry.la $(CRITERION_LIBS) $(ZLIB_LIBS)

tests_unit_test_sink_SOURCES = tests/unit/test_sink.c
tests_unit_test_sink_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_sink_LDADD = core/libferry.la $(CRITERION_LIBS)

tests_unit_test_block_SOURCES = tests/unit/test_block.c
tests_unit_test_block_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_block_LDADD = core/libferry.la $(CRITERION_LIBS) $(ZLIB_LIBS)

tests_unit_test_fragment_SOURCES = tests/unit/test_fragment.c
tests_unit_test_fragment_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_fragment_LDADD = core/libferry.la $(CRITERION_LIBS) $(ZLIB_LIBS)

tests_unit_test_transfer_SOURCES = tests/unit/test_transfer.c
tests_unit_test_transfer_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_transfer_LDADD = core/libferry.la $(CRITERION_LIBS) $(ZLIB_LIBS)

tests_unit_test_ops_SOURCES = tests/unit/test_ops.c
tests_unit_test_ops_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_ops_LDADD = core/libferry.la $(CRITERION_LIBS)

tests_unit_test_assemble_SOURCES = tests/unit/test_assemble.c
tests_unit_test_assemble_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_assemble_LDADD = core/libferry.la $(CRITERION_LIBS)

# The kernels are not exported: this test has its own.
tests_unit_test_cast_SOURCES = \
	core/model/cast_scalar.c \
	core/model/cast_wide.c \
	tests/unit/cast_vectors.h \
	tests/unit/test_cast.c \
	$(NULL)
tests_unit_test_cast_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_cast_LDADD = core/libferry.la $(CRITERION_LIBS) -lpthread

tests_unit_test_mean_SOURCES = \
	tests/unit/mean_vectors.h \
	tests/unit/test_mean.c \
	$(NULL)
tests_unit_test_mean_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_mean_LDADD = core/libferry.la $(CRITERION_LIBS) -lpthread

tests_unit_test_resize_SOURCES = \
	tests/unit/resize_vectors.h \
	tests/unit/test_resize.c \
	$(NULL)
tests_unit_test_resize_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_resize_LDADD = core/libferry.la $(CRITERION_LIBS) -lm

UNIT_TESTS += \
	tests/unit/test_assemble \
	tests/unit/test_block \
	tests/unit/test_cast \
	tests/unit/test_fragment \
	tests/unit/test_mean \
	tests/unit/test_ops \
	tests/unit/test_resize \
	tests/unit/test_sink \
	tests/unit/test_source \
	tests/unit/test_transfer \
	tests/unit/transfer_threads \
	$(NULL)

EXTRA_DIST += \
	tests/unit/cast_vectors.py \
	tests/unit/mean_vectors.py \
	tests/unit/resize_vectors.py \
	$(NULL)
