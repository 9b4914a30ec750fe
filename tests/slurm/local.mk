# A Slurm of three nodes on this machine, for a minute or two; not part of
# `make check`.  Without Slurm it says so.
EXTRA_DIST += \
	tests/slurm/cluster.sh \
	tests/slurm/run.sh \
	$(NULL)

.PHONY: slurm
slurm: all
	$(AM_TESTS_ENVIRONMENT) $(SHELL) $(srcdir)/tests/slurm/run.sh || test $$? = 77
