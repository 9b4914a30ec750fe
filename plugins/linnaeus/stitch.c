/*
 * mFormerV1's pretrained weights, put together of two models': its first stages
 * are a ConvNeXt's, its last ones a vision transformer's with rotary positions.
 * A weight is taken where the target has its name and shape.
 */
#include "config.h"

#include "plugins/linnaeus/target.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <ferry/sys/ops.h>

enum { CONVNEXT, ROPEVIT, TARGET };

#define NAME_MOST 512	/* bytes; a longer one, cut, finds no place */

static const char *const source_names[] = { "ConvNeXt", "RoPE-ViT" };

struct stitch {
	const struct ferry_conversion_args *args;
	struct target target;
	bool documented;
	struct ferry_value *sources[2];	/* names without "module." */
	struct ferry_value *out;
	size_t taken[2];
	struct names shapes, absent, ignored[2], differ;
	struct ferry_error *err;
};

/* In the order in which they are taken. */
static const struct {
	const char *from, *to;
} prefixes[] = {
	{ "downsample_layers.0.", "stem." },
	{ "stages.0.", "stages.0." },
	{ "downsample_layers.1.", "downsample_layers.0." },
	{ "stages.1.", "stages.1." },
	{ "downsample_layers.2.", "downsample_layers.1." },
};

#define N_PREFIXES (sizeof(prefixes) / sizeof(*prefixes))

/* ---- sources --------------------------------------------------------------- */

/* Where two names become one the later value takes the place of the first. */
static int strip_prefixes(struct stitch *s, struct ferry_value *items,
			  struct ferry_value **out)
{
	struct ferry_store *store = s->args->store;
	struct ferry_value *key;

	*out = ferry_dict(store, items->u.dict.n);
	for (uint32_t i = 0; *out && i < items->u.dict.n; i++) {
		key = items->u.dict.pairs[i].key;
		if (key->kind != FERRY_STRING)
			return ferry_fail(s->err, FERRY_MALFORMED, "linnaeus",
					  FERRY_NO_OFFSET, "a weight's name is "
					  "of kind %s, not text",
					  ferry_kind_name(key->kind));
		if (memchr(key->u.s.data, 0, key->u.s.nbytes))
			return ferry_fail(s->err, FERRY_UNSUPPORTED,
					  "linnaeus", FERRY_NO_OFFSET,
					  "a weight's name has a NUL in it");
		if (key->u.s.nbytes >= 7 &&
		    !memcmp(key->u.s.data, "module.", 7))
			key = ferry_string(store, key->u.s.data + 7,
					   key->u.s.nbytes - 7);
		if (!key || ferry_dict_set(store, *out, key,
					   items->u.dict.pairs[i].value))
			return ferry_fail_nomem(s->err, "weights");
	}
	return *out ? 0 : ferry_fail_nomem(s->err, "weights");
}

static int open_sources(struct stitch *s)
{
	static const char *const keys[][3] = {
		{ "model", "state_dict_ema", NULL },
		{ "model", "state_dict", NULL },
	};
	static const char *const what[] = { "ConvNeXt file", "RoPE-ViT file" };
	struct ferry_value *items;
	int rc = 0;

	for (size_t i = 0; i < 2 && !rc; i++) {
		rc = weights_under(s->args->inputs[i], keys[i], what[i],
				   &items, s->err);
		if (!rc)
			rc = strip_prefixes(s, items, &s->sources[i]);
	}
	return rc;
}

/* ---- placing --------------------------------------------------------------- */

static const char *shape_text(const uint64_t *shape, unsigned ndim,
			      char out[96])
{
	size_t n = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < ndim && n < 70; i++)
		n += (size_t)snprintf(out + n, 96 - n, "%s%" PRIu64,
				      i ? ", " : "", shape[i]);
	return out;
}

static bool fits(const struct ferry_tensor *t,
		 const struct ferry_tensor_spec *spec)
{
	return t->ndim == spec->ndim &&
	       (!t->ndim || !memcmp(t->shape, spec->shape,
				    t->ndim * sizeof(*t->shape)));
}

