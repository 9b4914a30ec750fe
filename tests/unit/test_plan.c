/* Plans: chains, losses, selections, the weights alone, writing. */
#include "config.h"

#include "tests/unit/plan_fixture.h"

#include <ferry/sys/alloc.h>

static void enter(void)
{
	static const char *const plugins[] = {
		"mock_chain", "mock_names", "mock_tree", "statedict", NULL
	};

	enter_with(plugins);
	put("a", "NOTE a one");
	put("b", "NOTE b two");
	put("config", "NOTE k");
	put("twin", "NOTE twin");
	put("plain", "TREE plain");
	put("tied", "TREE tied");
	put("checkpoint", "TREE checkpoint");
	put("module", "TREE module");
	put("odd", "TREE odd");
	put("models", "TREE models");
}

TestSuite(plan, .init = enter, .fini = leave);

/* ---- chains -------------------------------------------------------------- */

Test(plan, copies_what_nothing_is_asked_of)
{
	struct ferry_job job = JOB("a", "out.note",);
	struct ferry_plan *p = plan(&job);

	cr_assert_str_eq(ferry_plan_input_format(p), "note");
	cr_assert_str_eq(ferry_plan_output_format(p), "note");
	cr_assert_str_eq(ferry_plan_input_type(p)->type->name, "mock/a");
	cr_assert_str_eq(ferry_plan_output_type(p), "mock/a");
	cr_assert_eq(ferry_plan_refused(p), 0);
	run(p);
	content_is("out.note", "NOTE a one");
}

Test(plan, goes_without_loss_before_short)
{
	struct ferry_job job = JOB("a", "out.note", .to = "mock/c");
	struct ferry_plan *p = plan(&job);

	cr_assert(has_step(p, "convert", "mock-ab"));
	cr_assert(has_step(p, "convert", "mock-bc"));
	cr_assert_str_eq(ferry_plan_output_type(p), "mock/c");
	run(p);
	content_is("out.note", "NOTE c one ab bc");
}

Test(plan, two_equal_chains_are_ambiguous)
{
	struct ferry_job job = JOB("a", "out.note", .to = "mock/e");

	fails(&job, FERRY_AMBIGUOUS, "mock-ae1");
	cr_assert(strstr(err.text, "mock-ae2"), "%s", err.text);
}

Test(plan, says_what_can_be_reached)
{
	struct ferry_job job = JOB("b", "out.note", .to = "mock/a");

	fails(&job, FERRY_NOTFOUND, "'mock/c'");
	job.to = "mock/aa";
	fails(&job, FERRY_NOTFOUND, "did you mean");
}

Test(plan, roles_are_filled_by_type_and_by_name)
{
	const char *both[] = { "a", "config" }, *with[] = { "config=config" };
	struct ferry_job job = { .inputs = both, .n_inputs = 2,
				 .output = "out.note", .to = "mock/f" };

	run(plan(&job));
	content_is("out.note", "NOTE f one af");
	job.n_inputs = 1;
	job.overwrite = true;
	fails(&job, FERRY_NOTFOUND, "--with config=FILE");
	job.with = with;
	job.n_with = 1;
	run(plan(&job));
	content_is("out.note", "NOTE f one af");
}

Test(plan, plain_files_are_roles_too)
{
	const char *with[] = { "vocabulary=odd" };
	const char *bad[] = { "dictionary=odd" };
	struct ferry_job job = JOB("a", "out.note", .to = "mock/g",
				   .with = with, .n_with = 1);

	run(plan(&job));
	content_is("out.note", "NOTE g one ag");
	job.with = bad;
	fails(&job, FERRY_MISUSE, "no conversion has an input of that role");
	bad[0] = "odd";
	fails(&job, FERRY_MISUSE, "ROLE=FILE");
}

Test(plan, a_role_of_the_wrong_type_is_misuse)
{
	const char *with[] = { "config=b" };
	struct ferry_job job = JOB("a", "out.note", .to = "mock/f",
				   .with = with, .n_with = 1);

	fails(&job, FERRY_MISUSE, "not of type 'mock/config'");
}

