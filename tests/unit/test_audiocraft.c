/* AudioCraft: file names, kinds of documents, names and shapes of tensors. */
#include "config.h"

#include "plugins/audiocraft/audiocraft.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "formats/omegaconf/omegaconf.h"

static struct ferry_document *doc;
static struct ferry_store *store;
static struct ferry_findings *findings;
static struct ferry_error err;

static void set_up(void)
{
	ferry_error_clear(&err);
	cr_assert_eq(ferry_document_new(&doc, NULL, &err), 0);
	cr_assert_eq(ferry_findings_new(&findings, &err), 0);
	store = doc->store;
	doc->root = ferry_dict(store, 8);
}

static void tear_down(void)
{
	ferry_findings_free(findings);
	ferry_document_free(doc);
}

TestSuite(audiocraft, .init = set_up, .fini = tear_down);

/* ---- making ------------------------------------------------------------------ */

static struct ferry_value *tensor(uint64_t a, uint64_t b, uint64_t c)
{
	const uint64_t shape[] = { a, b, c };

	return ferry_tensor(store, FERRY_F32, c ? 3 : b ? 2 : 1, shape, NULL, 0,
			    NULL);
}

static void set(struct ferry_value *dict, const char *key,
		struct ferry_value *v)
{
	cr_assert_eq(ferry_dict_set_str(store, dict, key, v), 0);
}

static struct ferry_value *dict_of(const char *key, struct ferry_value *v)
{
	struct ferry_value *dict = ferry_dict(store, 1);

	if (key)
		set(dict, key, v);
	return dict;
}

static struct ferry_value *text(const char *s)
{
	return ferry_cstring(store, s);
}

static enum artifact artifact_of(const char *file_name, const char *reason)
{
	struct ferry_match match = { .score = 0 };
	enum artifact artifact = document_artifact(doc, file_name, &match);

	cr_expect_eq(artifact != ARTIFACT_OTHER, match.score > 80);
	if (reason)
		cr_expect(strstr(match.reason, reason), "%s", match.reason);
	return artifact;
}

static size_t count_code(const char *code)
{
	const struct ferry_finding *f;
	size_t n = 0;

	for (size_t i = 0; (f = ferry_findings_get(findings, i)); i++)
		n += !strcmp(f->code, code);
	return n;
}

/* ---- file names ---------------------------------------------------------------- */

static void parses(const char *base, const char *name, int rank,
		   enum stage stage, const char *final)
{
	struct file_name n;

	cr_assert(parse_file_name(base, &n), "%s", base);
	cr_expect_eq(n.nname, strlen(name), "%s", base);
	cr_expect(!n.nname || !memcmp(n.name, name, n.nname), "%s", base);
	cr_expect_eq(n.has_rank, rank >= 0, "%s", base);
	cr_expect(rank < 0 || n.rank == (unsigned)rank, "%s", base);
	cr_expect_eq(n.stage, stage, "%s", base);
	cr_expect_eq(n.nfinal, strlen(final), "%s", base);
}

Test(audiocraft, takes_names_apart)
{
	parses("checkpoint.th", "", -1, STAGE_FINAL, "checkpoint.th");
	parses("checkpoint_best.th", "best", -1, STAGE_FINAL,
	       "checkpoint_best.th");
	parses("checkpoint_12.th.3", "12", 3, STAGE_FINAL,
	       "checkpoint_12.th.3");
	parses("checkpoint_12.th.3.tmp", "12", 3, STAGE_TMP,
	       "checkpoint_12.th.3");
	parses("checkpoint.th.tmp.done", "", -1, STAGE_TOKEN, "checkpoint.th");
	parses("checkpoint.th.old", "", -1, STAGE_OLD, "checkpoint.th");
}

Test(audiocraft, leaves_other_names_alone)
{
	static const char *const names[] = {
		"", "model.th", "checkpoints.th", "checkpoint_.th",
		"checkpoint.pt", "checkpoint.th.x", "checkpoint.th.tmp.x",
		"checkpoint.th.99999999", "checkpoint.th1", "xcheckpoint.th",
	};
	struct file_name n;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		cr_expect(!parse_file_name(names[i], &n), "%s", names[i]);
}

