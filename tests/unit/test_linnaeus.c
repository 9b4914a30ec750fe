/* linnaeus: types, pretrained weights by metadata, and put together of two. */
#include "config.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ferry/handling.h>
#include <ferry/plan.h>
#include <ferry/schema.h>
#include <ferry/sys/ops.h>
#include <ferry/sys/plugin.h>

static struct ferry_session *session;
static struct ferry_plan *plan;
static struct ferry_error err = FERRY_ERROR_INIT;
static char scratch[] = "/tmp/ferry-linnaeus-XXXXXX";

static const char *corpus(const char *name)
{
	static char path[8][512];
	static unsigned next;
	char *p = path[next++ % 8];

	snprintf(p, sizeof(path[0]), "%s/linnaeus/%s", getenv("FERRY_CORPUS"),
		 name);
	return p;
}

static void enter(void)
{
	static const char *const names[] = {
		"linnaeus", "torch", "yaml", "statedict", "safetensors",
		"caiman", "ksuit"
	};
	enum { N = sizeof(names) / sizeof(*names) };
	static char kept[N][512];
	const char *files[N];
	struct ferry_session_options options = {
		.plugin_path = "", .plugin_files = files, .n_plugin_files = N,
	};

	for (size_t i = 0; i < N; i++) {
		snprintf(kept[i], sizeof(kept[i]), "%s/plugins/.libs/%s.so",
			 getenv("abs_top_builddir"), names[i]);
		files[i] = kept[i];
	}
	setenv("FERRY_PLUGIN_PATH_ONLY", "1", 1);
	cr_assert_eq(ferry_session_new(&session, &options, &err), 0, "%s",
		     err.text);
	cr_assert_not_null(mkdtemp(scratch));
	cr_assert_eq(chdir(scratch), 0);
}

static void leave(void)
{
	char command[64];

	ferry_plan_free(plan);
	ferry_session_free(session);
	cr_assert_eq(chdir("/"), 0);
	snprintf(command, sizeof(command), "rm -rf %s", scratch);
	cr_assert_eq(system(command), 0);
}

TestSuite(linnaeus, .init = enter, .fini = leave);

/* ---- jobs ------------------------------------------------------------------ */

static int make_plan(const char *in, const char *to, const char *model,
		     const char *const *with, const char *const *settings)
{
	struct ferry_job job = {
		.inputs = &in, .n_inputs = 1, .to = to, .model = model,
		.with = with, .settings = settings,
	};

	while (with && with[job.n_with])
		job.n_with++;
	while (settings && settings[job.n_settings])
		job.n_settings++;
	ferry_plan_free(plan);
	plan = NULL;
	ferry_error_clear(&err);
	return ferry_plan_new(&plan, session, &job, &err);
}

static bool noted(const char *part)
{
	const struct ferry_findings *f = ferry_plan_findings(plan);

	for (size_t i = 0; ferry_findings_get(f, i); i++)
		if (strstr(ferry_findings_get(f, i)->text, part))
			return true;
	return false;
}

static bool refused(const char *part)
{
	if (strstr(err.text, part))
		return true;
	fprintf(stderr, "%s\n", err.text);
	return false;
}

/* The plan's names and tensors are the file's, in its order. */
static void assert_equal_to(const char *file, double atol)
{
	struct ferry_compare how = { .data = true, .atol = atol };
	struct ferry_findings *found;
	struct ferry_document *a = ferry_plan_document(plan), *b;
	const struct ferry_finding *f;
	int equal;

	cr_assert_eq(ferry_open(session, corpus(file), NULL, &b, &err), 0);
	cr_assert_eq(ferry_findings_new(&found, &err), 0);
	a->root = ferry_value_items(a->root);
	b->root = ferry_value_items(b->root);
	equal = ferry_document_compare(a, b, &how, found, &err);
	f = ferry_findings_get(found, 0);
	cr_assert_eq(equal, 1, "%s: %s", f ? f->path : "", f ? f->text :
		     err.text);
	ferry_findings_free(found);
	ferry_document_free(b);
}

/* The names the plan leaves, each followed by a space. */
static const char *names_left(void)
{
	static char text[4096];
	const struct ferry_value *items =
		ferry_value_items(ferry_plan_document(plan)->root);
	size_t n = 0;

	*text = '\0';
	for (uint32_t i = 0; i < items->u.dict.n; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%.*s ",
				      (int)items->u.dict.pairs[i].key->u.s.nbytes,
				      items->u.dict.pairs[i].key->u.s.data);
	return text;
}