static void tell_shape(struct stitch *s, const struct ferry_tensor *t,
		       const struct ferry_tensor_spec *spec)
{
	char have[96], want[96];

	names_add(&s->shapes, "%.100s [%s] for [%s]", spec->name,
		  shape_text(t->shape, t->ndim, have),
		  shape_text(spec->shape, spec->ndim, want));
}

/* 1 when it is taken. */
static int place(struct stitch *s, unsigned from, const char *name,
		 const char *old, struct ferry_value *value)
{
	const struct ferry_tensor_spec *spec = strlen(name) < NAME_MOST - 1 ?
		ferry_tensor_schema_at(s->target.schema, name) : NULL;
	const struct ferry_tensor *t = tensor_of(value);
	char shown[200];

	if (!spec) {
		names_add(&s->absent, "%.120s", name);
		return 0;
	}
	if (!t) {
		ferry_escape(shown, sizeof(shown), old, strlen(old));
		return ferry_fail(s->err, FERRY_MALFORMED, "linnaeus",
				  FERRY_NO_OFFSET, "'%s' of the %s file is of "
				  "kind %s, not a tensor", shown,
				  source_names[from],
				  ferry_kind_name(value->kind));
	}
	if (!fits(t, spec)) {
		tell_shape(s, t, spec);
		return 0;
	}
	if (ferry_dict_set_str(s->args->store, s->out, name, value))
		return ferry_fail_nomem(s->err, "weights");
	s->taken[from]++;
	return 1;
}

/* ---- ConvNeXt -------------------------------------------------------------- */

/*
 * A downsampler's children are 0 and 1 in the one, norm and conv in the other;
 * upstream keeps the numbers, which the target does not have.
 */
static const char *child_name(const char *to, const char *rest, char *out,
			      size_t cap)
{
	if (strncmp(to, "downsample_layers.", 18) ||
	    (rest[0] != '0' && rest[0] != '1') || rest[1] != '.')
		return NULL;
	snprintf(out, cap, "%s%s%s", to, *rest == '0' ? "norm" : "conv",
		 rest + 1);
	return out;
}

static int take_convolution(struct stitch *s, size_t k, const char *name,
			    struct ferry_value *value)
{
	const char *rest = name + strlen(prefixes[k].from);
	char plain[NAME_MOST], other[NAME_MOST];
	const char *named = child_name(prefixes[k].to, rest, other,
				       sizeof(other));
	const struct ferry_tensor_spec *spec;

	snprintf(plain, sizeof(plain), "%s%s", prefixes[k].to, rest);
	if (!named)
		return place(s, CONVNEXT, plain, name, value);
	spec = ferry_tensor_schema_at(s->target.schema, named);
	if (spec && tensor_of(value) && fits(tensor_of(value), spec))
		names_add(&s->differ, "%s", named);
	return place(s, CONVNEXT, s->documented ? named : plain, name, value);
}

static const char *name_of(struct stitch *s, const struct ferry_value *key)
{
	return ferry_store_strndup(s->args->store, key->u.s.data,
				   key->u.s.nbytes);
}

static bool begins(const struct ferry_value *key, const char *prefix)
{
	size_t n = strlen(prefix);

	return key->u.s.nbytes >= n && !memcmp(key->u.s.data, prefix, n);
}

static int take_convolutions(struct stitch *s)
{
	const struct ferry_value *items = s->sources[CONVNEXT];
	const char *name;
	int rc = 0;

	for (size_t k = 0; k < N_PREFIXES; k++)
		for (uint32_t i = 0; i < items->u.dict.n && rc >= 0; i++) {
			if (!begins(items->u.dict.pairs[i].key,
				    prefixes[k].from))
				continue;
			name = name_of(s, items->u.dict.pairs[i].key);
			rc = name ? take_convolution(s, k, name,
						     items->u.dict.pairs[i].value)
				  : ferry_fail_nomem(s->err, "weights");
		}
	return rc < 0 ? rc : 0;
}

