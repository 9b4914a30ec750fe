/* The artifact types. */
#include "config.h"

#include "plugins/audiocraft/audiocraft.h"

#include <inttypes.h>
#include <stdio.h>

static int recognise_as(struct ferry_document *doc, const char *file_name,
			enum artifact artifact, struct ferry_match *out)
{
	struct ferry_match match = { .score = 0 };

	if (document_artifact(doc, file_name, &match) == artifact)
		*out = match;
	return 0;
}

#define RECOGNISER(name, artifact) \
	static int name(struct ferry_document *doc, const char *file_name, \
			struct ferry_match *out) \
	{ \
		return recognise_as(doc, file_name, artifact, out); \
	}

RECOGNISER(recognise_training, ARTIFACT_TRAINING)
RECOGNISER(recognise_lm, ARTIFACT_EXPORT_LM)
RECOGNISER(recognise_compression, ARTIFACT_EXPORT_COMPRESSION)
RECOGNISER(recognise_diffusion, ARTIFACT_DIFFUSION)
RECOGNISER(recognise_audioseal, ARTIFACT_AUDIOSEAL)

static struct ferry_value *mapping_or_null(struct ferry_value *v)
{
	return v && ferry_value_items(v) ? v : NULL;
}

/* What inference would take: the best state; a checkpoint without one has the
 * model. */
static int training_weights(struct ferry_document *doc,
			    struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_value *best = best_model(doc->root);

	(void)err;
	*out = mapping_or_null(best ? best : part(doc->root, "model"));
	return 0;
}

static int export_weights(struct ferry_document *doc, struct ferry_value **out,
			  struct ferry_error *err)
{
	(void)err;
	*out = mapping_or_null(part(doc->root, "best_state"));
	return 0;
}

/* The bands' models, under their numbers. */
static int diffusion_weights(struct ferry_document *doc,
			     struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_value key = { .kind = FERRY_INT }, *band;
	struct entries e;
	char name[24];

	*out = NULL;
	entries_begin(&e, doc->store);
	for (int64_t i = 0; i < 1000 && !e.failed; i++) {
		key.u.i = i;
		band = ferry_dict_find(ferry_value_items(doc->root), &key);
		if (!band || !mapping(band, "model_state"))
			break;
		snprintf(name, sizeof(name), "%" PRId64, i);
		entries_add(&e, name, part(band, "model_state"));
	}
	if (e.failed)
		return ferry_fail_nomem(err, "weights");
	*out = e.dict->u.dict.n ? e.dict : NULL;
	return 0;
}

static int audioseal_weights(struct ferry_document *doc,
			     struct ferry_value **out, struct ferry_error *err)
{
	(void)err;
	*out = mapping_or_null(part(doc->root, "model"));
	return 0;
}

static const char *const audioseal_suffixes[] = { ".pth", NULL };
static const char *const training_suffixes[] = { ".th", NULL };
static const char *const export_suffixes[] = { ".bin", ".th", NULL };

static const struct ferry_artifact_type training = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "audiocraft/training",
	.title = "the state of a solver of AudioCraft",
	.suffixes = training_suffixes,
	.recognise = recognise_training,
	.describe = audiocraft_describe,
	.admit = admit_save,
	.check = check_training,
	.weights = training_weights,
	.ranks = true,
};

static const struct ferry_artifact_type export_lm = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "audiocraft/export-lm",
	.title = "an exported language model of AudioCraft",
	.suffixes = export_suffixes,
	.recognise = recognise_lm,
	.describe = audiocraft_describe,
	.admit = admit_save,
	.check = check_export_lm,
	.weights = export_weights,
};

static const struct ferry_artifact_type export_compression = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "audiocraft/export-compression",
	.title = "an exported compression model of AudioCraft",
	.suffixes = export_suffixes,
	.recognise = recognise_compression,
	.describe = audiocraft_describe,
	.admit = admit_save,
	.check = check_export_compression,
	.weights = export_weights,
};

static const struct ferry_artifact_type diffusion = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "audiocraft/diffusion",
	.title = "a pack of AudioCraft's diffusion models, one a band",
	.suffixes = training_suffixes,
	.recognise = recognise_diffusion,
	.describe = audiocraft_describe,
	.admit = admit_save,
	.check = check_diffusion,
	.weights = diffusion_weights,
};

static const struct ferry_artifact_type audioseal = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "audiocraft/audioseal",
	.title = "a generator or detector of watermarks (AudioSeal)",
	.suffixes = audioseal_suffixes,
	.recognise = recognise_audioseal,
	.describe = audiocraft_describe,
	.check = check_audioseal,
	.weights = audioseal_weights,
};

const struct ferry_artifact_type *const audiocraft_types[] = {
	&training, &export_lm, &export_compression, &diffusion, &audioseal, NULL
};