/* ---- types ----------------------------------------------------------------- */

Test(linnaeus, files_are_recognised)
{
	static const char *const files[][2] = {
		{ "ckpt_epoch_5.pth", "linnaeus/training" },
		{ "wrapped.pth", "linnaeus/training" },
		{ "stitched.pth", "linnaeus/model" },
		{ "mFormerV1.pth", "linnaeus/model" },
		{ "convnext.pth", "checkpoint" },
		{ "ropevit.pth", "checkpoint" },
		{ "metaformer.pth", "checkpoint" },
	};
	struct ferry_recognised what;
	struct ferry_document *doc;

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		cr_assert_eq(ferry_open(session, corpus(files[i][0]), NULL,
					&doc, &err), 0, "%s", err.text);
		cr_assert_eq(ferry_recognise(session, doc, files[i][0], NULL,
					     &what, &err), 0, "%s", err.text);
		cr_assert(what.type && !strcmp(what.type->name, files[i][1]),
			  "%s: %s", files[i][0],
			  what.type ? what.type->name : "none");
		ferry_document_free(doc);
	}
}

static struct ferry_document *open_file(const char *file,
					const struct ferry_known **type)
{
	struct ferry_document *doc;

	*type = ferry_session_find(session, FERRY_KNOWN_TYPES,
				   "linnaeus/training");
	cr_assert_eq(ferry_open(session, corpus(file), NULL, &doc, &err), 0);
	return doc;
}

Test(linnaeus, a_checkpoint_is_described)
{
	const struct ferry_known *type;
	struct ferry_document *doc = open_file("ckpt_epoch_5.pth", &type);
	struct ferry_value *facts;

	cr_assert_eq(ferry_describe(session, doc, type, &facts, &err), 0);
	cr_assert(ferry_value_is(ferry_dict_get(facts, "model"),
				 "mFormerV1_tiny"));
	cr_assert_eq(ferry_dict_get(facts, "epoch")->u.i, 5);
	cr_assert_eq(ferry_dict_get(facts, "iteration")->u.i, 600);
	cr_assert(ferry_value_is(ferry_dict_get(facts, "stages"),
				 "convolutional 2x4 1x8, RoPE 2x12 1x16"));
	cr_assert(ferry_value_is(ferry_dict_get(facts, "optimizer"),
				 "MultiOptimizer, version 2: adam, sgd"));
	cr_assert_eq(ferry_dict_get(facts, "best val.loss (epoch 4)")->u.f,
		     0.25);
	cr_assert_null(ferry_dict_get(facts, "wrapped"));
	ferry_document_free(doc);
	doc = open_file("wrapped.pth", &type);
	cr_assert_eq(ferry_describe(session, doc, type, &facts, &err), 0);
	cr_assert_not_null(ferry_dict_get(facts, "wrapped"));
	cr_assert(ferry_value_is(ferry_dict_get(facts, "optimizer"),
				 "MultiOptimizer, version 1: main"));
	ferry_document_free(doc);
}

static void assert_violation(struct ferry_document *doc,
			     const struct ferry_known *type, const char *part)
{
	struct ferry_findings *found;
	bool seen = false;

	cr_assert_eq(ferry_findings_new(&found, &err), 0);
	cr_assert_eq(type->type->check(doc, found, &err), 0);
	for (size_t i = 0; ferry_findings_get(found, i); i++)
		seen |= strstr(ferry_findings_get(found, i)->text, part) != NULL;
	cr_assert(part ? seen : !ferry_findings_count(found), "%s", part);
	ferry_findings_free(found);
}

Test(linnaeus, a_checkpoint_is_checked)
{
	const struct ferry_known *type;
	struct ferry_document *doc = open_file("ckpt_epoch_5.pth", &type);
	struct ferry_store *s = doc->store;
	struct ferry_value *model = ferry_dict_get(doc->root, "model");
	struct ferry_value *optimizer = ferry_dict_get(doc->root, "optimizer");
	struct ferry_findings *found;

	cr_assert_eq(ferry_findings_new(&found, &err), 0);
	cr_assert_eq(type->type->check(doc, found, &err), 0);
	cr_assert_eq(ferry_findings_count(found), 0);
	ferry_findings_free(found);
	ferry_dict_set_str(s, doc->root, "epoch", ferry_int(s, 6));
	assert_violation(doc, type, "epoch is 6, that of training_progress 5");
	ferry_dict_set_str(s, doc->root, "iteration", ferry_int(s, 6));
	assert_violation(doc, type, "iteration is 6, global_step 600");
	ferry_dict_set_str(s, ferry_value_items(model), "module.x",
			   ferry_int(s, 6));
	assert_violation(doc, type, "1 of 109 names begin with module.");
	assert_violation(doc, type, "'module.x' is of kind int, not a tensor");
	ferry_dict_set_str(s, optimizer, "_param_shapes",
			   ferry_sequence(s, FERRY_LIST, 0));
	assert_violation(doc, type, "0 shapes for 108 parameters");
	ferry_document_free(doc);
}

