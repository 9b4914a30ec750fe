/*
 * EnCodec under Hugging Face's names: encoder.layers.N, decoder.layers.N and
 * quantizer.layers.N.  Which layers of the decoder are transposed convolutions
 * is not in their names: one has weights of shape [in, out, width], its bias
 * has `out` elements, and it halves its channels.
 */
#include "config.h"

#include "plugins/audiocraft/audiocraft.h"

#include <string.h>

#include <ferry/sys/buffer.h>

bool is_hf_encodec(const struct ferry_value *weights)
{
	const struct ferry_value *key;
	unsigned encoder = 0, quantizer = 0;

	for (uint32_t i = 0; i < weights->u.dict.n; i++) {
		key = weights->u.dict.pairs[i].key;
		if (key->kind != FERRY_STRING || key->u.s.nbytes < 17)
			continue;
		encoder += !memcmp(key->u.s.data, "encoder.layers.", 15);
		quantizer += !memcmp(key->u.s.data, "quantizer.layers.", 17);
	}
	return encoder && quantizer;
}

static bool contains(const struct ferry_value *name, const char *text)
{
	return memmem(name->u.s.data, name->u.s.nbytes, text, strlen(text));
}

static bool is_candidate(const struct ferry_value *name)
{
	return name->u.s.nbytes > 15 &&
	       !memcmp(name->u.s.data, "decoder.layers.", 15) &&
	       contains(name, ".conv.") && !contains(name, ".block.");
}

/* The tensor of `stem`conv.`end`, the stem being what comes before "conv." in
 * a candidate's name. */
static const struct ferry_tensor *beside(const struct ferry_value *weights,
					 const struct ferry_value *name,
					 const char *end)
{
	const char *at = memmem(name->u.s.data, name->u.s.nbytes, ".conv.", 6);
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	struct ferry_value *v = NULL;

	ferry_buffer_add(&b, name->u.s.data,
			 (size_t)(at - name->u.s.data) + 6);
	ferry_buffer_add_str(&b, end);
	if (!b.failed)
		v = ferry_dict_get(weights, b.data);
	ferry_buffer_release(&b);
	v = v ? ferry_value_payload(v) : NULL;
	return v && v->kind == FERRY_TENSOR ? v->u.tensor : NULL;
}

static const struct ferry_tensor *kernel(const struct ferry_value *weights,
					 const struct ferry_value *name)
{
	static const char *const ends[] = {
		"weight", "weight_v", "parametrizations.weight.original1",
	};
	const struct ferry_tensor *t = NULL;

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends) && !t; i++)
		t = beside(weights, name, ends[i]);
	return t && t->ndim == 3 ? t : NULL;
}

/* 1, 0, or a negative code where the shapes do not tell. */
static int is_transposed(const struct ferry_value *weights,
			 const struct ferry_value *name,
			 struct ferry_error *err)
{
	const struct ferry_tensor *w = kernel(weights, name);
	const struct ferry_tensor *bias = beside(weights, name, "bias");
	char shown[160];

	if (w && w->shape[0] != w->shape[1]) {
		if (bias && bias->ndim == 1 && bias->shape[0] == w->shape[0])
			return 0;
		if (bias && bias->ndim == 1 && bias->shape[0] == w->shape[1])
			return 1;
		if (!bias)
			return w->shape[0] == 2 * w->shape[1];
	}
	return ferry_fail(err, FERRY_UNSUPPORTED, "audiocraft",
			  FERRY_NO_OFFSET, "%s: shapes do not tell whether the "
			  "layer is a transposed convolution",
			  ferry_escape(shown, sizeof(shown), name->u.s.data,
				       name->u.s.nbytes));
}

/* Every occurrence, from the left. */
static void replace(struct ferry_buffer *b, const char *from, const char *to)
{
	struct ferry_buffer out = FERRY_BUFFER_INIT;
	const char *at = b->data, *end = b->data + b->n, *hit;

	while ((hit = memmem(at, (size_t)(end - at), from, strlen(from)))) {
		ferry_buffer_add(&out, at, (size_t)(hit - at));
		ferry_buffer_add_str(&out, to);
		at = hit + strlen(from);
	}
	ferry_buffer_add(&out, at, (size_t)(end - at));
	out.failed |= b->failed;
	ferry_buffer_release(b);
	*b = out;
}

static struct ferry_value *renamed(struct ferry_store *store,
				   const struct ferry_value *name,
				   bool transposed)
{
	static const char *const rules[][2] = {
		{ "encoder.layers.", "encoder.model." },
		{ "decoder.layers.", "decoder.model." },
		{ "conv.", "conv.conv." },
		{ "convtr.", "convtr.convtr." },
		{ "quantizer.layers.", "quantizer.vq.layers." },
		{ ".codebook.", "._codebook." },
	};
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	struct ferry_value *v = NULL;

	ferry_buffer_add(&b, name->u.s.data, name->u.s.nbytes);
	if (transposed && !b.failed)
		replace(&b, ".conv.", ".convtr.");
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules) && !b.failed; i++)
		replace(&b, rules[i][0], rules[i][1]);
	if (!b.failed)
		v = ferry_string(store, b.data, b.n);
	ferry_buffer_release(&b);
	return v;
}

int rename_hf_encodec(struct ferry_store *store,
		      const struct ferry_value *weights,
		      struct ferry_value **out, struct ferry_error *err)
{
	const struct ferry_pair *pair;
	struct ferry_value *name;
	int rc;

	*out = ferry_dict(store, weights->u.dict.n);
	if (!*out)
		return ferry_fail_nomem(err, "weights");
	for (uint32_t i = 0; i < weights->u.dict.n; i++) {
		pair = &weights->u.dict.pairs[i];
		rc = is_candidate(pair->key) ?
		     is_transposed(weights, pair->key, err) : 0;
		if (rc < 0)
			return rc;
		name = renamed(store, pair->key, rc);
		if (!name || ferry_dict_set(store, *out, name, pair->value))
			return ferry_fail_nomem(err, "weights");
	}
	return (*out)->u.dict.n == weights->u.dict.n ? 0 :
	       ferry_fail(err, FERRY_UNSUPPORTED, "audiocraft",
			  FERRY_NO_OFFSET, "two names become one under "
			  "AudioCraft's: the weights have both kinds");
}
