# Every fuzz target is built twice: with a driver that replays its corpus in
# `make check`, and, under --enable-fuzzing, with libFuzzer.
EXTRA_DIST += tests/fuzz/run.sh

if FUZZING
noinst_PROGRAMS += \
	tests/fuzz/fuzz_filters \
	tests/fuzz/fuzz_handling \
	tests/fuzz/fuzz_json \
	tests/fuzz/fuzz_npy \
	tests/fuzz/fuzz_omegaconf \
	tests/fuzz/fuzz_pickle \
	tests/fuzz/fuzz_recipe \
	tests/fuzz/fuzz_safetensors \
	tests/fuzz/fuzz_schema \
	tests/fuzz/fuzz_torch \
	tests/fuzz/fuzz_yaml \
	tests/fuzz/fuzz_zip \
	$(NULL)
endif

FUZZ_LINK = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_filters_SOURCES = tests/fuzz/fuzz_filters.c $(fuzz_target)
tests_fuzz_fuzz_filters_LDADD = $(tests_fuzz_replay_filters_LDADD)
tests_fuzz_fuzz_filters_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_handling_SOURCES = tests/fuzz/fuzz_handling.c $(fuzz_target)
tests_fuzz_fuzz_handling_LDADD = $(tests_fuzz_replay_handling_LDADD)
tests_fuzz_fuzz_handling_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_json_SOURCES = tests/fuzz/fuzz_json.c
tests_fuzz_fuzz_json_LDADD = $(tests_fuzz_replay_json_LDADD)
tests_fuzz_fuzz_json_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_npy_SOURCES = tests/fuzz/fuzz_npy.c
tests_fuzz_fuzz_npy_LDADD = $(tests_fuzz_replay_npy_LDADD)
tests_fuzz_fuzz_npy_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_omegaconf_SOURCES = tests/fuzz/fuzz_omegaconf.c
tests_fuzz_fuzz_omegaconf_LDADD = $(tests_fuzz_replay_omegaconf_LDADD)
tests_fuzz_fuzz_omegaconf_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_pickle_SOURCES = tests/fuzz/fuzz_pickle.c
tests_fuzz_fuzz_pickle_LDADD = $(tests_fuzz_replay_pickle_LDADD)
tests_fuzz_fuzz_pickle_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_recipe_SOURCES = tests/fuzz/fuzz_recipe.c $(fuzz_target)
tests_fuzz_fuzz_recipe_LDADD = $(tests_fuzz_replay_recipe_LDADD)
tests_fuzz_fuzz_recipe_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_safetensors_SOURCES = tests/fuzz/fuzz_safetensors.c
tests_fuzz_fuzz_safetensors_LDADD = $(tests_fuzz_replay_safetensors_LDADD)
tests_fuzz_fuzz_safetensors_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_schema_SOURCES = tests/fuzz/fuzz_schema.c $(fuzz_target)
tests_fuzz_fuzz_schema_LDADD = $(tests_fuzz_replay_schema_LDADD)
tests_fuzz_fuzz_schema_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_torch_SOURCES = tests/fuzz/fuzz_torch.c
tests_fuzz_fuzz_torch_LDADD = $(tests_fuzz_replay_torch_LDADD)
tests_fuzz_fuzz_torch_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_yaml_SOURCES = tests/fuzz/fuzz_yaml.c
tests_fuzz_fuzz_yaml_LDADD = $(tests_fuzz_replay_yaml_LDADD)
tests_fuzz_fuzz_yaml_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_zip_SOURCES = tests/fuzz/fuzz_zip.c
tests_fuzz_fuzz_zip_LDADD = $(tests_fuzz_replay_zip_LDADD)
tests_fuzz_fuzz_zip_LDFLAGS = $(FUZZ_LINK)

# Those of the core: files that it reads by path.
fuzz_target = tests/fuzz/target.c tests/fuzz/target.h
REPLAY_TESTS += \
	tests/fuzz/replay_filters \
	tests/fuzz/replay_handling \
	tests/fuzz/replay_recipe \
	tests/fuzz/replay_schema \
	$(NULL)
tests_fuzz_replay_filters_SOURCES = tests/fuzz/fuzz_filters.c \
	tests/fuzz/driver.c $(fuzz_target)
tests_fuzz_replay_filters_LDADD = core/libferry.la
tests_fuzz_replay_handling_SOURCES = tests/fuzz/fuzz_handling.c \
	tests/fuzz/driver.c $(fuzz_target)
tests_fuzz_replay_handling_LDADD = core/libferry.la
tests_fuzz_replay_recipe_SOURCES = tests/fuzz/fuzz_recipe.c \
	tests/fuzz/driver.c $(fuzz_target)
tests_fuzz_replay_recipe_LDADD = core/libferry.la
tests_fuzz_replay_schema_SOURCES = tests/fuzz/fuzz_schema.c \
	tests/fuzz/driver.c $(fuzz_target)
tests_fuzz_replay_schema_LDADD = core/libferry.la
