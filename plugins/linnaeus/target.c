/* The model that pretrained weights are put together for. */
#include "config.h"

#include "plugins/linnaeus/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int weights_under(struct ferry_document *doc, const char *const *keys,
		  const char *what, struct ferry_value **out,
		  struct ferry_error *err)
{
	struct ferry_value *found = NULL, *items;
	const char *key = "";

	for (size_t i = 0; keys[i] && !found; i++) {
		key = keys[i];
		found = entry(doc->root, key);
	}
	if (!found) {
		key = "";
		found = doc->root;
	}
	items = ferry_value_items(found);
	if (items && items->u.dict.n) {
		*out = items;
		return 0;
	}
	return ferry_fail(err, FERRY_MALFORMED, "linnaeus", FERRY_NO_OFFSET,
			  "the %s holds no weights: %s%s%s is %s%s", what,
			  *key ? "'" : "the root", key, *key ? "'" : "",
			  items ? "empty" : "of kind ",
			  items ? "" : ferry_kind_name(found->kind));
}

static int of_checkpoint(struct target *t, struct ferry_document *doc,
			 struct ferry_error *err)
{
	static const char *const keys[] = {
		"model", "state_dict_ema", "state_dict", NULL
	};
	struct ferry_value *weights;
	int rc = weights_under(doc, keys, "target", &weights, err);

	return rc ? rc : ferry_tensor_schema_of(&t->schema, doc, weights, err);
}

static int open_schema(struct target *t,
		       const struct ferry_conversion_args *args, size_t role,
		       struct ferry_error *err)
{
	t->name = ferry_option(args->options, "target");
	if (args->inputs[role]) {
		t->name = args->paths[role];
		return of_checkpoint(t, args->inputs[role], err);
	}
	if (!t->name || !*t->name)
		return ferry_fail(err, FERRY_MISUSE, "linnaeus",
				  FERRY_NO_OFFSET, "the model to load into is "
				  "not known: give a tensor schema with --set "
				  "target=linnaeus/mFormerV1-sm, or a checkpoint "
				  "of it with --with target=FILE");
	return ferry_tensor_schema_open(&t->schema, args->store, t->name, NULL,
					0, err);
}

/* Blocks that the target has in a row. */
static uint64_t count_blocks(const struct target *t, unsigned stage)
{
	uint64_t n = 0;
	char name[80];

	do
		snprintf(name, sizeof(name), "stages.%u.%llu.attn.qkv.weight",
			 stage, (unsigned long long)n);
	while (ferry_tensor_schema_at(t->schema, name) && ++n);
	return n;
}

static int read_depths(struct target *t, const char *text,
		       struct ferry_error *err)
{
	char *end = (char *)text;

	for (size_t i = 0; i < 2; i++) {
		text = i ? end + 1 : text;
		if ((i && *end != ',') || *text < '0' || *text > '9')
			break;
		t->depths[i] = strtoull(text, &end, 10);
		if (i && !*end && t->depths[0] < 10000 && t->depths[1] < 10000)
			return 0;
	}
	return ferry_fail(err, FERRY_MISUSE, "linnaeus", FERRY_NO_OFFSET,
			  "rope-depths is two numbers, as MODEL.ROPE_STAGES."
			  "DEPTHS has them: 5,2");
}

static int read_options(struct target *t,
			const struct ferry_conversion_args *args,
			struct ferry_error *err)
{
	const char *depths = ferry_option(args->options, "rope-depths");

	if (ferry_option(args->options, "rope-mixed")) {
		int rc = ferry_option_bool(args->options, "rope-mixed",
					   &t->mixed, err);
		if (rc)
			return rc;
	}
	return depths ? read_depths(t, depths, err) : 0;
}

static int check_unwrapped(const struct target *t, struct ferry_error *err)
{
	size_t n = ferry_tensor_schema_count(t->schema), i;
	const struct ferry_tensor_spec *spec;

	for (i = 0; i < n; i++) {
		spec = ferry_tensor_schema_get(t->schema, i);
		if (strncmp(spec->name, "module.", 7))
			return 0;
	}
	return ferry_fail(err, FERRY_MISUSE, "linnaeus", FERRY_NO_OFFSET,
			  n ? "the target is wrapped in DistributedDataParallel "
			  "(its names begin with module.), so no weight would "
			  "find its place: give the model as it is before it is "
			  "wrapped" : "the target has no tensors");
}

int target_open(struct target *out, const struct ferry_conversion_args *args,
		size_t role, struct ferry_error *err)
{
	struct target t = { .schema = NULL };
	int rc = open_schema(&t, args, role, err);

	if (rc)
		return rc;
	rc = check_unwrapped(&t, err);
	if (!rc) {
		t.depths[0] = count_blocks(&t, 2);
		t.depths[1] = count_blocks(&t, 3);
		t.mixed = ferry_tensor_schema_at(t.schema,
						 "stages.2.0.attn.freqs") ||
			  ferry_tensor_schema_at(t.schema,
						 "stages.3.0.attn.freqs");
		rc = read_options(&t, args, err);
	}
	if (rc)
		target_close(&t);
	else
		*out = t;
	return rc;
}

void target_close(struct target *t)
{
	ferry_tensor_schema_free(t->schema);
}
