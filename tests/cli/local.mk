CLI_TESTS += \
	tests/cli/average.sh \
	tests/cli/audiocraft.sh \
	tests/cli/bad_input.sh \
	tests/cli/caiman.sh \
	tests/cli/cluster.sh \
	tests/cli/compare.sh \
	tests/cli/convert.sh \
	tests/cli/directory.sh \
	tests/cli/edit.sh \
	tests/cli/expect.sh \
	tests/cli/frameworks.sh \
	tests/cli/groups.sh \
	tests/cli/help.sh \
	tests/cli/inspect.sh \
	tests/cli/interrupt.sh \
	tests/cli/ksuit.sh \
	tests/cli/linnaeus.sh \
	tests/cli/losses.sh \
	tests/cli/migrate.sh \
	tests/cli/migrate_again.sh \
	tests/cli/migrate_faults.sh \
	tests/cli/migrate_sets.sh \
	tests/cli/migrate_strange.sh \
	tests/cli/page.sh \
	tests/cli/raw.sh \
	tests/cli/recipes.sh \
	tests/cli/scan.sh \
	tests/cli/session.sh \
	tests/cli/torch.sh \
	tests/cli/usage.sh \
	$(NULL)

check_PROGRAMS += tests/cli/json_value
tests_cli_json_value_SOURCES = tests/cli/json_value.c
tests_cli_json_value_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_cli_json_value_LDADD = $(JANSSON_LIBS)

# A disk that fails.
check_LTLIBRARIES += tests/cli/faulty.la
tests_cli_faulty_la_SOURCES = tests/cli/faulty.c
tests_cli_faulty_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere
tests_cli_faulty_la_LIBADD = -ldl

# Parts of the command, by themselves.
check_PROGRAMS += tests/cli/jobs
tests_cli_jobs_SOURCES = \
	cli/argument.c \
	cli/cluster.c \
	cli/draft.c \
	cli/json_out.c \
	cli/kubernetes.c \
	cli/memory.c \
	cli/page.c \
	cli/report.c \
	cli/scalar.c \
	cli/slurm.c \
	cli/text.c \
	cli/visited.c \
	cli/workload.c \
	tests/cli/jobs.c \
	$(NULL)
nodist_tests_cli_jobs_SOURCES = cli/page_html.h
tests_cli_jobs_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_cli_jobs_LDADD = core/libferry.la $(JANSSON_LIBS) -lm

EXTRA_DIST += \
	$(CLI_TESTS) \
	tests/cli/lib.sh \
	tests/cli/session.py \
	$(NULL)