static void touch(const char *name)
{
	int fd = open(name, O_CREAT | O_WRONLY, 0600);

	cr_assert_geq(fd, 0);
	close(fd);
}

Test(audiocraft, judges_saves_by_what_lies_beside_them)
{
	char directory[] = "/tmp/ferry-audiocraft-XXXXXX", said[300];

	cr_assert(mkdtemp(directory));
	cr_assert_eq(chdir(directory), 0);
	cr_expect_eq(judge_save("model.th.tmp", said), SAVE_GOOD);
	cr_expect_eq(judge_save("checkpoint.th", said), SAVE_GOOD);
	cr_expect_eq(judge_save("checkpoint.th.1.tmp", said), SAVE_UNMARKED);
	cr_expect(strstr(said, "is not there either"));
	touch("checkpoint.th.1");
	cr_expect_eq(judge_save("./checkpoint.th.1.tmp", said), SAVE_UNMARKED);
	cr_expect(strstr(said, "the good one is checkpoint.th.1"));
	touch("checkpoint.th.tmp.done");
	cr_expect_eq(judge_save("checkpoint.th.1.tmp", said), SAVE_COMPLETE);
	cr_expect_eq(judge_save("checkpoint.th.1", said), SAVE_GOOD);
	touch("checkpoint.th.1.tmp");
	cr_expect_eq(judge_save("checkpoint.th.1", said), SAVE_OVERTAKEN);
	touch("checkpoint.th.1.old");
	cr_expect_eq(judge_save("checkpoint.th.1", said), SAVE_BLOCKED);
	cr_expect_eq(judge_save("checkpoint.th.1.old", said), SAVE_OLD);
	unlink("checkpoint.th.1");
	unlink("checkpoint.th.tmp.done");
	unlink("checkpoint.th.1.tmp");
	unlink("checkpoint.th.1.old");
	cr_assert_eq(chdir("/"), 0);
	rmdir(directory);
}

/* ---- kinds ----------------------------------------------------------------------- */

Test(audiocraft, tells_exports_by_the_solver)
{
	struct ferry_value *best = dict_of("linears.0.weight", tensor(6, 8, 0));

	set(doc->root, "best_state", best);
	set(doc->root, "xp.cfg", text("solver: compression\n"));
	cr_expect_eq(artifact_of("", "solver compression"),
		     ARTIFACT_EXPORT_COMPRESSION);
	set(doc->root, "xp.cfg", text("solver: ${kind}\nkind: magnet\n"));
	cr_expect_eq(artifact_of("", "as text without a version"),
		     ARTIFACT_EXPORT_LM);
	set(doc->root, "exported", ferry_bool(true));
	set(doc->root, "xp.cfg", text("{}\n"));
	cr_expect_eq(artifact_of("", "by its names a language model"),
		     ARTIFACT_EXPORT_LM);
	set(doc->root, "xp.cfg", text("[1\n"));
	cr_expect_eq(artifact_of("", NULL), ARTIFACT_EXPORT_LM);
}

Test(audiocraft, tells_exports_by_names_of_tensors)
{
	struct ferry_value *best = ferry_dict(store, 4);

	set(doc->root, "best_state", best);
	set(doc->root, "xp.cfg", text("{}"));
	cr_expect_eq(artifact_of("", NULL), ARTIFACT_OTHER);
	set(best, "encoder.model.0.conv.conv.weight", tensor(4, 1, 7));
	cr_expect_eq(artifact_of("", NULL), ARTIFACT_OTHER);
	set(best, "quantizer.vq.layers.0._codebook.embed", tensor(16, 8, 0));
	cr_expect_eq(artifact_of("", NULL), ARTIFACT_EXPORT_COMPRESSION);
	set(doc->root, "xp.cfg", text("solver: watermarking"));
	cr_expect_eq(artifact_of("", NULL), ARTIFACT_OTHER);
}