Test(plan, inputs_without_a_part_are_misuse)
{
	const char *both[] = { "a", "b" };
	struct ferry_job job = { .inputs = both, .n_inputs = 2,
				 .output = "out.note" };

	fails(&job, FERRY_MISUSE, "input b ('mock/b') has no part");
}

Test(plan, a_conversion_that_fails_says_why)
{
	struct ferry_job job = JOB("a", "out.note", .to = "mock/h");

	fails(&job, FERRY_MALFORMED, "no verbs");
	job.to = "mock/i";
	fails(&job, FERRY_PLUGIN, "gave no document");
}

Test(plan, an_unclear_type_matters_only_when_it_is_needed)
{
	struct ferry_job job = JOB("twin", "out.note",);

	run(plan(&job));
	job.to = "mock/c";
	fails(&job, FERRY_AMBIGUOUS, "--from=mock/twin");
	job.from = "mock/b";
	fails(&job, FERRY_UNSUPPORTED, "does not look like a 'mock/b'");
}

/* ---- losses -------------------------------------------------------------- */

Test(plan, losses_are_refused_unless_allowed)
{
	const char *other[] = { "dtype" }, *right[] = { "values" };
	struct ferry_job job = JOB("checkpoint", "out.flat",);
	struct ferry_plan *p = plan(&job);

	cr_assert_eq(ferry_plan_refused(p), 2);
	cr_assert(has_finding(p, FERRY_WARNING, "values", "--weights"));
	cr_assert(has_finding(p, FERRY_WARNING, "objects", "classes"));
	cr_assert_eq(ferry_plan_run(p, NULL, &err), FERRY_LOSSY);
	cr_assert(strstr(err.text, "--allow-loss"), "%s", err.text);
	cr_assert_neq(access("out.flat", F_OK), 0);
	ferry_plan_free(p);
	ferry_error_clear(&err);
	job.allow_loss = other;
	job.n_allow_loss = 1;
	p = plan(&job);
	cr_assert_eq(ferry_plan_refused(p), 2);
	ferry_plan_free(p);
	job.allow_loss = right;
	p = plan(&job);
	cr_assert_eq(ferry_plan_refused(p), 1);
	ferry_plan_free(p);
	job.allow_all_losses = true;
	p = plan(&job);
	cr_assert_eq(ferry_plan_refused(p), 0);
	run(p);
}

Test(plan, a_format_without_tensors_would_lose_them)
{
	struct ferry_job job = JOB("plain", "out.note",);
	struct ferry_plan *p = plan(&job);

	cr_assert(has_finding(p, FERRY_WARNING, "tensors", "3"));
	cr_assert_eq(ferry_plan_refused(p), 1);
	ferry_plan_free(p);
}

Test(plan, a_dtype_that_is_not_held_is_a_loss_with_a_substitute)
{
	struct ferry_job job = JOB("odd", "out.flat",);
	struct ferry_plan *p = plan(&job);

	cr_assert(has_finding(p, FERRY_WARNING, "dtype",
			      "1 tensor becomes float32"));
	cr_assert_eq(ferry_plan_refused(p), 1);
	ferry_plan_free(p);
	job.allow_all_losses = true;
	run(plan(&job));
	job.output = "out.kept";
	p = plan(&job);
	cr_assert_eq(ferry_findings_count_level(ferry_plan_findings(p),
						FERRY_WARNING), 0);
	ferry_plan_free(p);
}

Test(plan, says_what_else_is_kept)
{
	struct ferry_job job = JOB("checkpoint", "out.kept",);
	struct ferry_plan *p = plan(&job);

	cr_assert(has_finding(p, FERRY_NOTE, "kept",
			      "optimizer, 40 bytes, and 2 values; --weights"));
	cr_assert_eq(ferry_plan_refused(p), 0);
	ferry_plan_free(p);
	job.weights = true;
	p = plan(&job);
	cr_assert(!has_finding(p, FERRY_NOTE, "kept", ""));
	ferry_plan_free(p);
}

