/* CAIMAN-ASR: types, coercions, schemas, export, migration, averaging. */
#include "config.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ferry/plan.h>
#include <ferry/sys/alloc.h>
#include <ferry/sys/plugin.h>

#include "plugins/caiman/average.h"
#include "plugins/caiman/coerce.h"
#include "plugins/caiman/export.h"
#include "plugins/caiman/inference.h"
#include "plugins/caiman/number.h"
#include "plugins/caiman/sentencepiece.h"
#include "plugins/caiman/weights.h"

static struct ferry_session *session;
static struct ferry_store *store;
static struct ferry_error err = FERRY_ERROR_INIT;
static char scratch[] = "/tmp/ferry-caiman-XXXXXX";

static const char *corpus(const char *name)
{
	static char path[8][512];
	static unsigned next;
	char *p = path[next++ % 8];

	snprintf(p, sizeof(path[0]), "%s/caiman/%s", getenv("FERRY_CORPUS"),
		 name);
	return p;
}

static void enter(void)
{
	static const char *const names[] = {
		"caiman", "torch", "yaml", "statedict", "numpy", "safetensors"
	};
	static char kept[6][512];
	const char *files[6];
	struct ferry_session_options options = {
		.plugin_path = "", .plugin_files = files, .n_plugin_files = 6,
	};

	for (size_t i = 0; i < 6; i++) {
		snprintf(kept[i], sizeof(kept[i]), "%s/plugins/.libs/%s.so",
			 getenv("abs_top_builddir"), names[i]);
		files[i] = kept[i];
	}
	setenv("FERRY_PLUGIN_PATH_ONLY", "1", 1);
	cr_assert_eq(ferry_session_new(&session, &options, &err), 0, "%s",
		     err.text);
	cr_assert_eq(ferry_store_new(&store, &err), 0);
	cr_assert_not_null(mkdtemp(scratch));
	cr_assert_eq(chdir(scratch), 0);
}

static void leave(void)
{
	char command[64];

	ferry_store_unref(store);
	ferry_session_free(session);
	cr_assert_eq(chdir("/"), 0);
	snprintf(command, sizeof(command), "rm -rf %s", scratch);
	cr_assert_eq(system(command), 0);
}

TestSuite(caiman, .init = enter, .fini = leave);

/* ---- numbers and coercions ------------------------------------------------------- */

static struct ferry_value *text(const char *s)
{
	return ferry_cstring(store, s);
}

static bool is_int(const struct ferry_value *v, const char *digits)
{
	return v && v->kind == FERRY_INT &&
	       !strcmp(ferry_int_text(store, v), digits);
}

/* Digits of each major, NULL where it refuses. */
Test(caiman, integers_of_text)
{
	static const struct {
		const char *text, *one, *two;
	} cases[] = {
		{ "8", "8", "8" }, { " 8\n", "8", "8" }, { "+8", "8", "8" },
		{ "-8", "-8", "-8" }, { "0008", "8", "8" },
		{ "1_000", "1000", "1000" }, { "1__0", NULL, NULL },
		{ "_1", NULL, NULL }, { "1_", NULL, NULL },
		{ "8.0", NULL, "8" }, { "8.000", NULL, "8" },
		{ "8.", NULL, NULL }, { "8.5", NULL, NULL },
		{ "8.0_0", NULL, NULL }, { "0_8.0", NULL, "8" },
		{ "1_0.0", NULL, "10" }, { "1e3", NULL, NULL },
		{ "0x10", NULL, NULL }, { "", NULL, NULL }, { "-", NULL, NULL },
		{ "--8", NULL, NULL }, { "- 8", NULL, NULL },
		{ "-01", "-1", NULL }, { "00-1", NULL, "-1" },
		{ "+-8", NULL, NULL }, { "00", "0", "0" }, { "-0", "0", "0" },
		{ "\xc2\xa0" "8\xe2\x80\x83", "8", "8" }, { ".5", NULL, NULL },
		{ "123456789012345678901234567890.0", NULL,
		  "123456789012345678901234567890" },
	};
	struct ferry_value *out;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (unsigned major = 1; major <= 2; major++) {
			const char *want = major == 1 ? cases[i].one :
							cases[i].two;

			cr_assert_eq(coerce(store, FIELD_INT, major,
					    text(cases[i].text), &out), 0);
			cr_assert(want ? is_int(out, want) : !out, "%s by %u",
				  cases[i].text, major);
		}
}

Test(caiman, integers_of_floats)
{
	static const struct {
		double f;
		const char *one, *two;
	} cases[] = {
		{ 8.0, "8", "8" }, { 8.7, "8", NULL }, { -8.7, "-8", NULL },
		{ -0.0, "0", "0" }, { NAN, NULL, NULL }, { INFINITY, NULL, NULL },
		{ 0x1p53, "9007199254740992", "9007199254740992" },
		{ 0x1p63, "9223372036854775808", NULL },
		{ -0x1p63, "-9223372036854775808", NULL },
		{ 1e22, "10000000000000000000000", NULL },
		{ -1e22, "-10000000000000000000000", NULL },
	};
	struct ferry_value *out;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (unsigned major = 1; major <= 2; major++) {
			const char *want = major == 1 ? cases[i].one :
							cases[i].two;

			cr_assert_eq(coerce(store, FIELD_INT, major,
					    ferry_float(store, cases[i].f),
					    &out), 0);
			cr_assert(want ? is_int(out, want) : !out, "%g by %u",
				  cases[i].f, major);
		}
}

