/* Plans around the chain: edits, upgrades, files that documents name, hints. */
#include "config.h"

#include "tests/unit/plan_fixture.h"

#include <ferry/abilities.h>
#include <ferry/sys/alloc.h>

static void enter(void)
{
	static const char *const plugins[] = {
		"mock_chain", "mock_edit", NULL
	};

	enter_with(plugins);
	cr_assert_eq(mkdir("in", 0700), 0);
	cr_assert_eq(mkdir("data", 0700), 0);
	put("in/m", "NOTE m config");
	put("in/config", "NOTE k beside");
	put("config", "NOTE k here");
	put("data/config", "NOTE k data");
}

TestSuite(edit, .init = enter, .fini = leave);

/* ---- edits --------------------------------------------------------------- */

Test(edit, runs_for_an_option_without_any_chain)
{
	const char *settings[] = { "release=1", "release=2=b" };
	struct ferry_job job = JOB("in/m", "out.note", .settings = settings,
				   .n_settings = 2);
	struct ferry_plan *p = plan(&job);

	cr_assert(has_step(p, "edit", "mock-m-stamp"));
	cr_assert(!has_step(p, "edit", "mock-m-tone"));
	cr_assert(!has_step(p, "edit", "mock-m-upgrade"));
	cr_assert(has_finding(p, FERRY_WARNING, "history", "old release"));
	cr_assert_eq(ferry_plan_refused(p), 1);
	cr_assert_str_eq(ferry_plan_output_type(p), "mock/m");
	ferry_plan_free(p);
	job.allow_all_losses = true;
	run(plan(&job));
	content_is("out.note", "NOTE m config r=1 r=2=b");
}

Test(edit, an_option_of_the_chain_is_the_chains)
{
	const char *settings[] = { "tone=high", "release=3" };
	struct ferry_job job = JOB("in/m", "out.note", .to = "mock/n",
				   .settings = settings, .n_settings = 1);
	struct ferry_plan *p = plan(&job);

	cr_assert(!has_step(p, "edit", "mock-m-tone"));
	run(p);
	content_is("out.note", "NOTE n NOTE k beside from in/m (high)?");
	job.to = NULL;
	job.overwrite = true;
	run(plan(&job));
	content_is("out.note", "NOTE m config toned");
	job.to = "mock/n";
	job.n_settings = 2;
	job.allow_all_losses = true;
	p = plan(&job);
	cr_assert_str_eq(ferry_plan_step(p, 1)->what, "edit");
	cr_assert_str_eq(ferry_plan_step(p, 1)->name, "mock-m-stamp");
	cr_assert_str_eq(ferry_plan_step(p, 2)->what, "read");
	cr_assert_str_eq(ferry_plan_step(p, 3)->what, "convert");
	cr_assert_str_eq(ferry_plan_step(p, 4)->what, "write");
	run(p);
	content_is("out.note", "NOTE n NOTE k beside from nowhere (high)?");
}

Test(edit, of_the_result_comes_after_the_chain)
{
	const char *settings[] = { "polish=yes" };
	struct ferry_job job = JOB("in/m", "out.note", .to = "mock/n",
				   .settings = settings, .n_settings = 1);

	run(plan(&job));
	content_is("out.note", "NOTE n NOTE k beside from in/m (plain) "
		   "polished?");
	job.to = NULL;
	fails(&job, FERRY_MISUSE, "setting 'polish=yes' is none of this plan");
	cr_assert(strstr(err.text, "release (mock-m-stamp)"), "%s", err.text);
}

Test(edit, upgrades_run_when_asked_for)
{
	struct ferry_job job = JOB("in/m", "out.note", .upgrade = true);
	struct ferry_plan *p = plan(&job);

	cr_assert(has_step(p, "edit", "mock-m-upgrade"));
	run(p);
	content_is("out.note", "NOTE m config new");
	job.to = "mock/n";
	job.overwrite = true;
	run(plan(&job));
	content_is("out.note", "NOTE n NOTE k beside from nowhere (plain)?");
	job.to = NULL;
	job.inputs = (const char *const[]){ "config" };
	p = plan(&job);
	cr_assert(has_finding(p, FERRY_NOTE, "upgrade", "no older layouts"));
	ferry_plan_free(p);
}