/* ---- selections, weights, handling --------------------------------------- */

static const char *const dumped =
	"DUMP\n"
	"module.a.weight float32 0 1 2 3 4 5 6 7\n"
	"module.a.bias float32 8 9\n"
	"module.b.weight float32 0 1 2 3 4 5 6 7\n";

Test(plan, takes_the_weights_alone)
{
	struct ferry_job job = JOB("checkpoint", "out.dump", .weights = true);
	struct ferry_plan *p = plan(&job);

	cr_assert_str_eq(ferry_plan_input_type(p)->type->name, "checkpoint");
	cr_assert_str_eq(ferry_plan_output_type(p), "state-dict");
	cr_assert(has_finding(p, FERRY_NOTE, "left", "optimizer, "));
	run(p);
	content_is("out.dump", dumped);
}

Test(plan, objects_among_the_weights_are_left_out)
{
	struct ferry_job job = JOB("t", "out.dump", .weights = true);
	struct ferry_plan *p;

	put("t", "TREE args");
	p = plan(&job);
	cr_assert(has_finding(p, FERRY_NOTE, "values", "left out: "
			      "_extra_state, args (argparse.Namespace)"));
	run(p);
	content_is("out.dump", "DUMP\n"
		   "module.a.weight float32 0 1 2 3 4 5 6 7\n"
		   "module.a.bias float32 8 9\n"
		   "module.b.weight float32 16 17 18 19 20 21 22 23\n");
}

Test(plan, nothing_left_is_a_loss)
{
	const struct ferry_edit edits[] = {
		{ FERRY_EDIT_KEEP, "nothing", NULL },
	};
	const char *allowed[] = { "empty" };
	struct ferry_job job = JOB("plain", "out.dump", .edits = edits,
				   .n_edits = 1);
	struct ferry_plan *p = plan(&job);

	cr_assert(has_finding(p, FERRY_WARNING, "empty",
			      "--keep 'nothing' matched none"));
	cr_assert_eq(ferry_plan_refused(p), 1);
	ferry_plan_free(p);
	job.allow_loss = allowed;
	job.n_allow_loss = 1;
	p = plan(&job);
	cr_assert_eq(ferry_plan_refused(p), 0);
	ferry_plan_free(p);
}

Test(plan, casts_are_to_floating_dtypes)
{
	const struct ferry_edit edits[] = {
		{ FERRY_EDIT_CAST, "int8", NULL },
	};
	struct ferry_job job = JOB("plain", "out.dump", .edits = edits,
				   .n_edits = 1);

	fails(&job, FERRY_MISUSE, "cast to int8 truncates");
	job.allow_all_losses = true;
	ferry_plan_free(plan(&job));
}

Test(plan, a_type_that_the_content_is_not_is_refused)
{
	struct ferry_job job = JOB("plain", "out.dump", .from = "module");

	fails(&job, FERRY_UNSUPPORTED, "does not look like a 'module'");
}

Test(plan, the_weights_of_modules_are_named_and_bare)
{
	struct ferry_job job = JOB("module", "out.dump", .weights = true);

	run(plan(&job));
	content_is("out.dump", "DUMP\nnorm.weight float32 0 1 2 3\n"
		   "norm.running float32 4 5\n");
	job.weights = false;
	job.to = "state-dict";
	job.overwrite = true;
	run(plan(&job));
	content_is("out.dump", "DUMP\nnorm.weight float32 0 1 2 3\n"
		   "norm.running float32 4 5\n");
}

Test(plan, a_checkpoint_becomes_a_state_dict_with_notes)
{
	struct ferry_job job = JOB("checkpoint", "out.dump",
				   .to = "state-dict");
	struct ferry_plan *p = plan(&job);

	cr_assert(has_step(p, "convert", "checkpoint-to-state-dict"));
	cr_assert(has_finding(p, FERRY_NOTE, "tensors", "'optimizer'"));
	cr_assert(has_finding(p, FERRY_NOTE, "values", "'epoch'"));
	cr_assert_eq(ferry_plan_refused(p), 0);
	run(p);
	content_is("out.dump", dumped);
}