/* ---- config and weights ---------------------------------------------------- */

Test(linnaeus, the_config_is_plain)
{
	struct ferry_value *root;

	cr_assert_eq(make_plan(corpus("ckpt_epoch_5.pth"), "linnaeus/config",
			       NULL, NULL, NULL), 0, "%s", err.text);
	root = ferry_plan_document(plan)->root;
	cr_assert_eq(root->kind, FERRY_DICT);
	cr_assert_eq(ferry_value_at(root, "MODEL.ROPE_STAGES")->kind,
		     FERRY_DICT);
	cr_assert_eq(ferry_value_at(root, "DATA.MEAN")->kind, FERRY_LIST);
	cr_assert_eq(ferry_value_at(root, "MODEL.PRETRAINED")->kind,
		     FERRY_NONE);
	cr_assert(ferry_value_is(ferry_value_at(root,
		"LOSS.GRAD_WEIGHTING.TASK.EXCLUDE_CONFIG.FILTERS.0.PATTERNS.1"),
		"meta_"));
	cr_assert_eq(ferry_value_at(root, "AUG")->kind, FERRY_DICT);
	cr_assert_null(ferry_value_at(root, "__immutable__"));
	cr_assert(noted("1 tuple of the config became list"));
}

Test(linnaeus, weights_keep_their_names)
{
	cr_assert_eq(make_plan(corpus("wrapped.pth"), "state-dict", NULL, NULL,
			       NULL), 0, "%s", err.text);
	cr_assert(noted("every name begins with module."));
	cr_assert_not_null(ferry_dict_get(ferry_plan_document(plan)->root,
					  "module.stem.0.weight"));
}

/* ---- pretrained weights by metadata ---------------------------------------- */

Test(linnaeus, metadata_of_mFormerV1)
{
	cr_assert_eq(make_plan(corpus("ckpt_epoch_5.pth"), NULL,
			       "linnaeus/mFormerV1", NULL, NULL), 0, "%s",
		     err.text);
	cr_assert(noted("semantics=documented would keep or make 18 names: "
			"stages.2.0.norm1.weight"));
	assert_equal_to("mFormerV1.pth", 0);
}

Test(linnaeus, metaformer_for_mFormerV0)
{
	static const char *const settings[] = {
		"pretrained-source=metaformer", "img-size=64", NULL
	};

	cr_assert_eq(make_plan(corpus("metaformer.pth"), NULL,
			       "linnaeus/mFormerV0", NULL, settings), 0, "%s",
		     err.text);
	cr_assert(noted("semantics=documented would not have 1 name: "
			"meta_1_other.weight"));
	assert_equal_to("metaformer-V0.pth", 1e-5);
}

/* ---- rules ----------------------------------------------------------------- */

struct built {
	struct ferry_document *doc;
	struct ferry_rules *rules;
	struct ferry_findings *found;
};

static struct ferry_value *tensor(struct ferry_store *s, const float *data,
				  unsigned ndim, const uint64_t *shape)
{
	uint64_t n = 4;
	struct ferry_source *src;
	void *copy;

	for (unsigned i = 0; i < ndim; i++)
		n *= shape[i];
	copy = ferry_store_alloc(s, n);
	cr_assert_not_null(copy);
	memcpy(copy, data, n);
	cr_assert_eq(ferry_source_from_memory(&src, copy, n, "test", &err), 0);
	cr_assert_eq(ferry_store_take_source(s, src), 0);
	return ferry_tensor(s, FERRY_F32, ndim, shape, NULL, 0,
			    ferry_storage(s, FERRY_F32, src, 0, n));
}

static void add(struct built *b, const char *name)
{
	static const float zero = 0;
	static const uint64_t one = 1;

	ferry_dict_set_str(b->doc->store, b->doc->root, name,
			   tensor(b->doc->store, &zero, 1, &one));
}