Test(edit, abilities_tell_of_upgrades_and_usual_names)
{
	struct ferry_abilities can;

	ferry_known_abilities(ferry_session_find(session,
						 FERRY_KNOWN_CONVERSIONS,
						 "mock-m-upgrade"), &can);
	cr_assert(can.upgrades);
	ferry_known_abilities(ferry_session_find(session,
						 FERRY_KNOWN_CONVERSIONS,
						 "mock-mn"), &can);
	cr_assert(!can.upgrades);
	ferry_known_abilities(ferry_session_find(session, FERRY_KNOWN_TYPES,
						 "mock/n"), &can);
	cr_assert_str_eq(can.output_suffix, ".n.note");
	ferry_known_abilities(ferry_session_find(session, FERRY_KNOWN_TYPES,
						 "mock/m"), &can);
	cr_assert_str_eq(can.average_options[0].name, "weighing");
	cr_assert_str_eq(can.check_options[0].name, "strictness");
}

/* ---- checks with options ------------------------------------------------- */

/* What the check of in/m told, or how verifying failed. */
static const char *checked(const char *setting)
{
	const struct ferry_open_options options = {
		.settings = &setting, .n_settings = setting ? 1 : 0,
	};
	static char told[200];
	const struct ferry_finding *f;
	struct ferry_findings *found;

	ferry_findings_new(&found, &err);
	if (ferry_verify(session, "in/m", &options, NULL, NULL, found, &err)) {
		snprintf(told, sizeof(told), "%d %.180s", err.code, err.text);
	} else {
		f = ferry_findings_get(found, 0);
		snprintf(told, sizeof(told), "%s", f ? f->text : "");
	}
	ferry_findings_free(found);
	ferry_error_clear(&err);
	return told;
}

Test(edit, checks_take_the_options_of_their_type)
{
	cr_assert_str_eq(checked(NULL), "as ever");
	cr_assert_str_eq(checked("strictness=much"), "much");
	cr_assert(strstr(checked("stricness=much"), "in/m: setting "
			 "'stricness=much' is not one of reading note or "
			 "checking mock/m; it has colour strictness"), "%s",
		  checked("stricness=much"));
}

/* ---- files that documents name ------------------------------------------- */

static void becomes(const char *note, const char *expected)
{
	struct ferry_job job = JOB("in/m", "out.note", .to = "mock/n",
				   .overwrite = true);

	put("in/m", note);
	run(plan(&job));
	content_is("out.note", expected);
}

Test(edit, named_files_are_sought_beside_the_input_and_here)
{
	becomes("NOTE m config", "NOTE n NOTE k beside from in/m (plain)?");
	cr_assert_eq(unlink("in/config"), 0);
	becomes("NOTE m config", "NOTE n NOTE k here from in/m (plain)?");
	becomes("NOTE m @config", "NOTE n NOTE k here from in/m (plain)?");
	becomes("NOTE m ?config", "NOTE n 1 config from in/m (plain)?");
	becomes("NOTE m ?data", "NOTE n 1 data from in/m (plain)?");
	becomes("NOTE m ?none", "NOTE n 0 in/none from in/m (plain)?");
	becomes("NOTE m ?/none", "NOTE n 0 /none from in/m (plain)?");
}

Test(edit, named_files_are_mapped_by_the_longest_leading_path)
{
	const char *maps[] = { "/far=/nowhere", "/far/away/=data/",
			       "/far/awa=/wrong", "/=/root" };
	struct ferry_job job = JOB("in/m", "out.note", .to = "mock/n",
				   .map_paths = maps, .n_map_paths = 4);

	put("in/m", "NOTE m /far/away/config");
	run(plan(&job));
	content_is("out.note", "NOTE n NOTE k data from in/m (plain)?");
	put("in/m", "NOTE m ?/far/awayyy");
	job.overwrite = true;
	run(plan(&job));
	content_is("out.note", "NOTE n 0 /nowhere/awayyy from in/m (plain)?");
	put("in/m", "NOTE m ?/other");
	run(plan(&job));
	content_is("out.note", "NOTE n 0 /root/other from in/m (plain)?");
	maps[1] = "data";
	fails(&job, FERRY_MISUSE, "--map-path data: FROM=TO is expected");
}