Test(plan, what_has_no_weights_says_so)
{
	struct ferry_job job = JOB("a", "out.note", .weights = true);

	fails(&job, FERRY_UNSUPPORTED, "'mock/a' has no weights");
}

Test(plan, selects_one_or_several_paths)
{
	const char *one[] = { "state_dict" };
	const char *two[] = { "optimizer.state.exp_avg", "epoch" };
	struct ferry_job job = JOB("checkpoint", "out.dump", .select = one,
				   .n_select = 1);
	struct ferry_plan *p;

	run(plan(&job));
	content_is("out.dump", dumped);
	job.select = two;
	job.n_select = 2;
	job.overwrite = true;
	p = plan(&job);
	cr_assert_eq(ferry_plan_document(p)->root->u.dict.n, 2);
	run(p);
	content_is("out.dump", "DUMP\noptimizer.state.exp_avg float32 32 33 34 "
		   "35 36 37 38 39 40 41\n");
}

Test(plan, a_selection_that_is_not_there_names_near_ones)
{
	const char *one[] = { "optimizer.stat" };
	struct ferry_job job = JOB("checkpoint", "out.dump", .select = one,
				   .n_select = 1);

	fails(&job, FERRY_NOTFOUND, "did you mean 'state'");
	one[0] = "stat_dict";
	fails(&job, FERRY_NOTFOUND, "'state_dict'");
}

Test(plan, edits_act_on_the_weights_wherever_they_are)
{
	const struct ferry_edit edits[] = {
		{ FERRY_EDIT_STRIP_PREFIX, "module.", NULL },
		{ FERRY_EDIT_DROP, "^b", NULL },
		{ FERRY_EDIT_CAST, "float64", "bias" },
	};
	struct ferry_job job = JOB("checkpoint", "out.dump", .edits = edits,
				   .n_edits = 3);
	struct ferry_plan *p = plan(&job);

	cr_assert(has_step(p, "handle", "rules"));
	run(p);
	content_is("out.dump", "DUMP\n"
		   "state_dict.a.weight float32 0 1 2 3 4 5 6 7\n"
		   "state_dict.a.bias float64 8 9\n"
		   "optimizer.state.exp_avg float32 32 33 34 35 36 37 38 39 40 "
		   "41\n");
}

static void name_is(const struct ferry_plan *p, uint32_t i, const char *text)
{
	const struct ferry_value *names =
		ferry_dict_get(ferry_plan_document(p)->root, "names");
	const struct ferry_value *name = names->u.list.items[i];

	if (!text)
		cr_assert_eq(name->kind, FERRY_NONE);
	else
		cr_assert_str_eq(name->u.s.data, text);
}

Test(plan, rules_act_on_each_model_and_its_names_follow)
{
	static const struct ferry_edit edits[] = {
		{ FERRY_EDIT_DROP, "^b", NULL },
		{ FERRY_EDIT_RENAME, "^a", "z" },
	};
	struct ferry_job job = JOB("models", "out.dump", .edits = edits,
				   .n_edits = 2);
	struct ferry_plan *p = plan(&job);

	cr_assert(has_step(p, "handle", "rules"));
	name_is(p, 0, NULL);
	name_is(p, 1, "z.w");
	name_is(p, 2, "c.w");
	cr_assert(has_finding(p, FERRY_NOTE, "renamed", "2 of 2 names renamed"));
	cr_assert(has_finding(p, FERRY_NOTE, "followed",
			      "names followed 2 models"));
	run(p);
	content_is("out.dump", "DUMP\nfirst.z.w float32 0 1\n"
		   "second.z.w float32 4 5\n");
}

Test(plan, nothing_follows_where_no_name_changed)
{
	static const struct ferry_edit edits[] = {
		{ FERRY_EDIT_CAST, "bfloat16", NULL },
	};
	struct ferry_job job = JOB("models", "out.dump", .edits = edits,
				   .n_edits = 1);
	struct ferry_plan *p = plan(&job);

	cr_assert(!has_finding(p, FERRY_NOTE, "followed", ""));
	cr_assert(has_finding(p, FERRY_NOTE, "cast", "3 of 3 names cast"));
	ferry_plan_free(p);
}

