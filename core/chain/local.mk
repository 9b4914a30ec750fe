core_libferry_la_SOURCES += \
	core/chain/amount.c \
	core/chain/average.c \
	core/chain/call.c \
	core/chain/call.h \
	core/chain/dtype.c \
	core/chain/edit.c \
	core/chain/expect.c \
	core/chain/handle.c \
	core/chain/hold.c \
	core/chain/hold.h \
	core/chain/input.c \
	core/chain/kept.c \
	core/chain/member.c \
	core/chain/named.c \
	core/chain/others.c \
	core/chain/others.h \
	core/chain/plan.c \
	core/chain/plan.h \
	core/chain/route.c \
	core/chain/run.c \
	core/chain/setting.c \
	core/chain/shared.c \
	core/chain/target.c \
	core/chain/walk.c \
	core/chain/walk.h \
	core/chain/weights.c \
	core/chain/writer.c \
	$(NULL)

UNIT_TESTS += \
	tests/unit/test_edit \
	tests/unit/test_plan \
	$(NULL)

tests_unit_test_edit_SOURCES = tests/unit/test_edit.c tests/unit/plan_fixture.h
tests_unit_test_edit_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_edit_LDADD = core/libferry.la $(CRITERION_LIBS)

tests_unit_test_plan_SOURCES = tests/unit/test_plan.c tests/unit/plan_fixture.h
tests_unit_test_plan_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_plan_LDADD = core/libferry.la $(CRITERION_LIBS)