/* The rules of a model, or of a text; settings as --set. */
static void start(struct built *b, const char *model, const char *text,
		  const char *const *settings)
{
	const char *path = "rules.yaml";
	size_t n = 0;
	FILE *f;

	while (settings && settings[n])
		n++;
	cr_assert_eq(ferry_document_new(&b->doc, NULL, &err), 0);
	b->doc->root = ferry_dict(b->doc->store, 8);
	cr_assert_eq(ferry_findings_new(&b->found, &err), 0);
	cr_assert_eq(ferry_rules_new(&b->rules, &err), 0);
	if (model) {
		path = ferry_session_find(session, FERRY_KNOWN_MODELS,
					  model)->file;
	} else {
		f = fopen(path, "w");
		fputs(text, f);
		fclose(f);
	}
	cr_assert_eq(ferry_rules_load_for(b->rules, path, b->doc->store,
					  settings, n, &err), 0, "%s",
		     err.text);
}

static int apply(struct built *b)
{
	ferry_error_clear(&err);
	return ferry_rules_apply(b->rules, b->doc, b->doc->root, b->found,
				 &err);
}

static bool has(const struct built *b, const char *name)
{
	return ferry_dict_get(b->doc->root, name) != NULL;
}

static void finish(struct built *b)
{
	ferry_rules_free(b->rules);
	ferry_findings_free(b->found);
	ferry_document_free(b->doc);
}

/* What each pattern deletes: as re.search() with \b says, and as the guide of
 * linnaeus means it. */
static const struct {
	const char *pattern, *name;
	bool word, component;
} table[] = {
	{ "head.", "head.weight", true, true },
	{ "head.", "head_fc.weight", true, false },
	{ "head.", "headroom.weight", true, false },
	{ "head.", "some_headroom.x", true, false },
	{ "head.", "meta_spatial_head_1.0.weight", true, false },
	{ "head.", "head", false, false },
	{ "norm.", "norm.weight", true, true },
	{ "norm.", "norm_1.weight", true, false },
	{ "norm.", "final_norm.weight", true, false },
	{ "norm.", "prenorm.weight", true, false },
	{ "norm.", "stages.0.0.norm.weight", true, true },
	{ "norm.", "stages.2.0.norm1.weight", true, false },
	{ "norm.", "downsample_layers.0.norm.weight", true, true },
	{ "head", "head", true, true },
	{ "head", "head.weight", true, true },
	{ "head", "xhead.y", true, true },
	{ "head", "head-x", true, true },
	{ "head", "head_fc", false, true },
	{ "head", "headroom", false, true },
	{ "head", "some_headroom", false, true },
	{ "meta_", "meta_spatial_head_1.0.weight", false, true },
	{ "meta_", "x.meta_.y", true, true },
	{ "meta_", "x.meta_", true, true },
	{ "meta_", "x.meta_2", false, true },
	{ "pos_embed", "pos_embed", true, true },
	{ "pos_embed", "pos_embed.weight", true, true },
	{ "pos_embed", "patch_pos_embed", true, true },
	{ "pos_embed", "pos_embedding", false, true },
	{ "a+b", "aab", true, false },
	{ "a+b", "xa+b.y", false, true },
	{ "stem|head", "stem.0", true, false },
	{ "h\xc3\xa9", "h\xc3\xa9\xc3\xa9", false, true },
	{ "h\xc3\xa9", "h\xc3\xa9.x", true, true },
};

static void assert_table(const char *match)
{
	bool word = !strcmp(match, "word");
	char text[200];
	struct built b;

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		bool want = word ? table[i].word : table[i].component;

		snprintf(text, sizeof(text), "rules:\n  - drop: {match: %s, "
			 "pattern: '%s', optional: true}\n", match,
			 table[i].pattern);
		start(&b, NULL, text, NULL);
		add(&b, table[i].name);
		add(&b, "\xe2\x82\xac");
		cr_assert_eq(apply(&b), 0, "%s", err.text);
		cr_assert_eq(!has(&b, table[i].name), want, "%s '%s' on %s",
			     match, table[i].pattern, table[i].name);
		finish(&b);
	}
}

Test(linnaeus, patterns_match_as_the_code_does)
{
	assert_table("word");
}

Test(linnaeus, patterns_match_as_the_guide_says)
{
	assert_table("component");
}

static void add_all(struct built *b, const char *const *names)
{
	for (size_t i = 0; names[i]; i++)
		add(b, names[i]);
}

