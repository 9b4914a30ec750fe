bin_PROGRAMS += cli/ferry

cli_ferry_SOURCES = \
	cli/argument.c \
	cli/argument.h \
	cli/average.c \
	cli/carry.c \
	cli/carry.h \
	cli/cluster.c \
	cli/cluster.h \
	cli/compare.c \
	cli/compare.h \
	cli/contents.c \
	cli/contrast.c \
	cli/contrast.h \
	cli/conversions.c \
	cli/convert.c \
	cli/diff.c \
	cli/draft.c \
	cli/draft.h \
	cli/element.c \
	cli/element.h \
	cli/expect.c \
	cli/expect.h \
	cli/formats.c \
	cli/groups.c \
	cli/groups.h \
	cli/inspect.c \
	cli/interrupt.c \
	cli/interrupt.h \
	cli/job.c \
	cli/job.h \
	cli/json_out.c \
	cli/json_out.h \
	cli/known.c \
	cli/known.h \
	cli/kubernetes.c \
	cli/likeness.c \
	cli/likeness.h \
	cli/losses.c \
	cli/losses.h \
	cli/main.c \
	cli/memory.c \
	cli/memory.h \
	cli/migrate.c \
	cli/migrate_report.c \
	cli/migrate_report.h \
	cli/models.c \
	cli/operand.c \
	cli/operand.h \
	cli/outlet.c \
	cli/outlet.h \
	cli/outline.c \
	cli/outline.h \
	cli/overview.c \
	cli/overview.h \
	cli/page.c \
	cli/page.h \
	cli/pairs.c \
	cli/pairs.h \
	cli/plan.c \
	cli/plugins.c \
	cli/progress.c \
	cli/progress.h \
	cli/report.c \
	cli/report.h \
	cli/scalar.c \
	cli/scalar.h \
	cli/scan.c \
	cli/session.c \
	cli/session.h \
	cli/slurm.c \
	cli/stats.c \
	cli/stats.h \
	cli/survey.c \
	cli/survey.h \
	cli/table.c \
	cli/table.h \
	cli/tensors.c \
	cli/tensors.h \
	cli/text.c \
	cli/text.h \
	cli/tree.c \
	cli/tree.h \
	cli/types.c \
	cli/verb.h \
	cli/verdict.c \
	cli/verdict.h \
	cli/verify.c \
	cli/visited.c \
	cli/visited.h \
	cli/weights.c \
	cli/workload.c \
	cli/workload.h \
	$(NULL)
cli_ferry_CFLAGS = \
	$(AM_CFLAGS) \
	$(JANSSON_CFLAGS) \
	$(NULL)
# Linked for the build tree at once: otherwise the first runs of parallel
# tests race to do it.
cli_ferry_LDFLAGS = $(AM_LDFLAGS) -no-fast-install
cli_ferry_LDADD = \
	core/libferry.la \
	$(JANSSON_LIBS) \
	-lm \
	$(NULL)

# A page is kept as HTML and built in as its lines.
nodist_cli_ferry_SOURCES = cli/page_html.h
BUILT_SOURCES += cli/page_html.h
CLEANFILES += cli/page_html.h
EXTRA_DIST += cli/page.html

cli/page_html.h: cli/page.html
	$(AM_V_GEN)$(MKDIR_P) cli && \
	{ echo 'static const char *const cli_page_html[] = {'; \
	  sed -e 's/[\"]/\\&/g' -e 's/	/\\t/g' -e 's/.*/"&\\n",/' \
		'$(top_srcdir)/cli/page.html'; \
	  echo 'NULL };'; } >$@.tmp && mv $@.tmp $@

# Installed under the command's name, which is how it is found.
bashcomp_DATA += cli/completion/ferry
EXTRA_DIST += cli/completion/ferry

dist_man1_MANS += \
	doc/man/ferry.1 \
	doc/man/ferry-average.1 \
	doc/man/ferry-conversions.1 \
	doc/man/ferry-convert.1 \
	doc/man/ferry-diff.1 \
	doc/man/ferry-formats.1 \
	doc/man/ferry-inspect.1 \
	doc/man/ferry-migrate.1 \
	doc/man/ferry-models.1 \
	doc/man/ferry-plan.1 \
	doc/man/ferry-plugins.1 \
	doc/man/ferry-scan.1 \
	doc/man/ferry-types.1 \
	doc/man/ferry-verify.1 \
	$(NULL)