Test(caiman, floats_of_text)
{
	static const struct {
		const char *text;
		double one, two;	/* 42: refused */
	} cases[] = {
		{ "8", 8, 8 }, { "1e-05", 1e-5, 1e-5 }, { ".5", .5, .5 },
		{ "8.", 8, 8 }, { "1_0.0", 10, 10 }, { "1__0", 42, 42 },
		{ "_1", 42, 42 }, { "+_8", 42, 8 }, { "1e5_0", 1e50, 1e50 },
		{ "1_.0", 42, 1 }, { "0x10", 42, 42 }, { "e5", 42, 42 },
		{ "1e", 42, 42 }, { "", 42, 42 }, { " inf ", INFINITY, INFINITY },
		{ "-Infinity", -INFINITY, -INFINITY }, { "infinit", 42, 42 },
		{ "1e400", INFINITY, INFINITY }, { "1,5", 42, 42 },
	};
	struct ferry_value *out;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (unsigned major = 1; major <= 2; major++) {
			double want = major == 1 ? cases[i].one : cases[i].two;

			cr_assert_eq(coerce(store, FIELD_FLOAT, major,
					    text(cases[i].text), &out), 0);
			cr_assert(want == 42 ? !out : out && out->u.f == want,
				  "%s by %u", cases[i].text, major);
		}
}

Test(caiman, text_of_numbers)
{
	static const struct {
		double f;
		const char *repr;
	} cases[] = {
		{ 8, "8.0" }, { 8.7, "8.7" }, { 1e-5, "1e-05" }, { 0, "0.0" },
		{ -0.0, "-0.0" }, { 1e16, "1e+16" }, { 123456789012345680.0,
		  "1.2345678901234568e+17" }, { 1e15, "1000000000000000.0" },
		{ 0.0001, "0.0001" }, { 0.1, "0.1" }, { 1.5e300, "1.5e+300" },
		{ NAN, "nan" }, { -INFINITY, "-inf" }, { 5e-324, "5e-324" },
		{ 0.00123, "0.00123" }, { 1234.5, "1234.5" },
	};
	struct ferry_value *out;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cr_assert_eq(coerce(store, FIELD_STR, 1,
				    ferry_float(store, cases[i].f), &out), 0);
		cr_assert(ferry_value_is(out, cases[i].repr), "%s",
			  cases[i].repr);
		cr_assert_eq(coerce(store, FIELD_STR, 2,
				    ferry_float(store, cases[i].f), &out), 0);
		cr_assert_null(out);
	}
	cr_assert_eq(coerce(store, FIELD_STR, 1, ferry_bool(true), &out), 0);
	cr_assert(ferry_value_is(out, "True"));
	cr_assert_eq(coerce(store, FIELD_STR, 1, ferry_none(), &out), 0);
	cr_assert_null(out);
}

Test(caiman, booleans_and_lists)
{
	struct ferry_value *tuple = ferry_sequence(store, FERRY_TUPLE, 1), *out;

	ferry_list_add(store, tuple, text("a"));
	for (unsigned major = 1; major <= 2; major++) {
		coerce(store, FIELD_INT, major, ferry_bool(true), &out);
		cr_assert(is_int(out, "1"));
		coerce(store, FIELD_FLOAT, major, ferry_bool(false), &out);
		cr_assert(out->kind == FERRY_FLOAT && out->u.f == 0);
		coerce(store, FIELD_LIST, major, tuple, &out);
		cr_assert(out->kind == FERRY_LIST && out->u.list.n == 1);
		coerce(store, FIELD_LIST, major, text("abc"), &out);
		cr_assert_null(out);
		coerce(store, FIELD_INT, major, ferry_none(), &out);
		cr_assert_null(out);
	}
}

/* ---- sentencepiece ------------------------------------------------------------------ */

Test(caiman, pieces)
{
	uint8_t data[4096];
	uint64_t n;
	FILE *f = fopen(corpus("datasets/sentencepieces/pieces.model"), "rb");
	size_t size;

	cr_assert_not_null(f);
	size = fread(data, 1, sizeof(data), f);
	fclose(f);
	cr_assert_eq(sentencepiece_count(data, size, &n, &err), 0, "%s",
		     err.text);
	cr_assert_eq(n, 29);
	for (size_t cut = 0; cut < size; cut++) {
		ferry_error_clear(&err);
		if (sentencepiece_count(data, cut, &n, &err))
			cr_assert_eq(err.code, FERRY_MALFORMED);
		else
			cr_assert_leq(n, 29);
	}
}

Test(caiman, pieces_of_what_is_no_model)
{
	static const char *const bad[] = {
		"\x0a\x7f", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
		"\x0b", "\x02\x01\x01", "plain text", "\x80\x80",
	};
	uint64_t n;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ferry_error_clear(&err);
		cr_assert_eq(sentencepiece_count((const uint8_t *)bad[i],
						 strlen(bad[i]), &n, &err),
			     FERRY_MALFORMED, "%zu", i);
		cr_assert(strstr(err.text, "is no field of a protobuf"));
	}
}

/* ---- recognition --------------------------------------------------------------------- */

static struct ferry_document *read_file(const char *name)
{
	struct ferry_open_options options = { .store = store };
	struct ferry_document *doc = NULL;

	cr_assert_eq(ferry_open(session, corpus(name), &options, &doc, &err),
		     0, "%s", err.text);
	return doc;
}

/* The document without a key of its root. */
static void take_key(struct ferry_document *doc, const char *key)
{
	struct ferry_value *root = ferry_dict(store, 0);
	const struct ferry_pair *pair;

	for (uint32_t i = 0; i < doc->root->u.dict.n; i++) {
		pair = &doc->root->u.dict.pairs[i];
		if (!ferry_value_is(pair->key, key))
			cr_assert_eq(ferry_dict_set(store, root, pair->key,
						    pair->value), 0);
	}
	doc->root = root;
}