static const char *names_of(const struct built *b)
{
	static char text[1024];
	const struct ferry_value *root = b->doc->root;
	size_t n = 0;

	*text = '\0';
	for (uint32_t i = 0; i < root->u.dict.n; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.*s",
				      i ? " " : "", (int)root->u.dict.pairs[i].
				      key->u.s.nbytes,
				      root->u.dict.pairs[i].key->u.s.data);
	return text;
}

static void assert_names(const char *model, const char *const *settings,
			 const char *const *names, const char *want)
{
	struct built b;

	start(&b, model, NULL, settings);
	add_all(&b, names);
	cr_assert_eq(apply(&b), 0, "%s", err.text);
	cr_assert_str_eq(names_of(&b), want);
	finish(&b);
}

static const char *const wrapped_names[] = {
	"module.stem.0.weight", "module.head.weight", "module.norm.bias",
	"module.meta_a_head_1.0.weight", "relative_position_index", NULL
};

#define META "pretrained-source=metaformer"

Test(linnaeus, prefixes_follow_the_target)
{
	static const char *const ddp[] = { "target-ddp=yes", NULL };
	static const char *const guide[] = {
		"target-ddp=yes", "semantics=documented", NULL
	};
	static const char *const plain[] = { "a", "head.b", NULL };

	assert_names("linnaeus/mFormerV1", NULL, wrapped_names,
		     "stem.0.weight relative_position_index");
	/* One has it already, so none gets it; then all do. */
	assert_names("linnaeus/mFormerV1", ddp, wrapped_names,
		     "module.module.stem.0.weight module.module.head.weight "
		     "module.module.norm.bias "
		     "module.module.meta_a_head_1.0.weight "
		     "module.relative_position_index");
	assert_names("linnaeus/mFormerV1", ddp, plain,
		     "module.module.a module.module.head.b");
	assert_names("linnaeus/mFormerV1", guide, plain, "module.a");
	assert_names("linnaeus/mFormerV0", NULL, wrapped_names,
		     "stem.0.weight norm.bias meta_a_head_1.0.weight");
}

Test(linnaeus, metaformer_heads_go_by_their_raw_names)
{
	static const char *const settings[] = { META, NULL };
	static const char *const names[] = {
		"head_a", "x.head.fc.weight", "meta_a_head_1.w",
		"meta_a_x", "a_head", "b.c", NULL
	};

	assert_names("linnaeus/mFormerV1-guide", settings, names,
		     "meta_a_x a_head b.c");
	/* "module.head" does not begin with "head": the metadata takes it. */
	assert_names("linnaeus/mFormerV0", settings, wrapped_names,
		     "stem.0.weight norm.bias");
}

Test(linnaeus, nothing_left_is_refused)
{
	static const char *const settings[] = { META, NULL };
	static const char *const names[] = { "head.weight", NULL };
	struct built b;

	start(&b, "linnaeus/mFormerV1", NULL, settings);
	add_all(&b, names);
	cr_assert_eq(apply(&b), FERRY_MISUSE);
	cr_assert(refused("no name is left"));
	finish(&b);
	/* The metadata may leave nothing: then nothing is loaded. */
	assert_names("linnaeus/mFormerV1", NULL, names, "");
}

/* Two heads, a row of its own before each square of 3 x 3. */
static const float grids[2][9] = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8 }, { 1, -2, 3, 0.5f, 4, -1, 2, 2.5f, -3 },
};

static const float resized[2][25] = {
	{ -0.3839999f, 0.0280007f, 0.7120003f, 1.3960003f, 1.8080006f,
	  0.8520015f, 1.2640017f, 1.9480016f, 2.6320016f, 3.0440018f,
	  2.9040005f, 3.3160007f, 4.000001f, 4.6840014f, 5.0960011f,
	  4.9560003f, 5.368f, 6.0520005f, 6.736001f, 7.1480017f,
	  6.1920013f, 6.604001f, 7.2880011f, 7.9720025f, 8.3840036f },
	{ 1.39590406f, -0.787231624f, -2.57599974f, 0.810592771f, 3.95616031f,
	  0.723152101f, 0.513112843f, 0.43600145f, 1.1246078f, 1.70297432f,
	  0.164000332f, 2.21799994f, 4.0f, 1.19199967f, -1.48000014f,
	  1.17732859f, 2.64308691f, 3.51399922f, -0.0204080977f, -3.09049535f,
	  2.12364864f, 2.6257112f, 2.35600042f, -1.02411187f, -3.72460866f },
};