Test(edit, a_named_file_that_is_not_there_says_what_to_give)
{
	struct ferry_job job = JOB("in/m", "out.note", .to = "mock/n");

	put("in/m", "NOTE m /far/config");
	fails(&job, FERRY_NOTFOUND, "file /far/config, which the input names");
	cr_assert(strstr(err.text, "--map-path"), "%s", err.text);
	cr_assert(strstr(err.text, "--with config=FILE"), "%s", err.text);
	put("in/m", "NOTE m none");
	fails(&job, FERRY_NOTFOUND, "sought as in/none and none");
	put("data/n", "NOTE n");
	put("in/m", "NOTE m data/n");
	fails(&job, FERRY_UNSUPPORTED, "not of type 'mock/config'");
}

Test(edit, named_files_are_told_once_and_never_written_to)
{
	struct ferry_job job = JOB("in/m", "in/config", .to = "mock/n",
				   .to_format = "note", .overwrite = true);
	struct ferry_plan *p = plan(&job);
	size_t reads = 0;

	for (size_t i = 0; i < ferry_plan_n_steps(p); i++)
		reads += !strcmp(ferry_plan_step(p, i)->what, "read");
	cr_assert_eq(reads, 2);
	cr_assert_eq(ferry_plan_run(p, NULL, &err), FERRY_MISUSE, "%s",
		     err.text);
	ferry_plan_free(p);
	content_is("in/config", "NOTE k beside");
}

/* ---- hints --------------------------------------------------------------- */

Test(edit, hints_give_way_to_settings)
{
	const char *settings[] = { "ending=!" };
	struct ferry_job job = JOB("in/m", "out.note", .to = "mock/n",
				   .settings = settings, .n_settings = 1);

	run(plan(&job));
	content_is("out.note", "NOTE n NOTE k beside from in/m (plain)!");
}

/* ---- means --------------------------------------------------------------- */

Test(edit, a_type_may_have_a_mean_of_its_own)
{
	const char *files[] = { "in/m", "in/m", "in/m" };
	const char *settings[] = { "weighing=age" };
	struct ferry_job job = { .inputs = files, .n_inputs = 3,
				 .output = "out.note", .average = true };
	struct ferry_plan *p = plan(&job);

	cr_assert(has_step(p, "average", "mock/m"));
	cr_assert(has_finding(p, FERRY_WARNING, "history", "who came first"));
	cr_assert_eq(ferry_plan_refused(p), 1);
	ferry_plan_free(p);
	job.allow_all_losses = true;
	run(plan(&job));
	content_is("out.note", "NOTE m config of 3 by count");
	job.settings = settings;
	job.n_settings = 1;
	job.overwrite = true;
	run(plan(&job));
	content_is("out.note", "NOTE m config of 3 by age");
	job.average = false;
	fails(&job, FERRY_MISUSE, "input in/m ('mock/m') has no part");
}

/* Every allocation fails once. */
Test(edit, memory_that_is_out_is_an_error, .timeout = 120)
{
	const char *settings[] = { "release=1", "polish=2" };
	const char *maps[] = { "conf=data/conf", "config=data/config" };
	struct ferry_job job = JOB("in/m", "out.note", .to = "mock/n",
				   .settings = settings, .n_settings = 2,
				   .map_paths = maps, .n_map_paths = 2,
				   .upgrade = true, .allow_all_losses = true);
	struct ferry_run_options options = { .no_sync = true };
	struct ferry_plan *p;
	uint64_t n;
	int rc = FERRY_NOMEM;

	for (n = 1; rc && n < 20000; n++) {
		p = NULL;
		ferry_error_clear(&err);
		ferry_alloc_fail_at(n);
		rc = ferry_plan_new(&p, session, &job, &err);
		if (!rc)
			rc = ferry_plan_run(p, &options, &err);
		ferry_alloc_fail_at(0);
		ferry_plan_free(p);
		cr_assert(!rc || rc == FERRY_NOMEM, "allocation %d: %d: %s",
			  (int)n, rc, err.text);
	}
	cr_assert_eq(rc, 0);
	cr_assert_gt(n, 100);
}