static void is_of(const char *name, const char *type, const char *release)
{
	struct ferry_document *doc = read_file(name);
	struct ferry_recognised what;
	struct ferry_value *facts;

	cr_assert_eq(ferry_recognise(session, doc, corpus(name), NULL, &what,
				     &err), 0, "%s", err.text);
	cr_assert_not_null(what.type, "%s", name);
	cr_assert_str_eq(what.type->name, type, "%s", name);
	cr_assert_eq(ferry_describe(session, doc, what.type, &facts, &err), 0,
		     "%s", err.text);
	if (release)
		cr_assert(ferry_value_is(ferry_dict_get(facts,
							"written by release"),
					 release), "%s", name);
	ferry_document_free(doc);
}

Test(caiman, recognises_every_release)
{
	is_of("training-1.0.pt", "caiman/training", "1.0.0 to 1.1.0");
	is_of("training-1.5.pt", "caiman/training", "1.4.0 to 1.5.0");
	is_of("training-1.6.pt", "caiman/training", "1.6.0 to 1.8.0");
	is_of("training-1.9.pt", "caiman/training", "1.9.0 to 1.12.0");
	is_of("training-1.13-getattr.pt", "caiman/training", "1.13.0");
	is_of("RNN-T_best_checkpoint.pt", "caiman/training", "1.14.0");
	is_of("training-later.pt", "caiman/training", "next");
	is_of("hardware-1.0.pt", "caiman/hardware", "1.0.0 to 1.1.0");
	is_of("hardware-1.4.pt", "caiman/hardware", "1.4.0");
	is_of("hardware-1.8.pt", "caiman/hardware", "1.8.0");
	is_of("hardware-1.11.pt", "caiman/hardware", "1.11.0");
	is_of("hardware-1.14.hw.pt", "caiman/hardware", "1.14.0");
	is_of("config.yaml", "caiman/config", NULL);
	is_of("melmeans.npy", "caiman/mel-stats", NULL);
	is_of("datasets/stats/tiny-winsz0.025/melvars.pt", "caiman/mel-stats",
	      NULL);
	is_of("datasets/stats/tiny-winsz0.025/meln.pt", "caiman/mel-stats",
	      NULL);
}

/* One that lost a key is still one, so that its check can say so. */
Test(caiman, recognises_what_lost_a_key)
{
	static const char *const keys[] = {
		"state_dict", "melmeans", "melvars", "sentpiece_model",
		"rnnt_config", NULL
	};
	struct ferry_recognised what;
	struct ferry_document *doc;
	struct ferry_value *facts;

	for (size_t i = 0; keys[i]; i++) {
		doc = read_file("hardware-1.14.hw.pt");
		take_key(doc, keys[i]);
		cr_assert_eq(ferry_recognise(session, doc, "x.pt", NULL, &what,
					     &err), 0, "%s", err.text);
		cr_assert(what.type && !strcmp(what.type->name,
					       "caiman/hardware"),
			  "without %s", keys[i]);
		cr_assert_eq(ferry_describe(session, doc, what.type, &facts,
					    &err), 0, "%s", err.text);
		ferry_document_free(doc);
	}
}

/* A bare tensor under another name, or of another shape, is nobody's. */
Test(caiman, takes_no_other_tensors)
{
	struct ferry_document *doc = read_file("datasets/stats/"
					       "tiny-winsz0.025/melvars.pt");
	struct ferry_recognised what;

	ferry_recognise(session, doc, "bias.pt", NULL, &what, &err);
	cr_assert_str_eq(what.type->name, "tensor");
	ferry_recognise(session, doc, "meln.pt", NULL, &what, &err);
	cr_assert_str_eq(what.type->name, "tensor");
	ferry_document_free(doc);
}

/* ---- schemas of the inference config ------------------------------------------------- */

static struct releases all;

static const struct release *release_of(const char *name)
{
	cr_assert_eq(releases_load(store, &all, &err), 0, "%s", err.text);
	for (size_t i = 0; i < all.n; i++)
		if (!strcmp(all.items[i].name, name))
			return &all.items[i];
	cr_assert_fail("no release %s", name);
	return NULL;
}

/* Violations, as "path code;". */
static const char *violations(struct ferry_value *config, const char *release)
{
	static char out[2000];
	struct report r = { .path = "" };
	const struct ferry_finding *f;
	struct ferry_value *made;
	size_t n = 0;

	cr_assert_eq(ferry_findings_new(&r.findings, &err), 0);
	cr_assert_eq(inference_config(store, release_of(release), config, &r,
				      &made, &err), 0, "%s", err.text);
	out[0] = '\0';
	for (size_t i = 0; (f = ferry_findings_get(r.findings, i)); i++)
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s %s;",
				      f->path, f->code);
	ferry_findings_free(r.findings);
	return out;
}

/* A new config of 1.14 through older schemas, as pydantic has it. */
Test(caiman, schemas_of_the_releases)
{
	struct ferry_document *doc = read_file("config.yaml");

	cr_assert_str_eq(violations(doc->root, "1.14.0"), "");
	cr_assert_str_eq(violations(doc->root, "1.13.0"), "");
	cr_assert_str_eq(violations(doc->root, "1.12.0"),
			 "user_tokens unexpected;");
	cr_assert_str_eq(violations(doc->root, "1.10.1"),
			 "user_tokens unexpected;ngram unexpected;");
	cr_assert_str_eq(violations(doc->root, "1.8.0"),
			 "input_val.filterbank_features.stats_path unexpected;"
			 "tokenizer.sampling unexpected;"
			 "user_tokens unexpected;ngram unexpected;");
	ferry_document_free(doc);
}

