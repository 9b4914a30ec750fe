/*
 * AudioSeal: a generator, which is an encoder, a decoder and an embedding of the
 * message's bits between them, and a detector, each in a file of its own under
 * 'model'.
 */
#include "config.h"

#include "plugins/audiocraft/audiocraft.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Two rows a bit: for 0 and for 1. */
#define MESSAGE "msg_processor.msg_processor.weight"
/* Two outputs say whether there is a watermark, the others are its bits. */
#define HEAD "detector.1.weight"
#define HEAD_BIAS "detector.1.bias"
#define BACK "detector.0.reverse_convolution.weight"
#define TOLD_BY_HEAD 2

static const struct ferry_tensor *tensor(const struct ferry_value *weights,
					 const char *name, unsigned ndim)
{
	struct ferry_value *v = part(weights, name);

	v = v ? ferry_value_payload(v) : NULL;
	return v && v->kind == FERRY_TENSOR && v->u.tensor->ndim == ndim ?
	       v->u.tensor : NULL;
}

enum seal seal_of(const struct ferry_value *root)
{
	const struct ferry_value *weights = part(root, "model");

	if (part(root, "best_state") || part(root, "fsdp_best_state"))
		return SEAL_NONE;
	if (part(weights, MESSAGE))
		return SEAL_GENERATOR;
	return part(weights, HEAD) && part(weights, BACK) ? SEAL_DETECTOR :
							    SEAL_NONE;
}

uint64_t seal_bits(const struct ferry_value *root)
{
	const struct ferry_value *weights = part(root, "model");
	const struct ferry_tensor *t = tensor(weights, MESSAGE, 2);

	if (t)
		return t->shape[0] / 2;
	t = tensor(weights, HEAD, 3);
	return t && t->shape[0] > TOLD_BY_HEAD ? t->shape[0] - TOLD_BY_HEAD : 0;
}

static int violation(struct ferry_findings *out, const char *name,
		     const char *text, struct ferry_error *err)
{
	char path[100];

	snprintf(path, sizeof(path), "model.%s", name);
	return tell(out, FERRY_VIOLATION, "shape", path, err, "'%s' %s", name,
		    text);
}

static int check_generator(const struct ferry_value *weights,
			   struct ferry_findings *out, struct ferry_error *err)
{
	static const char *const ends[] = {
		"decoder.model.0.conv.conv.weight_v",
		"decoder.model.0.conv.conv.parametrizations.weight.original1",
		"decoder.model.0.conv.conv.weight",
	};
	const struct ferry_tensor *bits = tensor(weights, MESSAGE, 2), *first;
	int rc = 0;

	if (!bits || !bits->shape[0] || bits->shape[0] % 2)
		return violation(out, MESSAGE, "is no matrix of two rows a bit",
				 err);
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends) && !rc; i++) {
		first = tensor(weights, ends[i], 3);
		if (first && first->shape[1] != bits->shape[1])
			rc = violation(out, MESSAGE, "has rows of another "
				       "size than the decoder takes", err);
	}
	return rc;
}

static int check_detector(const struct ferry_value *weights,
			  struct ferry_findings *out, struct ferry_error *err)
{
	const struct ferry_tensor *head = tensor(weights, HEAD, 3),
				  *bias = tensor(weights, HEAD_BIAS, 1),
				  *back = tensor(weights, BACK, 3);
	int rc = 0;

	if (!head || head->shape[0] < TOLD_BY_HEAD || head->shape[2] != 1)
		return violation(out, HEAD, "is no convolution of width 1 "
				 "with 2 outputs or more", err);
	if (!bias || bias->shape[0] != head->shape[0])
		rc = violation(out, HEAD_BIAS, "is missing, or not as long as "
			       "detector.1.weight has outputs", err);
	if (!rc && (!back || back->shape[1] != head->shape[1]))
		rc = violation(out, BACK, "has not as many outputs as "
			       "detector.1.weight takes", err);
	return rc;
}

int check_audioseal(struct ferry_document *doc, struct ferry_findings *out,
		    struct ferry_error *err)
{
	struct ferry_value *weights = part(doc->root, "model");
	int rc;

	if (!mapping(doc->root, "model"))
		return tell(out, FERRY_VIOLATION, "no-model", "model", err,
			    "model is missing or no mapping: "
			    "load_audioseal_models takes the weights from it");
	rc = check_weights(weights, "model", out, err);
	if (rc)
		return rc;
	return part(weights, MESSAGE) ? check_generator(weights, out, err) :
					check_detector(weights, out, err);
}

CONVERSION(run_audioseal_state)
{
	struct ferry_value *weights = part(args->inputs[0]->root, "model");

	if (!weights || !ferry_value_items(weights))
		return ferry_fail(err, FERRY_MALFORMED, "audiocraft",
				  FERRY_NO_OFFSET, "model is missing or no "
				  "mapping: there are no weights in it");
	args->out->root = same_pairs(args->store, weights);
	return args->out->root ? 0 : ferry_fail_nomem(err, "weights");
}