Test(audiocraft, tells_training_checkpoints)
{
	struct ferry_value *model = dict_of("w", tensor(2, 0, 0));

	set(doc->root, "best_state", dict_of("model", model));
	cr_expect_eq(artifact_of("checkpoint.th.2", "a model under best_state; "
				 "a shard by its name"), ARTIFACT_TRAINING);
	set(doc->root, "xp.sig", text("0a1b2c3d"));
	cr_expect_eq(artifact_of("checkpoint.th.tmp", "a save that was not "
				 "renamed"), ARTIFACT_TRAINING);
	set(doc->root, "exported", ferry_bool(true));
	cr_expect_eq(artifact_of("", "yet exported"), ARTIFACT_TRAINING);
}

Test(audiocraft, tells_packs_and_references)
{
	struct ferry_value *band = dict_of("model_state", ferry_dict(store, 0));

	set(doc->root, "sample_rate", ferry_int(store, 24000));
	set(doc->root, "n_bands", ferry_int(store, 2));
	ferry_dict_set(store, doc->root, ferry_int(store, 0), band);
	cr_expect_eq(artifact_of("", NULL), ARTIFACT_DIFFUSION);
	cr_assert_eq(check_diffusion(doc, findings, &err), 0);
	cr_expect_eq(count_code("band"), 3);
	doc->root = dict_of("pretrained", text("facebook/encodec_32khz"));
	cr_expect_eq(artifact_of("", NULL), ARTIFACT_OTHER);
	set(doc->root, "exported", ferry_bool(true));
	cr_expect_eq(artifact_of("", NULL), ARTIFACT_EXPORT_COMPRESSION);
}

Test(audiocraft, leaves_other_documents_alone)
{
	cr_expect_eq(artifact_of("checkpoint.th", NULL), ARTIFACT_OTHER);
	set(doc->root, "model", dict_of("w", tensor(1, 0, 0)));
	set(doc->root, "optimizer", ferry_dict(store, 0));
	cr_expect_eq(artifact_of("checkpoint.th", NULL), ARTIFACT_OTHER);
	doc->root = text("best_state");
	cr_expect_eq(artifact_of("checkpoint.th", NULL), ARTIFACT_OTHER);
}

/* ---- configurations ------------------------------------------------------------- */

static struct ferry_value *value(const char *yaml)
{
	struct ferry_value *v = NULL;

	cr_assert_eq(config_value(store, yaml, &v, &err), 0, "%s", err.text);
	return v;
}

Test(audiocraft, reads_values_as_a_dotlist_does)
{
	cr_expect_eq(value("")->kind, FERRY_NONE);
	cr_expect_eq(value("null")->kind, FERRY_NONE);
	cr_expect_float_eq(value("1e-5")->u.f, 1e-5, 0);
	cr_expect_eq(value("0x10")->u.i, 16);
	cr_expect(ferry_value_is(value("abc"), "abc"));
	cr_expect(ferry_value_is(value("'1'"), "1"));
	cr_expect(ferry_value_is(value("${a.b}"), "${a.b}"));
	cr_expect(ferry_value_is(value("2020-01-01"), "2020-01-01"));
	cr_expect_eq(value("[1, 2]")->u.list.n, 2);
	cr_expect_eq(value("a: 1")->kind, FERRY_DICT);
	cr_expect_eq(value("a: 1\nb: 2")->u.dict.n, 2);
	cr_expect_eq(value("- 1\n- 2")->u.list.n, 2);
	cr_expect_lt(config_value(store, "[1", &(struct ferry_value *){ NULL },
				  &err), 0);
}

Test(audiocraft, follows_references_in_a_configuration)
{
	struct ferry_value *plain;

	cr_assert_eq(config_plain(store, text("a: ${b.c}\nb: {c: 7}\nd: ${d}\n"
					      "e: ${oc.env:X}\nf: ???\n"),
				  NULL, &plain, &err), 0, "%s", err.text);
	cr_expect_eq(config_count(plain, "a"), 7);
	cr_expect_eq(config_count(plain, "d"), 0);
	cr_expect_eq(config_count(plain, "e"), 0);
	cr_expect_eq(config_count(plain, "nothing.at.all"), 0);
}

