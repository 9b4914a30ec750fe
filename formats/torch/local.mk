noinst_LTLIBRARIES += formats/libtorch.la
formats_libtorch_la_SOURCES = \
	formats/torch/allowed.c \
	formats/torch/allowed.h \
	formats/torch/archive.c \
	formats/torch/archive.h \
	formats/torch/dtype.c \
	formats/torch/dtype.h \
	formats/torch/expand.c \
	formats/torch/expand.h \
	formats/torch/export.c \
	formats/torch/legacy.c \
	formats/torch/opcodes.c \
	formats/torch/opcodes.h \
	formats/torch/pid.c \
	formats/torch/pid.h \
	formats/torch/probe.c \
	formats/torch/read.c \
	formats/torch/reader.h \
	formats/torch/rebuild.c \
	formats/torch/rebuild.h \
	formats/torch/records.c \
	formats/torch/scan.c \
	formats/torch/script.c \
	formats/torch/tar.c \
	formats/torch/tar.h \
	formats/torch/torch.h \
	formats/torch/write.c \
	$(NULL)
formats_libtorch_la_LIBADD = \
	formats/libjson.la \
	formats/libpickle.la \
	formats/libzip.la \
	core/libferry.la \
	$(NULL)

torch_test_ldadd = \
	formats/libtorch.la \
	core/libferry.la \
	$(CRITERION_LIBS) \
	$(NULL)

tests_unit_test_torch_SOURCES = \
	tests/unit/test_torch.c \
	tests/unit/torch_file.h \
	$(NULL)
tests_unit_test_torch_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_torch_LDADD = $(torch_test_ldadd)
tests_unit_test_torch_legacy_SOURCES = \
	tests/unit/test_torch_legacy.c \
	tests/unit/torch_file.h \
	$(NULL)
tests_unit_test_torch_legacy_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_torch_legacy_LDADD = $(torch_test_ldadd)
tests_unit_test_torch_tar_SOURCES = \
	tests/unit/test_torch_tar.c \
	tests/unit/torch_file.h \
	$(NULL)
tests_unit_test_torch_tar_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_torch_tar_LDADD = $(torch_test_ldadd)
tests_unit_test_torchscript_SOURCES = \
	tests/unit/test_torchscript.c \
	tests/unit/torch_file.h \
	$(NULL)
tests_unit_test_torchscript_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_torchscript_LDADD = $(torch_test_ldadd)
tests_unit_test_torch_export_SOURCES = \
	tests/unit/test_torch_export.c \
	tests/unit/torch_file.h \
	$(NULL)
tests_unit_test_torch_export_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_torch_export_LDADD = $(torch_test_ldadd)
UNIT_TESTS += \
	tests/unit/test_torch \
	tests/unit/test_torch_export \
	tests/unit/test_torch_legacy \
	tests/unit/test_torch_tar \
	tests/unit/test_torchscript \
	$(NULL)

tests_fuzz_replay_torch_SOURCES = \
	tests/fuzz/driver.c \
	tests/fuzz/fuzz_torch.c \
	$(NULL)
tests_fuzz_replay_torch_LDADD = formats/libtorch.la core/libferry.la
REPLAY_TESTS += tests/fuzz/replay_torch