Test(linnaeus, biases_are_resized_as_torch_does)
{
	static const char *const settings[] = { META, "img-size=48", NULL };
	static const char name[] = "stage_3.0.attn.relative_position_bias_table";
	static const uint64_t shape[] = { 10, 2 };
	float rows[10][2] = { { -7, 7 } }, out[26][2];
	const struct ferry_tensor *t;
	struct ferry_source *src;
	uint64_t offset;
	struct built b;

	for (size_t i = 0; i < 9; i++)
		for (size_t h = 0; h < 2; h++)
			rows[1 + i][h] = grids[h][i];
	start(&b, "linnaeus/mFormerV0", NULL, settings);
	ferry_dict_set_str(b.doc->store, b.doc->root, name,
			   tensor(b.doc->store, &rows[0][0], 2, shape));
	cr_assert_eq(apply(&b), 0, "%s", err.text);
	t = ferry_dict_get(b.doc->root, name)->u.tensor;
	cr_assert_eq(t->shape[0], 26);
	cr_assert_eq(t->shape[1], 2);
	cr_assert_eq(ferry_tensor_source(b.doc->store, t, &src, &offset, &err),
		     0);
	cr_assert_eq(ferry_source_read(src, out, offset, sizeof(out), &err),
		     0);
	cr_assert_eq(out[0][0], -7);
	cr_assert_eq(out[0][1], 7);
	for (size_t i = 0; i < 25; i++)
		for (size_t h = 0; h < 2; h++)
			cr_assert_lt(fabsf(out[1 + i][h] - resized[h][i]),
				     1e-5f, "head %zu, %zu: %.9g", h, i,
				     (double)out[1 + i][h]);
	finish(&b);
}

Test(linnaeus, tables_that_are_no_square_are_refused)
{
	static const char *const settings[] = { META, "img-size=48", NULL };
	static const char name[] = "stage_3.0.attn.relative_position_bias_table";
	static const uint64_t shape[] = { 9, 1 };
	static const float rows[9];
	struct built b;

	start(&b, "linnaeus/mFormerV0", NULL, settings);
	ferry_dict_set_str(b.doc->store, b.doc->root, name,
			   tensor(b.doc->store, rows, 2, shape));
	cr_assert_eq(apply(&b), FERRY_MISUSE);
	cr_assert(refused("without the first they are no square"));
	finish(&b);
}

Test(linnaeus, conditions_can_be_turned_round)
{
	static const char text[] =
		"options:\n"
		"  way: {default: a, values: [a, b, c], compare: true}\n"
		"source:\n"
		"  - {key: x, unless: {way: [a, b]}}\n"
		"  - {key: y, when: {way: a}, unless: {way: c}}\n"
		"  - z\n"
		"rules:\n"
		"  - unless: {way: [b, c]}\n"
		"    drop: one\n"
		"  - drop: two\n"
		"    when: {way: c}\n"
		"    unless: {way: a}\n";
	static const char *const settings[] = { "way=c", NULL };
	static const char *const names[] = { "one", "two", NULL };
	struct built b;

	start(&b, NULL, text, NULL);
	add_all(&b, names);
	cr_assert_str_eq(ferry_rules_source(b.rules, 0), "y");
	cr_assert_str_eq(ferry_rules_source(b.rules, 1), "z");
	cr_assert_eq(apply(&b), 0, "%s", err.text);
	cr_assert_str_eq(names_of(&b), "two");
	finish(&b);
	start(&b, NULL, text, settings);
	add_all(&b, names);
	cr_assert_str_eq(ferry_rules_source(b.rules, 0), "x");
	cr_assert_str_eq(ferry_rules_source(b.rules, 1), "z");
	cr_assert_eq(apply(&b), 0, "%s", err.text);
	cr_assert_str_eq(names_of(&b), "one");
	finish(&b);
}

Test(linnaeus, a_required_name)
{
	static const char *const names[] = { "one", "two", NULL };
	struct built b;

	start(&b, NULL, "rules:\n  - require: '^t'\n", NULL);
	add_all(&b, names);
	cr_assert_eq(apply(&b), 0, "%s", err.text);
	cr_assert_eq(ferry_findings_count(b.found), 0);
	finish(&b);
	start(&b, NULL, "rules:\n  - require: {match: exact, pattern: t}\n",
	      NULL);
	add_all(&b, names);
	cr_assert_eq(apply(&b), FERRY_MISUSE);
	cr_assert(refused("rule require 't': none of the 2 names matches"));
	finish(&b);
}