Test(audiocraft, says_what_a_configuration_can_be)
{
	struct ferry_value *plain;

	cr_expect_eq(config_plain(store, ferry_int(store, 1), NULL, &plain,
				  &err), FERRY_MALFORMED);
	cr_expect_str_eq(err.text, "xp.cfg is of kind int: it must be a "
			 "DictConfig or YAML text");
}

/* ---- names and shapes -------------------------------------------------------------- */

static void renames(struct ferry_value *weights, const char *const *expected)
{
	struct ferry_value *out = NULL;

	cr_assert(is_hf_encodec(weights));
	cr_assert_eq(rename_hf_encodec(store, weights, &out, &err), 0, "%s",
		     err.text);
	for (uint32_t i = 0; i < out->u.dict.n; i++)
		cr_expect(ferry_value_is(out->u.dict.pairs[i].key, expected[i]),
			  "%s", expected[i]);
}

Test(audiocraft, renames_what_hugging_face_names)
{
	static const char *const expected[] = {
		"encoder.model.0.conv.conv.weight",
		"decoder.model.3.convtr.convtr.weight",
		"decoder.model.3.convtr.convtr.bias",
		"decoder.model.4.block.1.conv.conv.weight",
		"decoder.model.9.conv.conv.weight_v",
		"decoder.model.9.conv.conv.bias",
		"quantizer.vq.layers.0._codebook.embed",
	};
	struct ferry_value *w = ferry_dict(store, 8);

	set(w, "encoder.layers.0.conv.weight", tensor(4, 1, 7));
	set(w, "decoder.layers.3.conv.weight", tensor(16, 8, 4));
	set(w, "decoder.layers.3.conv.bias", tensor(8, 0, 0));
	set(w, "decoder.layers.4.block.1.conv.weight", tensor(4, 8, 3));
	set(w, "decoder.layers.9.conv.weight_v", tensor(1, 4, 7));
	set(w, "decoder.layers.9.conv.bias", tensor(1, 0, 0));
	set(w, "quantizer.layers.0.codebook.embed", tensor(16, 8, 0));
	renames(w, expected);
}

Test(audiocraft, renames_nothing_it_is_not_sure_of)
{
	struct ferry_value *w = ferry_dict(store, 4), *out;

	set(w, "encoder.layers.0.conv.weight", tensor(4, 1, 7));
	cr_expect(!is_hf_encodec(w));
	set(w, "quantizer.layers.0.codebook.embed", tensor(16, 8, 0));
	set(w, "decoder.layers.1.conv.weight", tensor(8, 8, 4));
	set(w, "decoder.layers.1.conv.bias", tensor(8, 0, 0));
	cr_expect_eq(rename_hf_encodec(store, w, &out, &err),
		     FERRY_UNSUPPORTED);
	cr_expect_str_eq(err.text, "decoder.layers.1.conv.weight: shapes do "
			 "not tell whether the layer is a transposed "
			 "convolution");
}

static struct ferry_value *model_weights(void)
{
	struct ferry_value *w = ferry_dict(store, 16);

	set(w, "condition_provider.conditioners.text.output_proj.weight",
	    tensor(8, 12, 0));
	set(w, "emb.0.weight", tensor(7, 8, 0));
	set(w, "transformer.layers.0.self_attn.mha.in_proj_weight",
	    tensor(24, 8, 0));
	set(w, "transformer.layers.0.self_attn.mha.out_proj.weight",
	    tensor(8, 8, 0));
	set(w, "transformer.layers.0.linear1.weight", tensor(32, 8, 0));
	set(w, "transformer.layers.0.linear2.weight", tensor(8, 32, 0));
	set(w, "transformer.layers.0.norm1.weight", tensor(8, 0, 0));
	set(w, "linears.0.weight", tensor(6, 8, 0));
	return w;
}

