EXAMPLE_TESTS += tests/example/run.sh
EXTRA_DIST += tests/example/run.sh