Test(caiman, every_violation_has_its_path)
{
	struct ferry_document *doc = read_file("config.yaml");
	struct ferry_value *tokenizer = ferry_dict_get(doc->root, "tokenizer");
	struct ferry_value *rnnt = ferry_dict_get(doc->root, "rnnt");

	ferry_dict_set_str(store, tokenizer, "extra", ferry_none());
	cr_assert_str_eq(violations(doc->root, "1.14.0"),
			 "tokenizer.extra unexpected;");
	ferry_dict_set_str(store, rnnt, "prefix_token_map", ferry_none());
	cr_assert_str_eq(violations(doc->root, "1.14.0"),
			 "rnnt.prefix_token_map unexpected;"
			 "tokenizer.extra unexpected;");
	cr_assert_str_eq(violations(doc->root, "next"),
			 "tokenizer.extra unexpected;");
	ferry_dict_set_str(store, rnnt, "enc_n_hid", text("8.0"));
	ferry_dict_set_str(store, rnnt, "joint_n_hid", ferry_none());
	cr_assert_str_eq(violations(doc->root, "next"),
			 "rnnt.joint_n_hid type;tokenizer.extra unexpected;");
	ferry_dict_set_str(store, doc->root, "input_val", text("x"));
	cr_assert_str_eq(violations(doc->root, "1.11.0"),
			 "input_val type;rnnt.enc_n_hid type;"
			 "rnnt.joint_n_hid type;"
			 "rnnt.prefix_token_map unexpected;"
			 "tokenizer.extra unexpected;user_tokens unexpected;");
	ferry_document_free(doc);
}

/* ---- export ----------------------------------------------------------------------------- */

Test(caiman, norm_weight)
{
	cr_assert(norm_is_finished(1.0));
	cr_assert(norm_is_finished(0.999999999));
	cr_assert_not(norm_is_finished(0.9999999989999999));
	cr_assert_not(norm_is_finished(1.000000001));
	cr_assert_not(norm_is_finished(NAN));
	cr_assert_not(norm_is_finished(0.5));
}

#define SETTINGS_MOST 6

struct wish {
	const char *in, *config, *out, *to;
	const char *settings[SETTINGS_MOST];
};

static int attempt(const struct wish *w)
{
	static char map[600];
	const char *inputs[3] = { corpus(w->in) }, *maps[] = { map };
	struct ferry_job job = {
		.inputs = inputs, .n_inputs = 1, .output = w->out,
		.to = w->to, .settings = w->settings, .map_paths = maps,
		.n_map_paths = 1, .overwrite = true,
	};
	struct ferry_plan *p = NULL;
	int rc;

	snprintf(map, sizeof(map), "/datasets=%s", corpus("datasets"));
	if (w->config)
		inputs[job.n_inputs++] = *w->config == '/' ||
			*w->config == '.' ? w->config : corpus(w->config);
	while (job.n_settings < SETTINGS_MOST && w->settings[job.n_settings])
		job.n_settings++;
	ferry_error_clear(&err);
	rc = ferry_plan_new(&p, session, &job, &err);
	if (!rc)
		rc = ferry_plan_run(p, NULL, &err);
	ferry_plan_free(p);
	return rc;
}

static void made_equals(const char *made, const char *expected)
{
	struct ferry_open_options options = { .store = store };
	struct ferry_compare how = { .data = true };
	struct ferry_findings *found;
	struct ferry_document *a = NULL, *b = NULL;
	const struct ferry_finding *f;

	cr_assert_eq(ferry_open(session, made, &options, &a, &err), 0, "%s",
		     err.text);
	cr_assert_eq(ferry_open(session, expected, &options, &b, &err), 0,
		     "%s", err.text);
	ferry_findings_new(&found, &err);
	if (ferry_document_compare(a, b, &how, found, &err) != 1) {
		f = ferry_findings_get(found, 0);
		cr_assert_fail("%s: %s %s", made, f ? f->path : "",
			       f ? f->text : err.text);
	}
	ferry_findings_free(found);
	ferry_document_free(a);
	ferry_document_free(b);
}

static void says(const struct wish *w, const char *expected)
{
	cr_assert_neq(attempt(w), 0, "%s was to fail", w->in);
	cr_assert(strstr(err.text, expected), "%s", err.text);
	cr_assert_neq(access(w->out, F_OK), 0);
}

#define VARIANT "variant=tiny.yaml"

static void put_variant(void)
{
	char command[1200];

	snprintf(command, sizeof(command), "cp %s .", corpus("tiny.yaml"));
	cr_assert_eq(system(command), 0);
}

/* The file that the rules give, put together in Python. */
Test(caiman, export_is_what_upstream_writes)
{
	struct wish w = {
		"RNN-T_best_checkpoint.pt", "config.yaml", "x.hw.pt",
		"caiman/hardware", { VARIANT },
	};

	put_variant();
	cr_assert_eq(attempt(&w), 0, "%s", err.text);
	made_equals("x.hw.pt", corpus("hardware-1.14.hw.pt"));
}

static void put_config(const char *name, const char *without,
		       const char *instead)
{
	char line[400];
	FILE *in = fopen(corpus("config.yaml"), "r"), *out = fopen(name, "w");

	cr_assert(in && out);
	while (fgets(line, sizeof(line), in)) {
		if (strstr(line, without))
			fputs(instead, out);
		else
			fputs(line, out);
	}
	fclose(in);
	fclose(out);
}

