/*
 * What tests of plans share: a session with mock plugins in a scratch directory,
 * and what a plan says.  Criterion runs each test in a process of its own.
 */
#ifndef TESTS_UNIT_PLAN_FIXTURE_H
#define TESTS_UNIT_PLAN_FIXTURE_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ferry/plan.h>

static char scratch[] = "/tmp/ferry-plan-XXXXXX";
static struct ferry_session *session;
static struct ferry_error err = FERRY_ERROR_INIT;

static inline void put(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	cr_assert_not_null(f);
	fputs(text, f);
	fclose(f);
}

/* A plugin by its name: a mock, or one that is installed. */
static inline const char *plugin_file(const char *name, char *out, size_t cap)
{
	bool mock = !strncmp(name, "mock", 4);
	const char *given = getenv(mock ? "FERRY_MOCKS" : "FERRY_PLUGINS");
	const char *top = getenv("abs_top_builddir");

	if (given)
		snprintf(out, cap, "%s/%s.so", given, name);
	else
		snprintf(out, cap, "%s/%s/.libs/%s.so", top,
			 mock ? "tests/plugins" : "plugins", name);
	return out;
}

/* A session with these plugins, in a directory of its own. */
static inline void enter_with(const char *const *plugins)
{
	char kept[8][1024];
	const char *files[8];
	struct ferry_session_options options = {
		.plugin_path = "", .plugin_files = files,
	};

	for (; *plugins; plugins++, options.n_plugin_files++)
		files[options.n_plugin_files] =
			plugin_file(*plugins, kept[options.n_plugin_files],
				    sizeof(kept[0]));
	setenv("FERRY_PLUGIN_PATH_ONLY", "1", 1);
	cr_assert_eq(ferry_session_new(&session, &options, &err), 0, "%s",
		     err.text);
	cr_assert_not_null(mkdtemp(scratch));
	cr_assert_eq(chdir(scratch), 0);
}

static inline void leave(void)
{
	char command[64];

	ferry_session_free(session);
	cr_assert_eq(chdir("/"), 0);
	snprintf(command, sizeof(command), "rm -rf %s", scratch);
	cr_assert_eq(system(command), 0);
}

static inline struct ferry_plan *plan(const struct ferry_job *job)
{
	struct ferry_plan *p = NULL;

	cr_assert_eq(ferry_plan_new(&p, session, job, &err), 0, "%s",
		     err.text);
	return p;
}

static inline void fails(const struct ferry_job *job, int code, const char *says)
{
	struct ferry_plan *p = NULL;

	ferry_error_clear(&err);
	cr_assert_eq(ferry_plan_new(&p, session, job, &err), code, "%d: %s",
		     err.code, err.text);
	cr_assert(strstr(err.text, says), "%s", err.text);
	cr_assert_null(p);
}

/* A job of one input. */
#define JOB(in, out_, ...) \
	{ .inputs = (const char *const[]){ in }, .n_inputs = 1, \
	  .output = out_, __VA_ARGS__ }

static inline void content_is(const char *name, const char *expected)
{
	char text[4096] = "";
	FILE *f = fopen(name, "r");
	size_t n;

	cr_assert_not_null(f, "%s is not there", name);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	cr_assert_str_eq(text, expected);
}

static inline void nothing_was_written(void)
{
	cr_assert_neq(access("out.note", F_OK), 0);
	cr_assert_eq(system("test -z \"$(find . -name '*.ferry-tmp')\""), 0);
}

static inline void run(struct ferry_plan *p)
{
	cr_assert_eq(ferry_plan_run(p, NULL, &err), 0, "%s", err.text);
	ferry_plan_free(p);
}

static inline bool has_step(const struct ferry_plan *p, const char *what,
		     const char *name)
{
	const struct ferry_step *step;

	for (size_t i = 0; (step = ferry_plan_step(p, i)); i++)
		if (!strcmp(step->what, what) && !strcmp(step->name, name))
			return true;
	return false;
}

static inline bool has_finding(const struct ferry_plan *p, enum ferry_level level,
			const char *code, const char *text)
{
	const struct ferry_findings *all = ferry_plan_findings(p);
	const struct ferry_finding *f;

	for (size_t i = 0; (f = ferry_findings_get(all, i)); i++)
		if (f->level == level && !strcmp(f->code, code) &&
		    strstr(f->text, text))
			return true;
	return false;
}

static inline bool has_warning(const struct ferry_plan *p, const char *code,
			const char *text)
{
	const struct ferry_findings *all = ferry_plan_warnings(p);
	const struct ferry_finding *f;

	for (size_t i = 0; (f = ferry_findings_get(all, i)); i++)
		if (f->level == FERRY_WARNING && !strcmp(f->code, code) &&
		    strstr(f->text, text))
			return true;
	return false;
}

#endif
