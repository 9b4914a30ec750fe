/* What a document is. */
#include "config.h"

#include "plugins/linnaeus/linnaeus.h"

#include <stdio.h>
#include <string.h>

static int answer(struct ferry_match *out, int score, const char *reason)
{
	out->score = score;
	snprintf(out->reason, sizeof(out->reason), "%s", reason);
	return 0;
}

/* Sections that every config of linnaeus has, by its defaults. */
static unsigned sections(struct ferry_value *config)
{
	static const char *const names[] = {
		"MODEL", "DATA", "TRAIN", "OPTIMIZER", "LR_SCHEDULER", "LOSS",
		"ENV", "EXPERIMENT", "METRICS", "DEBUG",
	};
	unsigned n = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct ferry_value *v = entry(config, names[i]);

		n += v && ferry_value_items(v);
	}
	return n;
}

int recognise_training(struct ferry_document *doc, const char *file_name,
		       struct ferry_match *out)
{
	struct ferry_value *root = doc->root, *model = entry(root, "model");
	int64_t epoch;

	(void)file_name;
	if (!model || !ferry_value_items(model) ||
	    !whole(entry(root, "epoch"), &epoch))
		return 0;
	if (is_cfg_node(entry(root, "config")) && entry(root, "lr_scheduler"))
		return answer(out, 95, "model, epoch, lr_scheduler and the "
			      "CfgNode of a run");
	if (entry(root, "lr_scheduler") && entry(root, "iteration") &&
	    sections(entry(root, "config")) >= 2)
		return answer(out, 90, "model, epoch, iteration, lr_scheduler "
			      "and a config with linnaeus' sections");
	return 0;
}

int recognise_config(struct ferry_document *doc, const char *file_name,
		     struct ferry_match *out)
{
	unsigned n = sections(doc->root);

	(void)file_name;
	if (!entry(doc->root, "MODEL") || n < 2)
		return 0;
	if (is_cfg_node(doc->root))
		return answer(out, 90, "a CfgNode with linnaeus' sections");
	return answer(out, n > 3 ? 85 : 70, "sections of a linnaeus config");
}

static bool has(struct ferry_value *root, const char *name)
{
	char wrapped[64];

	snprintf(wrapped, sizeof(wrapped), "module.%s", name);
	return tensor_of(entry(root, name)) || tensor_of(entry(root, wrapped));
}

int recognise_model(struct ferry_document *doc, const char *file_name,
		    struct ferry_match *out)
{
	(void)file_name;
	if (!has(doc->root, "stem.0.weight") ||
	    !has(doc->root, "stages.2.0.attn.qkv.weight") ||
	    !has(doc->root, "stages.2.0.mlp.fc1.weight"))
		return 0;
	return answer(out, 88, "names of mFormerV1: a stem, convolutional and "
		      "RoPE stages");
}