Test(linnaeus, bad_files_are_refused)
{
	static const char *const cases[][2] = {
		{ "source: [{when: {a: b}}]\nrules: []\n", "line 1" },
		{ "source: [{key: a, of: b}]\nrules: []\n",
		  "a source has key, when and unless" },
		{ "source: [{key: a, when: {no: b}}]\nrules: []\n",
		  "'no' is neither an option" },
		{ "rules:\n  - {unless: {no: b}, drop: a}\n",
		  "'no' is neither an option" },
		{ "rules:\n  - {unless: {no: b}}\n", "a rule is one key" },
		{ "rules:\n  - {drop: a, keep: b}\n", "a rule is one key" },
		{ "options: {a: {compare: [x]}}\nrules: []\n",
		  "an option has default, values (a list), compare and help" },
	};
	struct ferry_rules *rules;
	FILE *f;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		f = fopen("bad.yaml", "w");
		fputs(cases[i][0], f);
		fclose(f);
		ferry_error_clear(&err);
		cr_assert_eq(ferry_rules_new(&rules, &err), 0);
		cr_assert_eq(ferry_rules_load(rules, "bad.yaml", &err),
			     FERRY_MALFORMED, "%s", cases[i][0]);
		cr_assert(refused(cases[i][1]), "%s", cases[i][0]);
		ferry_rules_free(rules);
	}
}

/* ---- where the weights are ------------------------------------------------- */

/* ckpt_epoch_5.pth says where: interpolation wants `model`. */
Test(linnaeus, interpolation_wants_the_key_model)
{
	static const char *const plain[] = { META, NULL };
	static const char *const ddp[] = { META, "target-ddp=yes", NULL };
	static const char *const guide[] = {
		META, "semantics=documented", NULL
	};
	struct built b;

	start(&b, "linnaeus/mFormerV0", NULL, plain);
	cr_assert_str_eq(ferry_rules_source(b.rules, 0), "model");
	cr_assert_null(ferry_rules_source(b.rules, 1));
	finish(&b);
	for (size_t i = 0; i < 2; i++) {
		start(&b, "linnaeus/mFormerV0", NULL, i ? ddp : guide);
		cr_assert_str_eq(ferry_rules_source(b.rules, 1),
				 "state_dict_ema");
		cr_assert_str_eq(ferry_rules_source(b.rules, 3), "");
		finish(&b);
	}
	cr_assert_eq(make_plan(corpus("metaformer-V0.pth"), NULL,
			       "linnaeus/mFormerV0", NULL, plain),
		     FERRY_MISUSE);
	cr_assert(refused("from the first of 'model' that is there: none is"));
	cr_assert_eq(make_plan(corpus("metaformer-V0.pth"), NULL,
			       "linnaeus/mFormerV0", NULL, NULL), 0);
}

/* ---- two files ------------------------------------------------------------- */

static int stitch(const char *model, const char *const *settings)
{
	static char rope[600], target[600];
	const char *with[] = { rope, target, NULL };

	snprintf(rope, sizeof(rope), "ropevit=%s", corpus("ropevit.pth"));
	snprintf(target, sizeof(target), "target=%s",
		 corpus("ckpt_epoch_5.pth"));
	return make_plan(corpus("convnext.pth"), "linnaeus/model", model, with,
			 settings);
}

Test(linnaeus, two_files_make_one_model)
{
	static const char *const guide[] = { "semantics=documented", NULL };

	cr_assert_eq(stitch(NULL, NULL), 0, "%s", err.text);
	cr_assert(noted("58 of the 108 tensors"));
	cr_assert(noted("cls_token_2 [1, 1, 12] for [1, 1, 16]"));
	cr_assert(noted("8 more would be taken with semantics=documented"));
	assert_equal_to("stitched.pth", 0);
	cr_assert_eq(stitch(NULL, guide), 0, "%s", err.text);
	cr_assert(noted("8 of these semantics=upstream would leave out"));
	assert_equal_to("stitched-documented.pth", 0);
}

/* What is copied has data of its own, what is taken twice not. */
Test(linnaeus, frequencies_are_copies)
{
	struct ferry_value *root, *a, *b;

	cr_assert_eq(stitch(NULL, NULL), 0, "%s", err.text);
	root = ferry_plan_document(plan)->root;
	a = ferry_dict_get(root, "stages.2.0.attn.freqs");
	b = ferry_dict_get(root, "stages.2.1.attn.freqs");
	cr_assert(a && b);
	cr_assert_neq(a->u.tensor->storage, b->u.tensor->storage);
}

