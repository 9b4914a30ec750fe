core_libferry_la_SOURCES += \
	core/batch/batch.h \
	core/batch/beside.c \
	core/batch/collisions.c \
	core/batch/contents.c \
	core/batch/digest.c \
	core/batch/digest.h \
	core/batch/discover.c \
	core/batch/done.c \
	core/batch/entry_record.c \
	core/batch/exchange.c \
	core/batch/journal.c \
	core/batch/ledger.c \
	core/batch/make.c \
	core/batch/manifest.c \
	core/batch/manifest_file.c \
	core/batch/manifest_file.h \
	core/batch/migration.c \
	core/batch/output_name.c \
	core/batch/path.c \
	core/batch/path.h \
	core/batch/placing.c \
	core/batch/pool.c \
	core/batch/pool.h \
	core/batch/recipe.c \
	core/batch/recipe.h \
	core/batch/recipe_source.c \
	core/batch/record.c \
	core/batch/record.h \
	core/batch/removal.c \
	core/batch/replacement.c \
	core/batch/replacement.h \
	core/batch/sets.c \
	core/batch/settle.c \
	core/batch/settle.h \
	core/batch/settling.c \
	core/batch/settling.h \
	core/batch/shard.c \
	core/batch/sniff.c \
	core/batch/span.c \
	core/batch/span.h \
	core/batch/status.c \
	core/batch/survey.c \
	core/batch/work.c \
	core/batch/worker.c \
	$(NULL)

UNIT_TESTS += tests/unit/test_batch tests/unit/test_digest

tests_unit_test_batch_SOURCES = tests/unit/test_batch.c
tests_unit_test_batch_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_batch_LDADD = core/libferry.la $(CRITERION_LIBS)

tests_unit_test_digest_SOURCES = \
	core/batch/digest.c \
	core/batch/span.c \
	tests/unit/test_digest.c \
	$(NULL)
tests_unit_test_digest_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS) \
	$(OPENSSL_CFLAGS) $(XXHASH_CFLAGS)
tests_unit_test_digest_LDADD = core/libferry.la $(CRITERION_LIBS) \
	$(OPENSSL_LIBS) $(XXHASH_LIBS) -lpthread