static void check_model(struct ferry_value *weights, const char *solver)
{
	char yaml[200];
	struct ferry_value *plain;

	snprintf(yaml, sizeof(yaml), "solver: %s\ntransformer_lm: {dim: 8, "
		 "n_q: 1, card: 6, num_layers: 1, hidden_scale: 4}\n", solver);
	cr_assert_eq(config_plain(store, text(yaml), NULL, &plain, &err), 0);
	cr_assert_eq(check_lm_tensors(plain, weights, "best_state", findings,
				      &err), 0);
}

Test(audiocraft, knows_the_tensors_of_a_language_model)
{
	struct ferry_value *w = model_weights();

	check_model(w, "musicgen");
	cr_expect_eq(ferry_findings_count(findings), 0);
	set(w, "emb.0.weight", tensor(6, 8, 0));
	set(w, "transformer.layers.0.norm1.weight", tensor(9, 0, 0));
	set(w, "condition_provider.conditioners.text.output_proj.weight",
	    tensor(9, 12, 0));
	set(w, "emb.1.weight", tensor(7, 8, 0));
	check_model(w, "musicgen");
	cr_expect_eq(count_code("shape"), 3);
	cr_expect_eq(count_code("unexpected"), 1);
	cr_expect_str_eq(ferry_findings_get(findings, 0)->text,
			 "'emb.0.weight' is of shape 6 x 8, where the "
			 "configuration gives 7 x 8");
	check_model(ferry_dict(store, 0), "magnet");
	cr_expect_eq(count_code("missing"), 6);
}

Test(audiocraft, knows_the_tensors_of_a_flow_matching_model)
{
	static const char yaml[] = "solver: jasco\nlatent: 5\nmelody: {dim: 4}\n"
		"transformer_lm: {dim: 8, num_layers: 2, hidden_scale: 4, "
		"n_q: 4, card: 2048, flow_dim: '${latent}', chords_dim: 0, "
		"melody_dim: '${melody.dim}', skip_connections: true, "
		"time_embedding_dim: 3}\n";
	struct ferry_value *w = ferry_dict(store, 16), *plain;

	cr_assert_eq(config_plain(store, text(yaml), NULL, &plain, &err), 0);
	cr_assert_eq(check_lm_tensors(plain, w, "best_state", findings, &err),
		     0);
	/* embedding, head, 3 of time, a skip, 2 layers of 4 */
	cr_expect_eq(count_code("missing"), 14);
	cr_expect_eq(ferry_findings_count(findings), 14);
	set(w, "emb.weight", tensor(8, 9, 0));
	set(w, "linear.weight", tensor(5, 8, 0));
	set(w, "temb.dense.0.weight", tensor(12, 3, 0));
	set(w, "temb.dense.1.weight", tensor(12, 12, 0));
	set(w, "temb_proj.weight", tensor(8, 12, 0));
	set(w, "transformer.skip_projections.0.weight", tensor(8, 16, 0));
	cr_assert_eq(check_lm_tensors(plain, w, "best_state", findings, &err),
		     0);
	cr_expect_eq(count_code("missing"), 14 + 8);
	cr_expect_eq(count_code("shape"), 0);
	set(w, "emb.weight", tensor(8, 5, 0));
	set(w, "linear.bias", tensor(4, 0, 0));
	cr_assert_eq(check_lm_tensors(plain, w, "best_state", findings, &err),
		     0);
	cr_expect_eq(count_code("shape"), 2);
}

Test(audiocraft, asks_sizes_of_a_language_model_to_be_some)
{
	struct ferry_value *plain;

	cr_assert_eq(config_plain(store, text("transformer_lm: {dim: abc, "
					      "n_q: 0, card: '${a}', "
					      "hidden_scale: null}"),
				  NULL, &plain, &err), 0);
	cr_assert_eq(check_lm_tensors(plain, ferry_dict(store, 0),
				      "best_state", findings, &err), 0);
	cr_expect_eq(count_code("config"), 2);
	cr_expect_str_eq(ferry_findings_get(findings, 0)->text,
			 "transformer_lm.dim is no integer of at least 1");
}

