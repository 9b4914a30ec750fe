# Every fuzz target is built twice: with a driver that replays its corpus in
# `make check`, and, under --enable-fuzzing, with libFuzzer.
EXTRA_DIST += tests/fuzz/run.sh

if FUZZING
noinst_PROGRAMS += \
	tests/fuzz/fuzz_json \
	tests/fuzz/fuzz_npy \
	tests/fuzz/fuzz_omegaconf \
	tests/fuzz/fuzz_pickle \
	tests/fuzz/fuzz_safetensors \
	tests/fuzz/fuzz_torch \
	tests/fuzz/fuzz_yaml \
	tests/fuzz/fuzz_zip \
	$(NULL)
endif

FUZZ_LINK = $(AM_LDFLAGS) -fsanitize=fuzzer
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
tests_fuzz_fuzz_safetensors_SOURCES = tests/fuzz/fuzz_safetensors.c
tests_fuzz_fuzz_safetensors_LDADD = $(tests_fuzz_replay_safetensors_LDADD)
tests_fuzz_fuzz_safetensors_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_torch_SOURCES = tests/fuzz/fuzz_torch.c
tests_fuzz_fuzz_torch_LDADD = $(tests_fuzz_replay_torch_LDADD)
tests_fuzz_fuzz_torch_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_yaml_SOURCES = tests/fuzz/fuzz_yaml.c
tests_fuzz_fuzz_yaml_LDADD = $(tests_fuzz_replay_yaml_LDADD)
tests_fuzz_fuzz_yaml_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_zip_SOURCES = tests/fuzz/fuzz_zip.c
tests_fuzz_fuzz_zip_LDADD = $(tests_fuzz_replay_zip_LDADD)
tests_fuzz_fuzz_zip_LDFLAGS = $(FUZZ_LINK)
