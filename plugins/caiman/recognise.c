/* What is of CAIMAN-ASR, and why. */
#include "config.h"

#include "plugins/caiman/shape.h"

#include <stdio.h>
#include <string.h>

static bool has_all(struct ferry_value *v, const char *const *keys)
{
	for (size_t i = 0; keys[i]; i++)
		if (!at(v, keys[i]))
			return false;
	return true;
}

/* The only keys there are. */
static bool has_only(struct ferry_value *v, const char *const *keys)
{
	const struct ferry_value *items = ferry_value_items(v);
	uint32_t n = 0;

	for (size_t i = 0; keys[i]; i++)
		n += at(v, keys[i]) ? 1 : 0;
	return items && n == items->u.dict.n;
}

/* ---- configs -------------------------------------------------------------------- */

static const char *const model_keys[] = {
	"in_feats", "enc_n_hid", "pred_n_hid", "joint_n_hid", NULL
};
static const char *const sections[] = { "input_val", "rnnt", "tokenizer", NULL };
static const char *const features[] = {
	"dither", "n_fft", "n_filt", "normalize", "sample_rate", "window",
	"window_size", "window_stride", NULL
};
static const char *const input[] = {
	"filterbank_features", "frame_splicing", NULL
};

/* What speaks for a config, each point of it rare elsewhere; 4 at most.  One
 * with a broken section is still one: its check says what is wrong. */
static int config_points(struct ferry_value *root)
{
	struct ferry_value *rnnt = at(root, "rnnt");
	int keys = 0;

	for (size_t i = 0; model_keys[i]; i++)
		keys += at(rnnt, model_keys[i]) != NULL;
	return (keys > 1) + (keys > 1 && has_all(root, sections)) +
	       (at(at(root, "tokenizer"), "sentpiece_model") != NULL) +
	       (at(at(at(root, "input_val"), "filterbank_features"),
		   "n_filt") != NULL);
}

/* What the schema leaves of a config. */
static bool is_inference(struct ferry_value *root)
{
	struct ferry_value *val = at(root, "input_val");

	return has_only(root, sections) && has_only(val, input) &&
	       has_only(at(val, "filterbank_features"), features) &&
	       !at(at(root, "rnnt"), "enc_dropout") &&
	       !at(at(root, "tokenizer"), "sampling");
}

static int answer(struct ferry_match *out, int score, const char *reason)
{
	out->score = score;
	snprintf(out->reason, sizeof(out->reason), "%s", reason);
	return 0;
}

int recognise_config(struct ferry_document *doc, const char *file_name,
		     struct ferry_match *out)
{
	int points = config_points(doc->root);

	(void)file_name;
	if (points < 2 || is_inference(doc->root))
		return 0;
	if (points < 4)
		return answer(out, 60 + 5 * points, "parts of the sections "
			      "rnnt, tokenizer and input_val");
	return answer(out, 90, "sections rnnt, tokenizer and input_val, with "
		      "settings of the training");
}

int recognise_inference(struct ferry_document *doc, const char *file_name,
			struct ferry_match *out)
{
	(void)file_name;
	if (config_points(doc->root) < 4 || !is_inference(doc->root))
		return 0;
	return answer(out, 95, "sections rnnt, tokenizer and input_val with "
		      "what inference needs and nothing else");
}

/* ---- checkpoints ------------------------------------------------------------------ */

/* Two tensors that every release's model has. */
static bool is_model(struct ferry_value *weights)
{
	static const char *const names[] = {
		"joint_enc.weight", "module.joint_enc.weight", NULL
	};

	for (size_t i = 0; names[i]; i++)
		if (at(weights, names[i]) &&
		    at(weights, i ? "module.prediction.embed.weight" :
				    "prediction.embed.weight"))
			return true;
	return false;
}

/* Of the keys that hardware checkpoints have, those that a training's has not
 * (but for state_dict).  One that lost a key is still one: its check says so. */
static unsigned hardware_keys(struct ferry_value *root)
{
	static const char *const keys[] = {
		"state_dict", "melmeans", "melvars", "melalpha",
		"sentpiece_model", "ngram", "rnnt_config", NULL
	};
	unsigned n = 0;

	for (size_t i = 0; keys[i]; i++)
		n += at(root, keys[i]) != NULL;
	return n;
}

#define HARDWARE_KEYS_LEAST 4

int recognise_training(struct ferry_document *doc, const char *file_name,
		       struct ferry_match *out)
{
	static const char *const keys[] = {
		"epoch", "step", "best_wer", "state_dict", NULL
	};

	(void)file_name;
	if (!has_all(doc->root, keys) ||
	    hardware_keys(doc->root) >= HARDWARE_KEYS_LEAST ||
	    !is_model(at(doc->root, "state_dict")))
		return 0;
	if (at(doc->root, "ema_state_dict") || at(doc->root, "optimizer"))
		return answer(out, 95, "epoch, step and best_wer beside the "
			      "weights of an RNN-T, with an EMA or optimizer");
	return answer(out, 85, "epoch, step and best_wer beside the weights "
		      "of an RNN-T");
}

int recognise_hardware(struct ferry_document *doc, const char *file_name,
		       struct ferry_match *out)
{
	static const char *const keys[] = {
		"state_dict", "melmeans", "melvars", "sentpiece_model", NULL
	};

	(void)file_name;
	if (at(doc->root, "optimizer") ||
	    hardware_keys(doc->root) < HARDWARE_KEYS_LEAST)
		return 0;
	if (!has_all(doc->root, keys))
		return answer(out, 80, "most of the keys of a hardware "
			      "checkpoint");
	return answer(out, 95, "weights beside melmeans, melvars and "
		      "sentpiece_model");
}

/* ---- mel statistics ----------------------------------------------------------------- */

static bool starts(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* One float32 per filter, under the names the statistics have: a bare tensor
 * says nothing by itself. */
int recognise_stats(struct ferry_document *doc, const char *file_name,
		    struct ferry_match *out)
{
	struct ferry_value *v = ferry_value_payload(doc->root);
	const struct ferry_tensor *t;

	if (v->kind != FERRY_TENSOR)
		return 0;
	t = v->u.tensor;
	if (t->dtype != FERRY_F32 || t->ndim != 1)
		return 0;
	if ((starts(file_name, "melmeans.") || starts(file_name, "melvars.")) &&
	    t->shape[0] && t->shape[0] <= 4096)
		return answer(out, 90, "one float32 per filter, under the name "
			      "of mel statistics");
	if (starts(file_name, "meln.") && t->shape[0] == 1)
		return answer(out, 90, "one float32, under the name of the "
			      "count of mel statistics");
	return 0;
}