Test(caiman, export_needs_what_upstream_needs)
{
	struct wish w = {
		"training-1.6.pt", "config.yaml", "x.hw.pt", "caiman/hardware",
		{ VARIANT },
	};

	put_variant();
	says(&w, "checkpoint has no logmel_norm_weight");
	w.in = "RNN-T_best_checkpoint.pt";
	w.config = "./c.yaml";
	put_config("c.yaml", "    sample_rate: *sample_rate",
		   "    sample_rate: 8000\n");
	says(&w, "input_val.filterbank_features.sample_rate is 8000, but "
	     "audio_dataset has 16000");
	put_config("c.yaml", "stats_path", "");
	says(&w, "config has no input_val.filterbank_features.stats_path");
	put_config("c.yaml", "stats_path", "    stats_path: /datasets/none\n");
	says(&w, "directory /datasets/none of the mel statistics does not "
	     "exist");
	put_config("c.yaml", "  sentpiece_model:", "  sentpiece_model: ''\n");
	says(&w, "config has no tokenizer.sentpiece_model, or an empty one");
	put_config("c.yaml", "  sentpiece_model:",
		   "  sentpiece_model: /datasets/none.model\n");
	says(&w, "none.model");
	put_config("c.yaml", "  ngram_path", "  ngram_path: /datasets\n");
	says(&w, "has no ngram.binary and no ngram.arpa");
	put_config("c.yaml", "  scale_factor", "");
	says(&w, "config has no ngram.scale_factor");
	put_config("c.yaml", "  enc_n_hid", "  enc_n_hid: big\n  more: 1\n");
	says(&w, "config for release 1.14.0: 2 violations: rnnt.enc_n_hid must "
	     "be an integer: it is text 'big'; rnnt.more is not known to "
	     "release 1.14.0");
	w.config = "config.yaml";
	w.settings[0] = NULL;
	says(&w, "has the names and shapes of no model that release 1.14.0 "
	     "takes (base, large)");
	w.settings[0] = "melalpha=0.1";
	says(&w, "melalpha must be 0.0 for release 1.14.0");
	w.settings[0] = "release=2.0";
	says(&w, "release '2.0' is not known: give one of 1.0.0, 1.1.0");
	w.settings[0] = "ngram-path=/datasets/x.arpa";
	says(&w, "does not end in .binary");
	w.settings[0] = "variant=base";
	says(&w, "ema_state_dict is not variant 'base'");
}

/* Plan with each allocation failing in turn, until none does. */
static void fail_each(const struct ferry_job *job)
{
	struct ferry_plan *p;
	uint64_t n;
	int rc;

	for (n = 1;; n++) {
		p = NULL;
		ferry_error_clear(&err);
		ferry_alloc_fail_at(n);
		rc = ferry_plan_new(&p, session, job, &err);
		if (ferry_alloc_fail_at(0) < n)
			break;
		cr_assert_eq(rc, FERRY_NOMEM, "allocation %d: %d %s", (int)n,
			     rc, err.text);
		cr_assert_eq(err.code, FERRY_NOMEM, "allocation %d: %s",
			     (int)n, err.text);
	}
	cr_assert_eq(rc, 0, "%s", err.text);
	cr_assert_gt(n, 100);
	ferry_plan_free(p);
}

Test(caiman, memory_runs_out, .timeout = 300)
{
	const char *inputs[2], *maps[1], *settings[2] = { VARIANT };
	char map[600];
	struct ferry_job job = {
		.inputs = inputs, .n_inputs = 2, .map_paths = maps,
		.settings = settings, .n_settings = 1, .n_map_paths = 1,
		.output = "x.hw.pt", .to = "caiman/hardware",
	};

	put_variant();
	snprintf(map, sizeof(map), "/datasets=%s", corpus("datasets"));
	maps[0] = map;
	inputs[0] = corpus("RNN-T_best_checkpoint.pt");
	inputs[1] = corpus("config.yaml");
	fail_each(&job);
	inputs[0] = corpus("hardware-1.4.pt");
	job = (struct ferry_job){
		.inputs = inputs, .n_inputs = 1, .output = "x.hw.pt",
		.upgrade = true,
	};
	fail_each(&job);
}

/* ---- migration ------------------------------------------------------------------------- */

static void migrate(const char *in, const char *config, const char *out,
		    const char *setting)
{
	struct wish w = {
		in, config, out, NULL, { "release=1.14.0", setting },
	};

	cr_assert_eq(attempt(&w), 0, "%s: %s", in, err.text);
}

/* All that the newest has, but for the n-gram that old ones lack. */
Test(caiman, old_hardware_becomes_new)
{
	struct wish w = {
		"RNN-T_best_checkpoint.pt", "config.yaml", "expected.hw.pt",
		"caiman/hardware", { VARIANT, "skip-ngram=yes" },
	};

	put_variant();
	cr_assert_eq(attempt(&w), 0, "%s", err.text);
	migrate("hardware-1.0.pt", "config.yaml", "a.hw.pt", NULL);
	made_equals("a.hw.pt", "expected.hw.pt");
	migrate("hardware-1.4.pt", NULL, "b.hw.pt", NULL);
	made_equals("b.hw.pt", "expected.hw.pt");
	migrate("hardware-1.8.pt", NULL, "c.hw.pt", NULL);
	made_equals("c.hw.pt", "expected.hw.pt");
	migrate("hardware-1.11.pt", NULL, "d.hw.pt", NULL);
	made_equals("d.hw.pt", corpus("hardware-1.14.hw.pt"));
}

Test(caiman, migration_goes_forward)
{
	struct wish w = {
		"hardware-1.14.hw.pt", NULL, "x.pt", NULL, { "release=1.9" },
	};

	says(&w, "the checkpoint has the layout of release 1.14.0, which is "
	     "newer than 1.9.0: migration goes forward only");
	w.in = "hardware-1.0.pt";
	says(&w, "has no rnnt_config (release 1.1 or before)");
	w.in = "training-1.5.pt";
	says(&w, "logmel_norm_weight is missing, which release 1.9.0 needs");
}

Test(caiman, old_training_becomes_new)
{
	struct ferry_open_options options = { .store = store };
	struct ferry_value *groups, *params;
	struct ferry_document *doc = NULL;
	static const unsigned sizes[] = { 8, 5, 2, 2, 2 };

	migrate("training-1.0.pt", "config.yaml", "t.pt", "norm-weight=1");
	cr_assert_eq(ferry_open(session, "t.pt", &options, &doc, &err), 0);
	groups = ferry_value_at(doc->root, "optimizer.param_groups");
	cr_assert_eq(groups->u.list.n, 5);
	for (unsigned i = 0, at = 0; i < 5; i++) {
		params = ferry_dict_get(groups->u.list.items[i], "params");
		cr_assert_eq(params->u.list.n, sizes[i]);
		for (unsigned k = 0; k < sizes[i]; k++)
			cr_assert_eq(params->u.list.items[k]->u.i, at++);
	}
	cr_assert_eq(ferry_value_at(doc->root, "tokenizer_kw")->u.dict.n, 4);
	cr_assert(ferry_value_is(doc->root->u.dict.pairs[7].key,
				 "logmel_norm_weight"));
	ferry_document_free(doc);
	is_of("training-1.0.pt", "caiman/training", "1.0.0 to 1.1.0");
}

