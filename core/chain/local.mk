core_libferry_la_SOURCES += \
	core/chain/amount.c \
	core/chain/dtype.c \
	core/chain/input.c \
	core/chain/kept.c \
	core/chain/plan.c \
	core/chain/plan.h \
	core/chain/route.c \
	core/chain/run.c \
	core/chain/shared.c \
	core/chain/target.c \
	core/chain/walk.c \
	core/chain/walk.h \
	core/chain/weights.c \
	$(NULL)

UNIT_TESTS += tests/unit/test_plan

tests_unit_test_plan_SOURCES = tests/unit/test_plan.c
tests_unit_test_plan_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_plan_LDADD = core/libferry.la $(CRITERION_LIBS)