Test(plan, edits_of_modules_wait_for_their_names)
{
	const struct ferry_edit edits[] = {
		{ FERRY_EDIT_STRIP_PREFIX, "norm.", NULL },
	};
	struct ferry_job job = JOB("module", "out.dump", .edits = edits,
				   .n_edits = 1, .weights = true);

	run(plan(&job));
	content_is("out.dump", "DUMP\nweight float32 0 1 2 3\n"
		   "running float32 4 5\n");
	job.weights = false;
	fails(&job, FERRY_UNSUPPORTED, "--weights");
}

Test(plan, rules_without_a_match_are_told)
{
	const struct ferry_edit edits[] = {
		{ FERRY_EDIT_DROP, "nowhere", NULL },
	};
	struct ferry_job job = JOB("plain", "out.dump", .edits = edits,
				   .n_edits = 1);
	struct ferry_plan *p = plan(&job);

	cr_assert(has_warning(p, "rule-unmatched", "nowhere"));
	cr_assert_eq(ferry_plan_refused(p), 0);
	ferry_plan_free(p);
}

Test(plan, models_name_rules)
{
	struct ferry_job job = JOB("plain", "out.dump", .model = "no/model");

	fails(&job, FERRY_NOTFOUND, "model 'no/model' is not known");
	put("r.yaml", "rules:\n- strip_prefix: module.\n");
	job.model = NULL;
	job.rules = "r.yaml";
	run(plan(&job));
	content_is("out.dump", "DUMP\na.weight float32 0 1 2 3 4 5 6 7\n"
		   "a.bias float32 8 9\n"
		   "b.weight float32 16 17 18 19 20 21 22 23\n");
}

/* ---- what weights look like ---------------------------------------------- */

/* The type, and what --weights takes ("": none). */
static void weights_of(const char *word, const char *type, const char *taken)
{
	struct ferry_job job = JOB("t", "out.dump", .overwrite = true);
	char text[40], expected[400];
	struct ferry_plan *p;

	snprintf(text, sizeof(text), "TREE %s", word);
	put("t", text);
	p = plan(&job);
	cr_assert_str_eq(ferry_plan_output_type(p) ? ferry_plan_output_type(p) :
			 "none", type, "%s", word);
	ferry_plan_free(p);
	job.weights = true;
	if (!*taken) {
		fails(&job, FERRY_UNSUPPORTED, "weights");
		return;
	}
	run(plan(&job));
	snprintf(expected, sizeof(expected), "DUMP\n%s", taken);
	content_is("out.dump", expected);
}

#define THREE \
	"module.a.weight float32 0 1 2 3 4 5 6 7\n" \
	"module.a.bias float32 8 9\n" \
	"module.b.weight float32 16 17 18 19 20 21 22 23\n"

Test(plan, weights_are_found_where_training_code_puts_them)
{
	weights_of("plain", "state-dict", THREE);
	weights_of("extra", "state-dict", THREE);
	weights_of("nested", "checkpoint", THREE);
	weights_of("named", "checkpoint", THREE);
	weights_of("yolo", "checkpoint", "norm.weight float32 0 1 2 3\n"
		   "norm.running float32 4 5\n");
	weights_of("twice", "tensors", "a.w float32 0 1\nb.w float32 0 1\n");
	weights_of("optimizer", "optimizer", "");
	weights_of("tensor", "tensor", "");
	weights_of("list", "tensors", "");
	weights_of("values", "values", "");
}

Test(plan, graphs_without_end_are_left, .timeout = 20)
{
	struct ferry_job job = JOB("t", "out.dump", .weights = true);

	put("t", "TREE loop");
	fails(&job, FERRY_LIMIT, "contain itself");
	put("t", "TREE lattice");
	fails(&job, FERRY_UNSUPPORTED, "weights");
}