static struct ferry_value *floats(const float *data, uint64_t n)
{
	struct ferry_source *src;
	float *kept = ferry_store_alloc(store, n * sizeof(*kept));

	memcpy(kept, data, n * sizeof(*kept));
	cr_assert_eq(ferry_source_from_memory(&src, kept, n * sizeof(*kept),
					      "floats", &err), 0);
	cr_assert_eq(ferry_store_take_source(store, src), 0);
	return ferry_tensor(store, FERRY_F32, 1, &n, NULL, 0,
			    ferry_storage(store, FERRY_F32, src, 0,
					  n * sizeof(*kept)));
}

Test(caiman, second_names)
{
	static const float one[] = { 1, 2, 3 }, other[] = { 1, 2, 4 };
	struct ferry_value *w = ferry_dict(store, 0), *out;

	ferry_dict_set_str(store, w, "module.a.lstm.layers.0.weight_ih",
			   floats(one, 3));
	ferry_dict_set_str(store, w, "module.joint_net.2.bias",
			   floats(one, 3));
	ferry_dict_set_str(store, w, "module.joint_fc.bias", floats(one, 3));
	cr_assert_eq(canonical_weights(store, w, "state_dict", NULL, &out,
				       &err), 0, "%s", err.text);
	cr_assert_eq(out->u.dict.n, 2);
	cr_assert_not_null(ferry_dict_get(out, "a.lstm.weight_ih_l0"));
	cr_assert_not_null(ferry_dict_get(out, "joint_net.2.bias"));
	ferry_dict_set_str(store, w, "module.joint_fc.bias", floats(other, 3));
	cr_assert_eq(canonical_weights(store, w, "state_dict", NULL, &out,
				       &err), FERRY_MALFORMED);
	cr_assert(strstr(err.text, "state_dict.joint_fc.bias should be a "
			 "second name of joint_net.2.bias, but their data "
			 "differ"), "%s", err.text);
}

/* ---- averaging --------------------------------------------------------------------------- */

static struct ferry_document *training(const float *data, uint64_t n,
				       bool ema)
{
	struct ferry_document *doc;
	struct ferry_value *weights = ferry_dict(store, 0);

	cr_assert_eq(ferry_document_new(&doc, store, &err), 0);
	doc->root = ferry_dict(store, 0);
	ferry_dict_set_str(store, weights, "w", floats(data, n));
	ferry_dict_set_str(store, doc->root, "state_dict", weights);
	ferry_dict_set_str(store, doc->root, "ema_state_dict",
			   ema ? weights : ferry_none());
	return doc;
}

static int average(struct ferry_document *a, struct ferry_document *b,
		   struct ferry_document **out)
{
	struct ferry_document *const docs[] = { a, b };

	ferry_error_clear(&err);
	cr_assert_eq(ferry_document_new(out, store, &err), 0);
	return average_training(docs, 2, NULL, *out, NULL, &err);
}

Test(caiman, mean_is_between)
{
	static const float low[] = { 1, 1, 1, 1 }, high[] = { 2, 2, 2, 2 };
	struct ferry_document *one = training(low, 4, true), *out,
			      *two = training(high, 4, true);
	const struct ferry_value *v;
	float mean[4];

	cr_assert_eq(average(one, two, &out), 0, "%s", err.text);
	v = ferry_value_at(out->root, "state_dict.w");
	cr_assert_eq(ferry_tensor_read(v->u.tensor, 0, 4, mean, &err), 0);
	for (size_t i = 0; i < 4; i++)
		cr_assert_eq(mean[i], 1.5f);
	ferry_document_free(out);
	ferry_document_free(two);
	ferry_document_free(one);
}

Test(caiman, mean_of_training)
{
	static const float a[] = { 1, 0, 10, 2 }, b[] = { 1, 1, 2, 4 },
			   both[] = { 1, .5, 6, 3 };
	struct ferry_document *one = training(a, 4, true), *out,
			      *two = training(b, 4, true);
	struct ferry_value *v;
	float mean[4];

	cr_assert_eq(average(one, two, &out), 0, "%s", err.text);
	v = ferry_value_at(out->root, "state_dict.w");
	cr_assert_eq(ferry_tensor_read(v->u.tensor, 0, 4, mean, &err), 0);
	cr_assert_arr_eq(mean, both, sizeof(mean));
	v = ferry_value_at(out->root, "ema_state_dict.w");
	cr_assert_eq(ferry_tensor_read(v->u.tensor, 0, 4, mean, &err), 0);
	cr_assert_arr_eq(mean, both, sizeof(mean));
	cr_assert_eq(ferry_dict_get(out->root, "epoch")->u.i, 0);
	cr_assert_eq(ferry_dict_get(out->root, "best_wer")->kind, FERRY_INT);
	cr_assert_eq(ferry_dict_get(out->root, "optimizer")->kind, FERRY_NONE);
	cr_assert_eq(ferry_dict_get(out->root, "logmel_norm_weight")->u.f, 1);
	ferry_document_free(out);
	ferry_document_free(two);
	two = training(b, 1, true);	/* broadcast, as adding in place has it */
	cr_assert_eq(average(one, two, &out), 0, "%s", err.text);
	v = ferry_value_at(out->root, "state_dict.w");
	cr_assert_eq(ferry_tensor_read(v->u.tensor, 0, 4, mean, &err), 0);
	cr_assert(mean[0] == 1 && mean[1] == .5 && mean[2] == 5.5 &&
		  mean[3] == 1.5);
	ferry_document_free(out);
	cr_assert_eq(average(two, one, &out), FERRY_UNSUPPORTED);
	cr_assert(strstr(err.text, "state_dict.w can't be averaged"));
	ferry_document_free(out);
	ferry_document_free(two);
	two = training(b, 4, false);
	cr_assert_eq(average(one, two, &out), FERRY_MALFORMED);
	cr_assert(strstr(err.text, "checkpoint 2 of 2 has no ema_state_dict"));
	ferry_document_free(out);
	two->root = ferry_dict(store, 0);	/* not even the key */
	ferry_dict_set_str(store, two->root, "state_dict",
			   ferry_dict_get(one->root, "state_dict"));
	cr_assert_eq(average(one, two, &out), FERRY_MALFORMED);
	cr_assert(strstr(err.text, "checkpoint 2 of 2 has no ema_state_dict"));
	ferry_document_free(out);
	ferry_document_free(two);
	ferry_document_free(one);
}