/* The metadata comes after, or the stem would be dropped by the name it has
 * in the ConvNeXt file. */
Test(linnaeus, metadata_waits_for_the_result)
{
	static const char *const guide[] = { "semantics=documented", NULL };

	cr_assert_eq(stitch("linnaeus/mFormerV1", NULL), 0, "%s", err.text);
	cr_assert_not_null(strstr(names_left(), "stem.0.weight "));
	cr_assert_not_null(strstr(names_left(), "stages.2.0.attn.qkv.bias "));
	cr_assert_null(strstr(names_left(), "norm"));
	cr_assert_eq(stitch("linnaeus/mFormerV1-guide", guide), 0);
	cr_assert_not_null(strstr(names_left(),
				  "downsample_layers.0.norm.weight "));
}

Test(linnaeus, options_of_the_target)
{
	static const char *const shallow[] = {
		"rope-depths=1,1", "rope-mixed=no", NULL
	};
	static const char *const bad[] = { "rope-depths=5;2", NULL };
	static const char *const worse[] = { "semantics=wrong", NULL };

	cr_assert_eq(stitch(NULL, shallow), 0, "%s", err.text);
	cr_assert_not_null(strstr(names_left(), "stages.2.0.attn.qkv.bias "));
	cr_assert_null(strstr(names_left(), "stages.2.1."));
	cr_assert_null(strstr(names_left(), "freqs"));
	cr_assert_eq(stitch(NULL, bad), FERRY_MISUSE);
	cr_assert(refused("rope-depths is two numbers"));
	cr_assert_eq(stitch(NULL, worse), FERRY_MISUSE);
	cr_assert(refused("semantics is upstream or documented"));
}

Test(linnaeus, targets_that_can_not_be)
{
	static char rope[600], target[600];
	const char *with[] = { rope, NULL, NULL };

	snprintf(rope, sizeof(rope), "ropevit=%s", corpus("ropevit.pth"));
	cr_assert_eq(make_plan(corpus("convnext.pth"), "linnaeus/model", NULL,
			       with, NULL), FERRY_MISUSE);
	cr_assert(refused("the model to load into is not known"));
	snprintf(target, sizeof(target), "target=%s", corpus("wrapped.pth"));
	with[1] = target;
	cr_assert_eq(make_plan(corpus("convnext.pth"), "linnaeus/model", NULL,
			       with, NULL), FERRY_MISUSE);
	cr_assert(refused("wrapped in DistributedDataParallel"));
	snprintf(target, sizeof(target), "target=%s", corpus("metaformer.pth"));
	cr_assert_eq(make_plan(corpus("convnext.pth"), "linnaeus/model", NULL,
			       with, NULL), FERRY_MISUSE);
	cr_assert(refused("has a name and shape of"));
	cr_assert_eq(make_plan(corpus("convnext.pth"), "linnaeus/model", NULL,
			       NULL, NULL), FERRY_NOTFOUND);
	cr_assert(refused("--with ropevit=FILE"));
}

/* ---- schemas --------------------------------------------------------------- */

Test(linnaeus, schemas_of_the_variants)
{
	static const struct {
		const char *name;
		size_t tensors;
	} variants[] = {
		{ "linnaeus/mFormerV1-sm", 177 },
		{ "linnaeus/mFormerV1-md", 242 },
		{ "linnaeus/mFormerV1-lg", 242 },
		{ "linnaeus/mFormerV1-xl", 398 },
	};
	struct ferry_tensor_schema *schema;
	const struct ferry_tensor_spec *spec;
	struct ferry_store *store;

	cr_assert_eq(ferry_store_new(&store, &err), 0);
	for (size_t i = 0; i < 4; i++) {
		cr_assert_eq(ferry_tensor_schema_find(&schema, store,
						      variants[i].name, NULL,
						      0, &err), 0, "%s",
			     err.text);
		cr_assert_eq(ferry_tensor_schema_count(schema),
			     variants[i].tensors, "%s: %zu", variants[i].name,
			     ferry_tensor_schema_count(schema));
		spec = ferry_tensor_schema_at(schema, "stages.2.0.attn.freqs");
		cr_assert_eq(spec->shape[2], 32);
		ferry_tensor_schema_free(schema);
	}
	ferry_store_unref(store);
}