/* ---- means --------------------------------------------------------------- */

Test(plan, the_mean_of_weights_is_lazy_and_keeps_ties)
{
	const char *files[] = { "tied", "plain", "plain" };
	struct ferry_job job = { .inputs = files, .n_inputs = 3,
				 .output = "out.dump", .average = true };
	const struct ferry_value *items;
	struct ferry_plan *p = plan(&job);

	cr_assert(has_step(p, "average", "state-dict"));
	cr_assert(has_finding(p, FERRY_NOTE, "average", "that of tied"));
	run(p);
	content_is("out.dump", "DUMP\nmodule.a.weight float32 0 1 2 3 4 5 6 7\n"
		   "module.a.bias float32 8 9\nmodule.b.weight float32 10.6667 "
		   "11.6667 12.6667 13.6667 14.6667 15.6667 16.6667 17.6667\n");
	files[1] = files[2] = "tied";
	job.overwrite = true;
	p = plan(&job);
	items = ferry_value_items(ferry_plan_document(p)->root);
	cr_assert_eq(items->u.dict.pairs[0].value->u.tensor->storage,
		     items->u.dict.pairs[2].value->u.tensor->storage);
	run(p);
	content_is("out.dump", dumped);
}

Test(plan, the_mean_of_checkpoints_keeps_the_rest_of_the_first)
{
	const char *files[] = { "checkpoint", "checkpoint" };
	const char *selected[] = { "optimizer" };
	struct ferry_job job = { .inputs = files, .n_inputs = 2,
				 .output = "out.dump", .average = true,
				 .from = "checkpoint", .select = selected };
	struct ferry_plan *p = plan(&job);

	cr_assert_eq(ferry_plan_document(p)->root->u.dict.n, 4);
	run(p);
	job.to = "state-dict";
	job.overwrite = true;
	run(plan(&job));
	content_is("out.dump", dumped);
	job.to = NULL;
	job.n_select = 1;
	run(plan(&job));
	content_is("out.dump", "DUMP\nstate.exp_avg float32 32 33 34 35 36 37 "
		   "38 39 40 41\n");
}

Test(plan, a_mean_is_of_one_type_and_one_set_of_names)
{
	const char *files[] = { "plain", "checkpoint" };
	struct ferry_job job = { .inputs = files, .n_inputs = 2,
				 .output = "out.dump", .average = true };

	fails(&job, FERRY_UNSUPPORTED, "input checkpoint is of type "
	      "'checkpoint', and the first is of type 'state-dict'");
	job.from = "state-dict";
	fails(&job, FERRY_UNSUPPORTED, "input checkpoint does not look like a "
	      "'state-dict'");
	job.from = NULL;
	put("twice", "TREE twice");
	put("list", "TREE list");
	files[0] = "twice";
	files[1] = "list";
	fails(&job, FERRY_UNSUPPORTED, "no weights to take the mean of");
	files[0] = "a";
	files[1] = "b";
	fails(&job, FERRY_UNSUPPORTED, "'mock/b'");
	files[0] = "plain";
	files[1] = "extra";
	put("extra", "TREE short");
	fails(&job, FERRY_MISUSE, "weight 'module.b.weight' is in plain but "
	      "not in extra");
	put("extra", "TREE long");
	fails(&job, FERRY_MISUSE, "weight 'more' is in extra but not in plain");
	put("extra", "TREE wide");
	fails(&job, FERRY_MISUSE, "weight 'module.a.bias' is float32 [2] in "
	      "plain but float64 [1] in extra");
}

Test(plan, what_has_no_mean_is_equal_or_lost)
{
	const char *files[] = { "c1", "c2" };
	struct ferry_job job = { .inputs = files, .n_inputs = 2,
				 .output = "out.dump", .average = true };
	struct ferry_plan *p;

	put("c1", "TREE count1");
	put("c2", "TREE count1");
	p = plan(&job);
	cr_assert_eq(ferry_plan_refused(p), 0);
	ferry_plan_free(p);
	put("c2", "TREE count2");
	p = plan(&job);
	cr_assert_eq(ferry_plan_refused(p), 1);
	cr_assert(has_finding(p, FERRY_WARNING, "integers", "in 1 of 2 inputs "
			      "(first in c2): that of c1 is kept"));
	ferry_plan_free(p);
}