static void tell_other_convolutions(struct stitch *s)
{
	const struct ferry_value *items = s->sources[CONVNEXT], *key;
	size_t k;

	for (uint32_t i = 0; i < items->u.dict.n; i++) {
		key = items->u.dict.pairs[i].key;
		for (k = 0; k < N_PREFIXES && !begins(key, prefixes[k].from);
		     k++)
			;
		if (k == N_PREFIXES)
			names_add(&s->ignored[CONVNEXT], "%.*s",
				  key->u.s.nbytes < 100 ?
				  (int)key->u.s.nbytes : 100, key->u.s.data);
	}
}

/* ---- RoPE-ViT -------------------------------------------------------------- */

static bool is_skipped(const char *name)
{
	static const char *const names[] = {
		"pos_embed", "patch_embed.proj.weight", "patch_embed.proj.bias",
		"norm.weight", "norm.bias", "head.weight", "head.bias",
		"freqs_t_x", "freqs_t_y",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

/* "blocks.7.attn.qkv.weight": 7, and what follows the dot; NULL: no block of
 * the stages. */
static const char *block_of(const struct stitch *s, const char *name,
			    uint64_t *block)
{
	const char *p = name + 7;
	uint64_t n = 0;

	if (strncmp(name, "blocks.", 7) || (*p == '0' && p[1] != '.'))
		return NULL;
	for (; *p >= '0' && *p <= '9' && n < 100000; p++)
		n = 10 * n + (uint64_t)(*p - '0');
	*block = n;
	return p > name + 7 && *p == '.' &&
	       n < s->target.depths[0] + s->target.depths[1] ? p + 1 : NULL;
}

static int take_block(struct stitch *s, const char *name, uint64_t block,
		      const char *rest, struct ferry_value *value)
{
	bool second = block >= s->target.depths[0];
	char to[NAME_MOST];

	snprintf(to, sizeof(to), "stages.%u.%" PRIu64 ".%s", second ? 3 : 2,
		 second ? block - s->target.depths[0] : block, rest);
	return place(s, ROPEVIT, to, name, value);
}

static int take_token(struct stitch *s, struct ferry_value *value)
{
	int rc = place(s, ROPEVIT, "cls_token_1", "cls_token", value);

	return rc < 0 ? rc : place(s, ROPEVIT, "cls_token_2", "cls_token",
				   value);
}

/* Data of its own for every name: the same bytes of the file. */
static struct ferry_value *copy_of(struct stitch *s, struct ferry_value *value)
{
	struct ferry_store *store = s->args->store;
	struct ferry_value *dense;
	const struct ferry_tensor *t;
	struct ferry_source *src;
	struct ferry_storage *st;
	uint64_t offset;

	if (!tensor_of(value) || tensor_of(value)->flags & FERRY_META)
		return value;
	if (ferry_op_contiguous(store, ferry_value_payload(value), &dense,
				s->err))
		return NULL;
	t = dense->u.tensor;
	if (ferry_tensor_source(store, t, &src, &offset, s->err))
		return NULL;
	st = ferry_storage(store, (enum ferry_dtype)t->dtype, src, offset,
			   ferry_tensor_nbytes(t));
	return st ? ferry_tensor(store, (enum ferry_dtype)t->dtype, t->ndim,
				 t->shape, NULL, 0, st) : NULL;
}

static int take_frequencies(struct stitch *s, struct ferry_value *value)
{
	struct ferry_value *copy;
	char to[96];
	int rc = 0;

	for (unsigned stage = 0; stage < 2; stage++)
		for (uint64_t b = 0; b < s->target.depths[stage] && rc >= 0;
		     b++) {
			snprintf(to, sizeof(to), "stages.%u.%" PRIu64
				 ".attn.freqs", 2 + stage, b);
			copy = copy_of(s, value);
			rc = copy ? place(s, ROPEVIT, to, "freqs", copy) :
			     s->err && s->err->code ? s->err->code :
			     ferry_fail_nomem(s->err, "weights");
		}
	return rc;
}

static int take_attention(struct stitch *s, const char *name,
			  struct ferry_value *value)
{
	uint64_t block;
	const char *rest = block_of(s, name, &block);

	if (is_skipped(name)) {
		names_add(&s->ignored[ROPEVIT], "%.100s", name);
		return 0;
	}
	if (rest)
		return take_block(s, name, block, rest, value);
	if (!strcmp(name, "cls_token"))
		return take_token(s, value);
	if (!strcmp(name, "freqs") && s->target.mixed)
		return take_frequencies(s, value);
	names_add(&s->ignored[ROPEVIT], "%.100s", name);
	return 0;
}

static int take_attentions(struct stitch *s)
{
	const struct ferry_value *items = s->sources[ROPEVIT];
	const char *name;
	int rc = 0;

	for (uint32_t i = 0; i < items->u.dict.n && rc >= 0; i++) {
		name = name_of(s, items->u.dict.pairs[i].key);
		rc = name ? take_attention(s, name,
					   items->u.dict.pairs[i].value) :
		     ferry_fail_nomem(s->err, "weights");
	}
	return rc < 0 ? rc : 0;
}

/* ---- what came of it ------------------------------------------------------- */

static int note(struct stitch *s, const char *code, struct names *names,
		const char *fmt, ...) FERRY_PRINTF(4, 5);

static int note(struct stitch *s, const char *code, struct names *names,
		const char *fmt, ...)
{
	char text[240];
	size_t n = names ? names->n : 0;
	va_list ap;

	if (names && !n)
		return 0;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (names)
		return ferry_findings_add(s->args->findings, FERRY_NOTE, code,
					  "", FERRY_NO_OFFSET, "%zu %s: %s", n,
					  text, names_text(names));
	return ferry_findings_add(s->args->findings, FERRY_NOTE, code, "",
				  FERRY_NO_OFFSET, "%s", text);
}

static void find_unfilled(struct stitch *s, struct names *out)
{
	const struct ferry_tensor_spec *spec;

	for (size_t i = 0; (spec = ferry_tensor_schema_get(s->target.schema,
							   i)); i++)
		if (!ferry_dict_get(s->out, spec->name))
			names_add(out, "%.120s", spec->name);
}

static int report(struct stitch *s)
{
	struct names unfilled = { .n = 0 };
	int rc;

	find_unfilled(s, &unfilled);
	rc = note(s, "stitched", NULL, "%u of the %zu tensors of %.100s are "
		  "filled: %zu from ConvNeXt, %zu from RoPE-ViT",
		  s->out->u.dict.n, ferry_tensor_schema_count(s->target.schema),
		  s->target.name, s->taken[CONVNEXT], s->taken[ROPEVIT]) ||
	     note(s, "unfilled", &unfilled,
		  "tensors of the target are filled by neither file") ||
	     note(s, "shape", &s->shapes,
		  "weights are left out, for their shapes are others") ||
	     note(s, "absent", &s->absent,
		  "weights are left out, for the target has no such names") ||
	     note(s, "ignored", &s->ignored[CONVNEXT],
		  "weights of the ConvNeXt file have no part in the model") ||
	     note(s, "ignored", &s->ignored[ROPEVIT],
		  "weights of the RoPE-ViT file have no part in the model") ||
	     note(s, "semantics", &s->differ, s->documented ?
		  "of these semantics=upstream would leave out" :
		  "more would be taken with semantics=documented");
	ferry_buffer_release(&unfilled.text);
	return rc ? ferry_fail_nomem(s->err, "findings") : 0;
}

static int stitch_all(struct stitch *s)
{
	int rc = open_sources(s);

	if (!rc)
		rc = take_convolutions(s);
	if (!rc)
		rc = take_attentions(s);
	if (rc)
		return rc;
	if (!s->out->u.dict.n)
		return ferry_fail(s->err, FERRY_MISUSE, "linnaeus",
				  FERRY_NO_OFFSET, "no weight of the two files "
				  "has a name and shape of %.200s: is it the "
				  "right target", s->target.name);
	tell_other_convolutions(s);
	s->args->out->root = s->out;
	return report(s);
}

/* The code looks for names without "module." in a model that has it. */
static int check_target(const struct stitch *s)
{
	bool wrapped;
	int rc = ferry_option_bool(s->args->options, "target-ddp", &wrapped,
				   s->err);

	if (rc || !wrapped || s->documented)
		return rc;
	return ferry_fail(s->err, FERRY_MISUSE, "linnaeus", FERRY_NO_OFFSET,
			  "with target-ddp=yes the code finds no place for any "
			  "weight of two files, and loads nothing: "
			  "semantics=documented puts module. before the names");
}

static int read_semantics(struct stitch *s)
{
	const char *text = ferry_option(s->args->options, "semantics");

	s->documented = !strcmp(text, "documented");
	if (s->documented || !strcmp(text, "upstream"))
		return check_target(s);
	return ferry_fail(s->err, FERRY_MISUSE, "linnaeus", FERRY_NO_OFFSET,
			  "semantics is upstream or documented, not '%.40s'",
			  text);
}

static int run(const struct ferry_conversion_args *args,
	       struct ferry_error *err)
{
	struct stitch s = { .args = args, .err = err };
	int rc = read_semantics(&s);

	if (!rc)
		rc = target_open(&s.target, args, TARGET, err);
	if (rc)
		return rc;
	s.out = ferry_dict(args->store, 256);
	rc = s.out ? stitch_all(&s) : ferry_fail_nomem(err, "weights");
	target_close(&s.target);
	ferry_buffer_release(&s.shapes.text);
	ferry_buffer_release(&s.absent.text);
	ferry_buffer_release(&s.differ.text);
	for (size_t i = 0; i < 2; i++)
		ferry_buffer_release(&s.ignored[i].text);
	return rc;
}

static const struct ferry_option_spec options[] = {
	{ "target", NULL, "tensor schema of the model to load into: a name such "
	  "as linnaeus/mFormerV1-sm, or a YAML file" },
	{ "rope-depths", NULL, "MODEL.ROPE_STAGES.DEPTHS, such as 5,2; the "
	  "target's own when not given" },
	{ "rope-mixed", NULL, "MODEL.ROPE_STAGES.ROPE_MIXED: frequencies are "
	  "taken; whether the target has some when not given" },
	{ "semantics", "upstream", "upstream: no downsampler finds its name, as "
	  "in the code; documented: downsamplers are taken too" },
	{ "target-ddp", "no", "the model to load into is wrapped in "
	  "DistributedDataParallel, for which --model puts module. before the "
	  "names" },
	{ NULL, NULL, NULL }
};

#define ROLES(type_name) { \
	{ .name = "convnext", .type = type_name, \
	  .help = "the ConvNeXt checkpoint" }, \
	{ .name = "ropevit", .type = FERRY_ANY_TYPE, \
	  .help = "the RoPE-ViT checkpoint" }, \
	{ .name = "target", .type = FERRY_ANY_TYPE, .optional = true, \
	  .help = "a checkpoint of the model to load into" }, \
	{ .name = NULL } \
}

static const struct ferry_role from_checkpoint[] = ROLES("checkpoint");
static const struct ferry_role from_weights[] = ROLES("state-dict");

const struct ferry_conversion stitch_checkpoint = {
	.struct_size = sizeof(struct ferry_conversion),
	.name = "linnaeus-stitch",
	.title = "put mFormerV1 together of ConvNeXt and RoPE-ViT",
	.roles = from_checkpoint,
	.output = "linnaeus/model",
	.cost = 3,
	.options = options,
	.run = run,
	.flags = FERRY_CONVERSION_MERGES,
};

const struct ferry_conversion stitch_weights = {
	.struct_size = sizeof(struct ferry_conversion),
	.name = "linnaeus-stitch-state-dict",
	.title = "put mFormerV1 together of ConvNeXt's weights and RoPE-ViT",
	.roles = from_weights,
	.output = "linnaeus/model",
	.cost = 3,
	.options = options,
	.run = run,
	.flags = FERRY_CONVERSION_MERGES,
};
