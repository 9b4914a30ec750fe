include tests/bench/local.mk
include tests/cli/local.mk
include tests/example/local.mk
include tests/fuzz/local.mk
include tests/interop/local.mk
include tests/plugins/local.mk
include tests/slurm/local.mk

EXTRA_DIST += \
	tests/corpus \
	tests/unit/run.sh \
	$(NULL)

check_PROGRAMS += $(REPLAY_TESTS)

TEST_EXTENSIONS = .sh
SH_LOG_COMPILER = $(SHELL)

if HAVE_CRITERION
check_PROGRAMS += $(UNIT_TESTS)
TESTS = $(UNIT_TESTS)
else
TESTS =
endif
TESTS += \
	$(REPLAY_TESTS) \
	$(STRUCTURE_TESTS) \
	$(CLI_TESTS) \
	$(EXAMPLE_TESTS) \
	$(NULL)

LOG_COMPILER = $(SHELL) $(top_srcdir)/tests/unit/run.sh

AM_TESTS_ENVIRONMENT = \
	FERRY='$(abs_top_builddir)/cli/ferry'; export FERRY; \
	FERRY_PLUGIN_PATH='$(abs_top_builddir)/plugins/.libs'; export FERRY_PLUGIN_PATH; \
	FERRY_PLUGIN_PATH_ONLY=1; export FERRY_PLUGIN_PATH_ONLY; \
	FERRY_SCHEMA_PATH='$(abs_top_srcdir)/schemas'; export FERRY_SCHEMA_PATH; \
	FERRY_CORPUS='$(abs_top_srcdir)/tests/corpus'; export FERRY_CORPUS; \
	abs_top_srcdir='$(abs_top_srcdir)'; export abs_top_srcdir; \
	abs_top_builddir='$(abs_top_builddir)'; export abs_top_builddir; \
	CC='$(CC)'; export CC; \
	MAKE='$(MAKE)'; export MAKE;
