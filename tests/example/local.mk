EXAMPLE_TESTS += tests/example/run.sh
EXTRA_DIST += tests/example/run.sh

# Installing links the plugins again, in their places: it is done before the
# tests begin, which read them there.
check_DATA += tests/example/installed
CLEANFILES += tests/example/installed

tests/example/installed: core/libferry.la cli/ferry$(EXEEXT) \
	$(plugin_LTLIBRARIES)
	@$(MKDIR_P) tests/example
	@rm -rf tests/example/stage
	$(AM_V_GEN)if $(MAKE) $(AM_MAKEFLAGS) install \
		DESTDIR='$(abs_top_builddir)/tests/example/stage' \
		>tests/example/install.log 2>&1; then \
		touch $@; \
	else \
		cat tests/example/install.log; exit 1; \
	fi

CLEANFILES += tests/example/install.log

clean-local:
	-rm -rf tests/example/stage
