# Plugins with a fault each, and three that tests of the planner use.  They are
# built as plugins are, so that they can be loaded, and never installed.

MOCK_LDFLAGS = \
	-module -avoid-version -shared -no-undefined -rpath /nowhere \
	$(SANITIZE_CFLAGS) \
	$(NULL)

check_LTLIBRARIES += \
	tests/plugins/mock_bundle.la \
	tests/plugins/mock_chain.la \
	tests/plugins/mock_code.la \
	tests/plugins/mock_edit.la \
	tests/plugins/mock_fails.la \
	tests/plugins/mock_format_taken.la \
	tests/plugins/mock_function.la \
	tests/plugins/mock_good.la \
	tests/plugins/mock_good_again.la \
	tests/plugins/mock_half_check.la \
	tests/plugins/mock_hollow.la \
	tests/plugins/mock_major.la \
	tests/plugins/mock_minor.la \
	tests/plugins/mock_name.la \
	tests/plugins/mock_names.la \
	tests/plugins/mock_no_probe.la \
	tests/plugins/mock_no_symbol.la \
	tests/plugins/mock_no_work.la \
	tests/plugins/mock_null.la \
	tests/plugins/mock_silent.la \
	tests/plugins/mock_size.la \
	tests/plugins/mock_tie.la \
	tests/plugins/mock_tree.la \
	$(NULL)

tests_plugins_mock_bundle_la_SOURCES = tests/plugins/mock_bundle.c tests/plugins/mock.h
tests_plugins_mock_bundle_la_LDFLAGS = $(MOCK_LDFLAGS)
tests_plugins_mock_bundle_la_LIBADD = core/libferry.la

tests_plugins_mock_chain_la_SOURCES = tests/plugins/mock_chain.c tests/plugins/mock.h
tests_plugins_mock_chain_la_LDFLAGS = $(MOCK_LDFLAGS)
tests_plugins_mock_chain_la_LIBADD = core/libferry.la

tests_plugins_mock_code_la_SOURCES = tests/plugins/mock_code.c tests/plugins/mock.h
tests_plugins_mock_code_la_LDFLAGS = $(MOCK_LDFLAGS)
tests_plugins_mock_code_la_LIBADD = core/libferry.la

tests_plugins_mock_edit_la_SOURCES = tests/plugins/mock_edit.c tests/plugins/mock.h
tests_plugins_mock_edit_la_LDFLAGS = $(MOCK_LDFLAGS)
tests_plugins_mock_edit_la_LIBADD = core/libferry.la

tests_plugins_mock_fails_la_SOURCES = tests/plugins/mock_fails.c tests/plugins/mock.h
tests_plugins_mock_fails_la_LDFLAGS = $(MOCK_LDFLAGS)
tests_plugins_mock_fails_la_LIBADD = core/libferry.la

tests_plugins_mock_format_taken_la_SOURCES = tests/plugins/mock_format_taken.c tests/plugins/mock.h
tests_plugins_mock_format_taken_la_LDFLAGS = $(MOCK_LDFLAGS)
tests_plugins_mock_format_taken_la_LIBADD = core/libferry.la

tests_plugins_mock_function_la_SOURCES = tests/plugins/mock_function.c tests/plugins/mock.h
tests_plugins_mock_function_la_LDFLAGS = $(MOCK_LDFLAGS)
tests_plugins_mock_function_la_LIBADD = core/libferry.la

tests_plugins_mock_good_la_SOURCES = tests/plugins/mock_good.c tests/plugins/mock.h
tests_plugins_mock_good_la_LDFLAGS = $(MOCK_LDFLAGS)
tests_plugins_mock_good_la_LIBADD = core/libferry.la

tests_plugins_mock_good_again_la_SOURCES = tests/plugins/mock_good_again.c tests/plugins/mock.h
tests_plugins_mock_good_again_la_LDFLAGS = $(MOCK_LDFLAGS)
tests_plugins_mock_good_again_la_LIBADD = core/libferry.la