Test(audiocraft, asks_exports_for_the_conditioners_they_name)
{
	static const char yaml[] = "conditioners: {args: {drop: 1}, text: "
		"{model: t5}, wav: {model: chroma_stem}}\nsolver: ";
	struct ferry_value *plain;

	cr_assert_eq(config_plain(store, text("a: 1"), NULL, &plain, &err), 0);
	cr_assert_eq(check_lm_conditioners(plain, model_weights(), "best_state",
					   findings, &err), 0);
	cr_assert_eq(config_plain(store, text(yaml), NULL, &plain, &err), 0);
	cr_assert_eq(check_lm_conditioners(plain, model_weights(), "best_state",
					   findings, &err), 0);
	cr_expect_eq(ferry_findings_count(findings), 1);
	cr_expect_str_eq(ferry_findings_get(findings, 0)->text,
			 "'condition_provider.conditioners.wav.output_proj."
			 "weight' is missing: the configuration asks for it");
}

/* ---- compression models ------------------------------------------------------------ */

/* What is told of weights that have nothing, by this configuration. */
static void check_codec(const char *yaml)
{
	struct ferry_value *plain;

	ferry_findings_free(findings);
	cr_assert_eq(ferry_findings_new(&findings, &err), 0);
	cr_assert_eq(config_plain(store, text(yaml), NULL, &plain, &err), 0);
	cr_assert_eq(check_codec_tensors(doc, plain, ferry_dict(store, 0), "w",
					 findings, &err), 0, "%s", err.text);
}

static const char *told(size_t i)
{
	const struct ferry_finding *f = ferry_findings_get(findings, i);

	return f ? f->text : "";
}

Test(audiocraft, knows_the_tensors_of_a_compression_model)
{
	check_codec("seanet: {ratios: [2], norm: none, n_residual_layers: 0}\n"
		    "rvq: {n_q: 1}\n");
	cr_expect_eq(ferry_findings_count(findings), 6 * 2 + 4);
	cr_expect_eq(count_code("missing"), 6 * 2 + 4);
	check_codec("seanet: {ratios: [2], norm: weight_norm}\n"
		    "encodec: {quantizer: no_quant}\n");
	/* 2 ends, a stage and 3 layers of 2 on each side, each of 3 tensors */
	cr_expect_eq(ferry_findings_count(findings), 21);
	cr_expect_str_eq(told(20), "34 more tensors are not those of the "
			 "configuration");
	check_codec("{}");
	cr_expect_eq(ferry_findings_count(findings), 0);
	check_codec("seanet: {n_filters: '${oc.env:X}'}");
	cr_expect_eq(ferry_findings_count(findings), 0);
	check_codec("seanet: {decoder: {trim_right_ratio: 1}, encoder: "
		    "{n_filters: 3}}");
	cr_expect_eq(ferry_findings_count(findings), 1);
	cr_expect(strstr(told(0), "settings of their own"));
}

Test(audiocraft, asks_sizes_of_a_compression_model_to_be_some)
{
	check_codec("seanet: {n_filters: 0, lstm: x, norm: batch, ratios: 8}");
	cr_expect_eq(ferry_findings_count(findings), 4);
	cr_expect_str_eq(told(0), "seanet.n_filters is no integer of at least "
			 "1");
	cr_expect_str_eq(told(1), "seanet.lstm is no integer of at least 0");
	cr_expect(strstr(told(2), "seanet.norm is no normalisation: give none"));
	cr_expect(strstr(told(3), "seanet.ratios is no list"));
	check_codec("seanet: {ratios: [2, 0]}");
	cr_expect_eq(ferry_findings_count(findings), 1);
	check_codec("seanet: {n_filters: 3, compress: 2}");
	cr_expect_eq(ferry_findings_count(findings), 1);
	cr_expect(strstr(told(0), "no model has the sizes"), "%s", told(0));
	check_codec("seanet: {n_filters: 2147483647, dimension: 2147483647}");
	cr_expect_eq(ferry_findings_count(findings), 1, "%s", told(1));
	check_codec("compression_model: dac\nseanet: {}");
	cr_expect_eq(ferry_findings_count(findings), 1);
	cr_expect_str_eq(told(0), "compression_model is not encodec, which is "
			 "all that AudioCraft builds");
}

