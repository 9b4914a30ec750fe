/*
 * Convert every FILE of a list to DIR/N.safetensors, its weights alone, in one
 * process and thread, and print the seconds it took: what a migration does,
 * without what makes it one.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ferry/plan.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int convert(struct ferry_session *s, const char *input,
		   const char *output, struct ferry_error *err)
{
	struct ferry_run_options how = { .threads = 1, .no_sync = true };
	struct ferry_job job = {
		.inputs = &input, .n_inputs = 1, .output = output,
		.to_format = "safetensors", .weights = true,
	};
	struct ferry_plan *p;
	int rc = ferry_plan_new(&p, s, &job, err);

	if (rc)
		return rc;
	rc = ferry_plan_run(p, &how, err);
	ferry_plan_free(p);
	return rc;
}

int main(int argc, char **argv)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_session *s = NULL;
	char input[4096], output[4096];
	FILE *list = argc == 3 ? fopen(argv[1], "r") : NULL;
	double start;
	unsigned n = 0;
	int rc;

	if (!list)
		return 2;
	rc = ferry_session_new(&s, NULL, &err);
	start = now();
	while (!rc && fgets(input, sizeof(input), list)) {
		input[strcspn(input, "\n")] = '\0';
		snprintf(output, sizeof(output), "%s/%u.safetensors", argv[2],
			 n++);
		rc = convert(s, input, output, &err);
	}
	if (rc)
		fprintf(stderr, "%s\n", err.text);
	else
		printf("%.6f\n", now() - start);
	ferry_session_free(s);
	fclose(list);
	return rc != 0;
}