tests_plugins_mock_half_check_la_SOURCES = tests/plugins/mock_half_check.c tests/plugins/mock.h
tests_plugins_mock_half_check_la_LDFLAGS = $(MOCK_LDFLAGS)
tests_plugins_mock_half_check_la_LIBADD = core/libferry.la

tests_plugins_mock_hollow_la_SOURCES = tests/plugins/mock_hollow.c tests/plugins/mock.h
tests_plugins_mock_hollow_la_LDFLAGS = $(MOCK_LDFLAGS)
tests_plugins_mock_hollow_la_LIBADD = core/libferry.la

tests_plugins_mock_major_la_SOURCES = tests/plugins/mock_major.c tests/plugins/mock.h
tests_plugins_mock_major_la_LDFLAGS = $(MOCK_LDFLAGS)
tests_plugins_mock_major_la_LIBADD = core/libferry.la

tests_plugins_mock_minor_la_SOURCES = tests/plugins/mock_minor.c tests/plugins/mock.h
tests_plugins_mock_minor_la_LDFLAGS = $(MOCK_LDFLAGS)
tests_plugins_mock_minor_la_LIBADD = core/libferry.la

tests_plugins_mock_name_la_SOURCES = tests/plugins/mock_name.c tests/plugins/mock.h
tests_plugins_mock_name_la_LDFLAGS = $(MOCK_LDFLAGS)
tests_plugins_mock_name_la_LIBADD = core/libferry.la

tests_plugins_mock_names_la_SOURCES = tests/plugins/mock_names.c tests/plugins/mock.h
tests_plugins_mock_names_la_LDFLAGS = $(MOCK_LDFLAGS)
tests_plugins_mock_names_la_LIBADD = core/libferry.la

tests_plugins_mock_no_probe_la_SOURCES = tests/plugins/mock_no_probe.c tests/plugins/mock.h
tests_plugins_mock_no_probe_la_LDFLAGS = $(MOCK_LDFLAGS)
tests_plugins_mock_no_probe_la_LIBADD = core/libferry.la

tests_plugins_mock_no_symbol_la_SOURCES = tests/plugins/mock_no_symbol.c tests/plugins/mock.h
tests_plugins_mock_no_symbol_la_LDFLAGS = $(MOCK_LDFLAGS)
tests_plugins_mock_no_symbol_la_LIBADD = core/libferry.la

tests_plugins_mock_no_work_la_SOURCES = tests/plugins/mock_no_work.c tests/plugins/mock.h
tests_plugins_mock_no_work_la_LDFLAGS = $(MOCK_LDFLAGS)
tests_plugins_mock_no_work_la_LIBADD = core/libferry.la

tests_plugins_mock_null_la_SOURCES = tests/plugins/mock_null.c tests/plugins/mock.h
tests_plugins_mock_null_la_LDFLAGS = $(MOCK_LDFLAGS)
tests_plugins_mock_null_la_LIBADD = core/libferry.la

tests_plugins_mock_silent_la_SOURCES = tests/plugins/mock_silent.c tests/plugins/mock.h
tests_plugins_mock_silent_la_LDFLAGS = $(MOCK_LDFLAGS)
tests_plugins_mock_silent_la_LIBADD = core/libferry.la

tests_plugins_mock_size_la_SOURCES = tests/plugins/mock_size.c tests/plugins/mock.h
tests_plugins_mock_size_la_LDFLAGS = $(MOCK_LDFLAGS)
tests_plugins_mock_size_la_LIBADD = core/libferry.la

tests_plugins_mock_tie_la_SOURCES = tests/plugins/mock_tie.c tests/plugins/mock.h
tests_plugins_mock_tie_la_LDFLAGS = $(MOCK_LDFLAGS)
tests_plugins_mock_tie_la_LIBADD = core/libferry.la

tests_plugins_mock_tree_la_SOURCES = tests/plugins/mock_tree.c tests/plugins/mock.h
tests_plugins_mock_tree_la_LDFLAGS = $(MOCK_LDFLAGS)
tests_plugins_mock_tree_la_LIBADD = core/libferry.la

STRUCTURE_TESTS += tests/structure.sh
EXTRA_DIST += tests/structure.sh