/* ---- watermarks -------------------------------------------------------------------- */

static size_t check_seal(struct ferry_value *model)
{
	ferry_findings_free(findings);
	cr_assert_eq(ferry_findings_new(&findings, &err), 0);
	set(doc->root, "model", model);
	cr_assert_eq(check_audioseal(doc, findings, &err), 0);
	return ferry_findings_count(findings);
}

Test(audiocraft, knows_the_halves_of_a_watermarking_model)
{
	static const char bits[] = "msg_processor.msg_processor.weight",
			  first[] = "decoder.model.0.conv.conv.weight_v",
			  back[] = "detector.0.reverse_convolution.weight";
	struct ferry_value *w = dict_of(bits, tensor(32, 8, 0));

	cr_expect_eq(check_seal(w), 0);
	cr_expect_eq(artifact_of("generator_base.pth", "a generator"),
		     ARTIFACT_AUDIOSEAL);
	cr_expect_eq(seal_bits(doc->root), 16);
	set(w, first, tensor(4, 8, 7));
	cr_expect_eq(check_seal(w), 0);
	set(w, first, tensor(4, 9, 7));
	cr_expect_eq(check_seal(w), 1);
	set(w, bits, tensor(3, 9, 0));
	cr_expect_eq(check_seal(w), 1);
	cr_expect_eq(check_seal(ferry_int(store, 1)), 1);
	w = dict_of("detector.1.weight", tensor(18, 6, 1));
	cr_expect_eq(check_seal(w), 2);	/* a bias, and what goes before */
	cr_expect_eq(artifact_of("", NULL), ARTIFACT_OTHER);
	set(w, "detector.1.bias", tensor(18, 0, 0));
	set(w, back, tensor(8, 6, 320));
	cr_expect_eq(check_seal(w), 0);
	cr_expect_eq(artifact_of("", "a detector"), ARTIFACT_AUDIOSEAL);
	cr_expect_eq(seal_bits(doc->root), 16);
	set(w, back, tensor(8, 7, 320));
	cr_expect_eq(check_seal(w), 1);
	set(w, "detector.1.weight", tensor(1, 7, 1));
	cr_expect_eq(check_seal(w), 1);
	cr_expect_eq(seal_bits(doc->root), 0);
	set(doc->root, "best_state", dict_of("model", w));
	cr_expect_eq(artifact_of("", NULL), ARTIFACT_TRAINING);
}

/* ---- what loaders ask -------------------------------------------------------------- */

Test(audiocraft, asks_magnet_for_its_spans)
{
	set(doc->root, "best_state", dict_of("w", tensor(1, 0, 0)));
	set(doc->root, "xp.cfg", text("solver: magnet\nmasking: {span_len: 3}"));
	set(doc->root, "version", text("1.3.0"));
	set(doc->root, "exported", ferry_bool(true));
	cr_assert_eq(check_export_lm(doc, findings, &err), 0);
	cr_expect_eq(ferry_findings_count(findings), 1);
	cr_expect_str_eq(ferry_findings_get(findings, 0)->path,
			 "xp.cfg.dataset.segment_duration");
}

Test(audiocraft, asks_exports_for_flat_weights_and_marks)
{
	set(doc->root, "best_state", dict_of("model", ferry_dict(store, 0)));
	set(doc->root, "exported", ferry_bool(false));
	cr_assert_eq(check_export_lm(doc, findings, &err), 0);
	cr_expect_eq(count_code("wrapped"), 1);
	cr_expect_eq(count_code("exported"), 1);
	cr_expect_eq(count_code("version"), 1);
	cr_expect_eq(count_code("config"), 1);
}

