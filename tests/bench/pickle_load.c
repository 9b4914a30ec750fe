/* Decode a pickle file and print the seconds it took, for the benchmark. */
#include "config.h"

#include <stdio.h>
#include <time.h>

#include "formats/pickle/pickle.h"

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_source *src = NULL;
	struct ferry_store *store = NULL;
	struct ferry_value *value;
	uint64_t end;
	double start;
	int result = -1;

	if (argc != 2)
		return 2;
	if (ferry_store_new(&store, &err) ||
	    ferry_source_open_file(&src, argv[1], &err))
		goto out;
	if (ferry_store_take_source(store, src)) {
		ferry_source_unref(src);
		goto out;
	}
	start = now();
	result = pickle_read(src, 0, store, NULL, &value, &end, &err);
	printf("%.6f\n", now() - start);
out:
	if (result)
		fprintf(stderr, "%s: %s\n", argv[1], err.text);
	ferry_store_unref(store);
	return result != 0;
}