Test(plan, a_mean_without_memory_is_an_error, .timeout = 120)
{
	const char *files[] = { "c1", "c2" };
	struct ferry_job job = { .inputs = files, .n_inputs = 2,
				 .output = "out.dump", .average = true,
				 .allow_all_losses = true };
	struct ferry_plan *p;
	uint64_t n;
	int rc = FERRY_NOMEM;

	put("c1", "TREE count1");
	put("c2", "TREE count2");
	for (n = 1; rc && n < 20000; n++) {
		p = NULL;
		ferry_error_clear(&err);
		ferry_alloc_fail_at(n);
		rc = ferry_plan_new(&p, session, &job, &err);
		ferry_alloc_fail_at(0);
		ferry_plan_free(p);
		cr_assert(!rc || rc == FERRY_NOMEM, "allocation %d: %d: %s",
			  (int)n, rc, err.text);
	}
	cr_assert_eq(rc, 0);
}

/* ---- shared tensors ------------------------------------------------------ */

Test(plan, shared_tensors_are_kept_copied_left_out_or_refused)
{
	struct ferry_job job = JOB("tied", "out.dump",);
	struct ferry_value *items;
	struct ferry_plan *p = plan(&job);

	items = ferry_value_items(ferry_plan_document(p)->root);
	cr_assert_eq(items->u.dict.pairs[0].value->u.tensor->storage,
		     items->u.dict.pairs[2].value->u.tensor->storage);
	ferry_plan_free(p);
	job.shared = FERRY_SHARED_COPY;
	p = plan(&job);
	items = ferry_value_items(ferry_plan_document(p)->root);
	cr_assert_neq(items->u.dict.pairs[0].value->u.tensor->storage,
		      items->u.dict.pairs[2].value->u.tensor->storage);
	run(p);
	content_is("out.dump", dumped);
	job.shared = FERRY_SHARED_FIRST;
	job.overwrite = true;
	run(plan(&job));
	content_is("out.dump", "DUMP\n"
		   "module.a.weight float32 0 1 2 3 4 5 6 7\n"
		   "module.a.bias float32 8 9\n");
	job.shared = FERRY_SHARED_ERROR;
	p = plan(&job);
	cr_assert_eq(ferry_plan_refused(p), 1);
	cr_assert(has_finding(p, FERRY_WARNING, "shared", "module.b.weight"));
	cr_assert_eq(ferry_plan_run(p, NULL, &err), FERRY_LOSSY);
	ferry_plan_free(p);
}

Test(plan, a_format_that_cannot_share_says_so)
{
	struct ferry_job job = JOB("tied", "out.flat", .weights = true,
				   .allow_all_losses = true);
	struct ferry_plan *p = plan(&job);

	cr_assert(has_finding(p, FERRY_NOTE, "shared", "module.b.weight"));
	ferry_plan_free(p);
}

/* ---- the output ---------------------------------------------------------- */

Test(plan, the_ending_chooses_the_format)
{
	struct ferry_job job = JOB("plain", "out.xyz",);

	fails(&job, FERRY_UNSUPPORTED, "--to-format");
	job.output = "out.both";
	fails(&job, FERRY_AMBIGUOUS, "'kept'");
	job.to_format = "dump";
	run(plan(&job));
	job.to_format = "tree";
	fails(&job, FERRY_UNSUPPORTED, "read but not written");
	job.to_format = "dmup";
	fails(&job, FERRY_NOTFOUND, "'dump'");
}