static void put_tokenizer(struct ferry_document *doc, const char *label)
{
	struct ferry_value *kw = ferry_dict(store, 0),
			   *labels = ferry_sequence(store, FERRY_LIST, 1);

	ferry_list_add(store, labels, text(label));
	ferry_dict_set_str(store, kw, "labels", labels);
	ferry_dict_set_str(store, kw, "sentpiece_model", text("x.model"));
	ferry_dict_set_str(store, doc->root, "tokenizer_kw", kw);
}

/* The mean's tokenizer_kw, and what is told of it: n, w or nothing. */
static const char *tokenizer_of_mean(struct ferry_document *one,
				     struct ferry_document *two)
{
	struct ferry_document *const docs[] = { one, two };
	struct ferry_document *out;
	struct ferry_findings *found;
	const struct ferry_finding *f;
	static char told[80];

	ferry_findings_new(&found, &err);
	cr_assert_eq(ferry_document_new(&out, store, &err), 0);
	cr_assert_eq(average_training(docs, 2, NULL, out, found, &err), 0, "%s",
		     err.text);
	f = ferry_findings_get(found, 0);
	snprintf(told, sizeof(told), "%s%s",
		 ferry_dict_get(out->root, "tokenizer_kw") ? "has" : "none",
		 !f ? "" : f->level == FERRY_NOTE ? ", noted" : ", lost");
	cr_assert_null(ferry_findings_get(found, 1));
	ferry_findings_free(found);
	ferry_document_free(out);
	return told;
}

Test(caiman, tokenizer_of_a_mean)
{
	static const float a[] = { 1, 2 };
	struct ferry_document *one = training(a, 2, true),
			      *two = training(a, 2, true);

	cr_assert_str_eq(tokenizer_of_mean(one, two), "none, noted");
	put_tokenizer(two, "a");
	cr_assert_str_eq(tokenizer_of_mean(one, two), "has");
	put_tokenizer(one, "a");
	cr_assert_str_eq(tokenizer_of_mean(one, two), "has");
	put_tokenizer(one, "b");
	cr_assert_str_eq(tokenizer_of_mean(one, two), "has, lost");
	ferry_document_free(two);
	ferry_document_free(one);
}

/* ---- what a server relies on ---------------------------------------------------------------- */

/* The findings of the type's check, as "path code;"; doc is freed. */
static const char *findings_of(struct ferry_document *doc)
{
	static char out[1000];
	const struct ferry_known *type;
	const struct ferry_finding *f;
	struct ferry_findings *found;
	size_t n = 0;

	ferry_findings_new(&found, &err);
	type = ferry_session_find(session, FERRY_KNOWN_TYPES,
				  "caiman/hardware");
	cr_assert_eq(type->type->check(doc, found, &err), 0, "%s", err.text);
	out[0] = '\0';
	for (size_t i = 0; (f = ferry_findings_get(found, i)); i++)
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s %s;",
				      f->path, f->code);
	ferry_findings_free(found);
	ferry_document_free(doc);
	return out;
}

static const char *checked_without(const char *key)
{
	struct ferry_document *doc = read_file("hardware-1.14.hw.pt");

	take_key(doc, key);
	return findings_of(doc);
}

/* Of a hardware checkpoint with one value changed ("mapping/key"). */
static const char *checked_in(const char *name, const char *path,
			      struct ferry_value *value)
{
	struct ferry_document *doc = read_file(name);
	struct ferry_value *in = doc->root;
	const char *key = strchr(path, '/');
	char above[100];

	snprintf(above, sizeof(above), "%.*s", key ? (int)(key - path) : 0,
		 path);
	in = ferry_value_items(ferry_value_at(in, above));
	cr_assert_not_null(in);
	ferry_dict_set_str(store, in, key ? key + 1 : path, value);
	return findings_of(doc);
}

static const char *checked(const char *path, struct ferry_value *value)
{
	return checked_in("hardware-1.14.hw.pt", path, value);
}