Test(audiocraft, asks_texts_to_be_ones_that_omegaconf_reads)
{
	set(doc->root, "best_state", dict_of("w", tensor(1, 0, 0)));
	set(doc->root, "xp.cfg", text("a: [1, {b: '${c'}]"));
	set(doc->root, "version", text("1.3.0"));
	set(doc->root, "exported", ferry_bool(true));
	cr_assert_eq(check_export_lm(doc, findings, &err), 0);
	cr_expect_eq(count_code("config"), 1);
	cr_expect_str_eq(ferry_findings_get(findings, 0)->text,
			 "'${c' begins an interpolation that is none: "
			 "OmegaConf can't read the configuration as text");
}

Test(audiocraft, asks_references_for_a_name_alone)
{
	set(doc->root, "pretrained", text("//pretrained/facebook/x"));
	set(doc->root, "version", text("1.3.0"));
	set(doc->root, "exported", ferry_bool(true));
	cr_assert_eq(check_export_compression(doc, findings, &err), 0);
	cr_expect_eq(count_code("pretrained"), 1);
}

static void put_states(struct ferry_value *model)
{
	set(doc->root, "fsdp_best_state",
	    dict_of("model", dict_of("a", tensor(4, 0, 0))));
	set(doc->root, "model", model);
}

Test(audiocraft, asks_training_for_a_model_that_is_one)
{
	put_states(ferry_int(store, 3));
	cr_assert_eq(check_training(doc, findings, &err), 0);
	cr_expect_eq(count_code("no-model"), 1);
	cr_expect_str_eq(ferry_findings_get(findings, 0)->text,
			 "model is of kind int: a run that resumes takes "
			 "names and tensors from it");
	set(doc->root, "best_state", dict_of("model", dict_of("a", text("x"))));
	set(doc->root, "fsdp_best_state", ferry_dict(store, 0));
	set(doc->root, "model", dict_of("a", ferry_int(store, 3)));
	cr_assert_eq(check_training(doc, findings, &err), 0);
	cr_expect_eq(count_code("not-a-tensor"), 2);
}

Test(audiocraft, loads_sharded_states_strictly)
{
	struct ferry_value *model = dict_of("a", tensor(2, 0, 0));

	put_states(model);	/* shapes are a shard's */
	set(model, "b._flat_param", tensor(9, 0, 0));
	set(model, "_fsdp_wrapped_module.b", tensor(9, 0, 0));
	cr_assert_eq(check_training(doc, findings, &err), 0);
	cr_expect_eq(count_code("missing"), 0);
	set(model, "b", tensor(9, 0, 0));
	cr_assert_eq(check_training(doc, findings, &err), 0);
	cr_expect_eq(count_code("missing"), 1);
	put_states(dict_of("b", tensor(9, 0, 0)));	/* nothing is told */
	cr_assert_eq(check_training(doc, findings, &err), 0);
	cr_expect_eq(count_code("missing"), 1);
	set(doc->root, "xp.cfg", text("solver: musicgen\n"
				      "conditioners: {wav: {model: t5}}"));
	cr_assert_eq(check_training(doc, findings, &err), 0);
	cr_expect_eq(count_code("missing"), 2);
	set(doc->root, "best_state", ferry_dict_get(doc->root,
						    "fsdp_best_state"));
	set(doc->root, "fsdp_best_state", ferry_dict(store, 0));
	cr_assert_eq(check_training(doc, findings, &err), 0);
	cr_expect_eq(count_code("missing"), 3);	/* model's, and no more */
}

Test(audiocraft, asks_training_for_states_and_averages)
{
	set(doc->root, "best_state", dict_of("w", tensor(1, 0, 0)));
	set(doc->root, "ema", dict_of("state", ferry_dict(store, 0)));
	set(doc->root, "exported", ferry_bool(true));
	cr_assert_eq(check_training(doc, findings, &err), 0);
	cr_expect_eq(count_code("no-model"), 1);
	cr_expect_eq(count_code("ema"), 1);
	cr_expect_eq(count_code("exported"), 1);
}