Test(plan, settings_reach_the_writer_and_unknown_ones_are_misuse)
{
	const char *settings[] = { "ending=!" };
	struct ferry_job job = JOB("a", "out.note", .settings = settings,
				   .n_settings = 1);

	run(plan(&job));
	content_is("out.note", "NOTE a one!");
	settings[0] = "edning=!";
	job.overwrite = true;
	fails(&job, FERRY_MISUSE, "ending (writing)");
	cr_assert(strstr(err.text, "colour (reading)"), "%s", err.text);
}

Test(plan, an_existing_output_stays)
{
	struct ferry_job job = JOB("a", "out.note",);
	struct ferry_plan *p;

	put("out.note", "mine");
	p = plan(&job);
	cr_assert_eq(ferry_plan_run(p, NULL, &err), FERRY_EXISTS);
	ferry_plan_free(p);
	content_is("out.note", "mine");
	ferry_error_clear(&err);
	job.overwrite = true;
	run(plan(&job));
	content_is("out.note", "NOTE a one");
}

Test(plan, an_input_is_never_written_to)
{
	struct ferry_job job = JOB("in.note", "in.note", .overwrite = true);
	struct ferry_plan *p;

	put("in.note", "NOTE a one");
	p = plan(&job);
	cr_assert_eq(ferry_plan_run(p, NULL, &err), FERRY_MISUSE);
	ferry_plan_free(p);
	content_is("in.note", "NOTE a one");
}

Test(plan, verifying_takes_what_is_equal_and_refuses_the_rest)
{
	const char *settings[] = { "ending=!" };
	struct ferry_job job = JOB("a", "out.note", .verify = true);
	struct ferry_plan *p;

	run(plan(&job));
	content_is("out.note", "NOTE a one");
	unlink("out.note");
	job.settings = settings;
	job.n_settings = 1;
	p = plan(&job);
	cr_assert_eq(ferry_plan_run(p, NULL, &err), FERRY_MALFORMED);
	cr_assert(strstr(err.text, "text"), "%s", err.text);
	nothing_was_written();
	ferry_plan_free(p);
}

Test(plan, cancelling_leaves_nothing)
{
	struct ferry_job job = JOB("a", "out.note",);
	struct ferry_plan *p = plan(&job);
	atomic_bool cancel = true;
	struct ferry_run_options options = { .cancel = &cancel };

	cr_assert_eq(ferry_plan_run(p, &options, &err), FERRY_CANCELLED);
	nothing_was_written();
	ferry_plan_free(p);
}

Test(plan, a_plan_may_have_no_output)
{
	struct ferry_job job = JOB("a", NULL, .to = "mock/c");
	struct ferry_plan *p = plan(&job);

	cr_assert_null(ferry_plan_output_format(p));
	cr_assert_str_eq(ferry_plan_output_type(p), "mock/c");
	cr_assert_eq(ferry_plan_run(p, NULL, &err), FERRY_MISUSE);
	ferry_plan_free(p);
}

Test(plan, the_job_need_not_outlive_the_plan)
{
	char *output = strdup("out.note"), *input = strdup("a");
	struct ferry_job job = JOB(input, output,);
	struct ferry_plan *p = plan(&job);

	memset(output, 'x', 8);
	memset(input, 'x', 1);
	free(output);
	free(input);
	run(p);
	content_is("out.note", "NOTE a one");
}

/* Every allocation fails once: an error each time, no file, no leak. */
Test(plan, memory_that_is_out_is_an_error, .timeout = 120)
{
	const struct ferry_edit edits[] = {
		{ FERRY_EDIT_STRIP_PREFIX, "module.", NULL },
		{ FERRY_EDIT_RENAME, "^(.)\\.", "\\1_" },
		{ FERRY_EDIT_CAST, "float64", "weight" },
		{ FERRY_EDIT_KEEP, "weight|bias", NULL },
	};
	struct ferry_job job = JOB("checkpoint", "out.dump", .edits = edits,
				   .n_edits = 4, .to = "state-dict",
				   .shared = FERRY_SHARED_COPY);
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
		cr_assert(!rc || access("out.dump", F_OK), "allocation %d",
			  (int)n);
	}
	cr_assert_eq(rc, 0);
	cr_assert_gt(n, 100);
	nothing_was_written();
}