Test(caiman, server_relies_on)
{
	static const float six[6] = { 1, 1, 1, 1, 1, 1 };
	static const float zero[5] = { 1, 1, 0, 1, 1 };
	static const float nan[5] = { 1, 1, NAN, 1, 1 };

	cr_assert_str_eq(checked("version", text("9.9")), "");
	cr_assert_str_eq(checked("version", ferry_none()), "version type;");
	cr_assert_str_eq(checked("melalpha", ferry_float(store, .1)),
			 "melalpha value;");
	cr_assert_str_eq(checked("best_wer", text("x")), "best_wer type;");
	cr_assert_str_eq(checked("melmeans", floats(six, 6)),
			 "melmeans shape;");
	cr_assert_str_eq(checked("melvars", floats(zero, 5)),
			 "melvars not-positive;");
	cr_assert_str_eq(checked("melmeans", floats(zero, 5)), "");
	cr_assert_str_eq(checked("melmeans", floats(nan, 5)),
			 "melmeans not-finite;");
	cr_assert_str_eq(checked("ngram/binary", ferry_bytes(store, "x", 1, 0)),
			 "ngram.binary ngram;");
	cr_assert_str_eq(checked("ngram/binary", ferry_none()),
			 "ngram.scale_factor value;");
	cr_assert_str_eq(checked("sentpiece_model",
				 ferry_bytes(store, "\x0a\0\x0a\0", 4, 0)),
			 "state_dict.joint_net.2.weight classes;");
	cr_assert_str_eq(checked("sentpiece_model",
				 ferry_bytes(store, "xyz", 3, 0)),
			 "sentpiece_model sentencepiece;");
	cr_assert_str_eq(checked("rnnt_config.rnnt/in_feats",
				 ferry_int(store, 6)),
			 "rnnt_config.rnnt.in_feats in-feats;"
			 "state_dict.encoder.pre_rnn.lstm.weight_ih_l0 shape;");
	cr_assert_str_eq(checked("rnnt_config.rnnt/prefix_token_map",
				 ferry_none()),
			 "rnnt_config.rnnt.prefix_token_map unexpected;");
	cr_assert_str_eq(checked("state_dict/joint_pred.bias",
				 floats(six, 6)),
			 "state_dict.joint_pred.bias shape;");
	cr_assert_str_eq(checked("raw_prefix_token_map", text("x")),
			 "raw_prefix_token_map type;");
}

/* The exporter's own layout: what it never leaves is told. */
Test(caiman, server_relies_on_the_layout)
{
	struct ferry_document *doc = read_file("hardware-1.14.hw.pt");
	const struct ferry_value *weights =
		ferry_dict_get(doc->root, "state_dict");
	struct ferry_value *rest = ferry_dict(store, 0);

	weights = ferry_value_items((struct ferry_value *)weights);
	for (uint32_t i = 0; i < weights->u.dict.n; i++)
		if (!ferry_value_is(weights->u.dict.pairs[i].key,
				    "joint_net.2.weight"))
			ferry_dict_set(store, rest,
				       weights->u.dict.pairs[i].key,
				       weights->u.dict.pairs[i].value);
	ferry_dict_set_str(store, doc->root, "state_dict", rest);
	cr_assert_str_eq(findings_of(doc),
			 "state_dict.joint_net.2.weight missing;");
	cr_assert_str_eq(checked_without("state_dict"), "state_dict missing;");
	cr_assert_str_eq(checked_without("melvars"), "melvars missing;");
	cr_assert_str_eq(checked_without("ngram"), "version version;");
	cr_assert_str_eq(checked("rnnt_config.rnnt/enc_n_hid",
				 ferry_int(store, -8)),
			 "rnnt_config.rnnt.enc_n_hid size;");
	cr_assert_str_eq(checked("rnnt_config.rnnt/pred_rnn_layers",
				 ferry_int(store, 0)),
			 "rnnt_config.rnnt.pred_rnn_layers size;");
	cr_assert_str_eq(checked("rnnt_config.rnnt/enc_n_hid", text("8")),
			 "rnnt_config.rnnt.enc_n_hid type;");
	cr_assert_str_eq(checked("rnnt_config.rnnt/quantize",
				 ferry_bool(false)),
			 "rnnt_config.rnnt.quantize unexpected;");
	cr_assert_str_eq(checked("rnnt_config/ngram", ferry_none()),
			 "rnnt_config.ngram unexpected;");
	cr_assert_str_eq(checked("rnnt_config.rnnt/enc_n_hid", text("x")),
			 "rnnt_config.rnnt.enc_n_hid type;");
	cr_assert_str_eq(checked("rnnt_config.rnnt/more", text("x")),
			 "rnnt_config.rnnt.more unexpected;");
	cr_assert_str_eq(checked("version", text("1.10.0")), "");
}

/* Releases 1.0 and 1.1 left no config: the weights say what they should be. */
Test(caiman, sizes_without_a_config)
{
	static const float six[6] = { 1, 1, 1, 1, 1, 1 };
	const char *old = "hardware-1.0.pt";

	cr_assert_str_eq(checked_in(old, "step", ferry_int(store, 1)),
			 " no-config;");
	cr_assert_str_eq(checked_in(old, "state_dict/joint_pred.bias",
				    floats(six, 6)),
			 " no-config;state_dict.joint_pred.bias shape;");
	cr_assert_str_eq(checked_in(old, "state_dict/joint_pred.weight",
				    floats(six, 6)),
			 " no-config;"
			 "state_dict.joint_pred.weight shape;"
			 "state_dict.joint_pred.bias shape;"
			 "state_dict.joint_enc.weight shape;"
			 "state_dict.joint_enc.bias shape;"
			 "state_dict.joint_net.2.weight shape;");
	cr_assert_str_eq(checked_in(old, "state_dict/encoder.pre_rnn.lstm."
				    "weight_ih_l2", floats(six, 6)),
			 " no-config;state_dict.encoder.pre_rnn.lstm."
			 "weight_ih_l2 unexpected;");
	cr_assert_str_eq(checked_in(old, "state_dict/prediction.embed.weight",
				    floats(six, 6)),
			 " no-config;state_dict sizes;");
}

/* Sizes that no machine could hold are a finding, not a hang. */
Test(caiman, hostile_sizes)
{
	const char *found = checked("rnnt_config.rnnt/enc_pre_rnn_layers",
				    ferry_int(store, 4000000000));

	cr_assert(strstr(found, "state_dict sizes;"), "%s", found);
}
