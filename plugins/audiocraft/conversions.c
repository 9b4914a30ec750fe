/* The conversions: their inputs, options and what runs. */
#include "config.h"

#include "plugins/audiocraft/audiocraft.h"

#define ROLE(id, file, artifact, text) \
	static const struct ferry_role id[] = { \
		{ .name = file, .type = artifact, .help = text }, \
		{ .name = NULL } \
	}

ROLE(from_training, "checkpoint", "audiocraft/training",
     "the checkpoint of a solver");
ROLE(from_lm, "export", "audiocraft/export-lm",
     "the exported language model");
ROLE(from_audioseal, "checkpoint", "audiocraft/audioseal",
     "the generator or the detector");
ROLE(from_compression, "export", "audiocraft/export-compression",
     "the exported compression model");

static const struct ferry_role from_state[] = {
	{ .name = "weights", .type = "state-dict", .help = "the weights" },
	{ .name = "config", .type = NULL,
	  .help = "the configuration to carry, as YAML" },
	{ .name = NULL }
};

#define SAID_VERSION { "version", AUDIOCRAFT_NEWEST, "release the export says it " \
		  "is of; 0.0.x has two keys and the first exporters' rules" }
#define LAYOUT { "omegaconf", "2.2", "layout of the objects made: 2.0, 2.1, " \
		 "2.2 or 2.3" }
#define END { NULL, NULL, NULL }

static const struct ferry_option_spec export_lm_options[] = {
	SAID_VERSION,
	{ "legacy", "no", "clean the configuration as the first exporters did" },
	END
};

static const struct ferry_option_spec export_compression_options[] = {
	SAID_VERSION,
	{ "legacy", "no", "take ema.state.model, as the first exporters did" },
	END
};

static const struct ferry_option_spec wrap_options[] = {
	LAYOUT,
	{ "struct", "no", "set the configuration's struct flag, as Hydra does" },
	{ "stereo", "no", "double the codebooks of a mono model; weights "
	  "alone" },
	END
};

static const struct ferry_option_spec compression_wrap_options[] = {
	LAYOUT,
	{ "struct", "no", "set the configuration's struct flag, as Hydra does" },
	END
};

static const struct ferry_option_spec state_options[] = {
	{ "source", "best", "whose weights: best, model, best-state, "
	  "fsdp-best-state or ema" },
	END
};

static const struct ferry_option_spec version_options[] = { SAID_VERSION, END };

static const struct ferry_option_spec edit_options[] = {
	{ "set-config", NULL, "KEY=VALUE of the configuration, as OmegaConf's "
	  "dotlist; may be repeated" },
	{ "delete-config", NULL, "KEY of the configuration to take away, after "
	  "all were set; may be repeated" },
	{ "force-add", "no", "add keys that a struct lacks" },
	END
};

static const struct ferry_option_spec reference_options[] = {
	{ "pretrained", NULL, "name the pretrained model instead of holding "
	  "one: facebook/encodec_32khz" },
	SAID_VERSION,
	END
};

#define CONVERT(id, text_name, text, from, to, opts, what_losses, what_run, bits) \
	static const struct ferry_conversion id = { \
		.struct_size = sizeof(struct ferry_conversion), \
		.name = text_name, \
		.title = text, \
		.roles = from, \
		.output = to, \
		.cost = 1, \
		.options = opts, \
		.losses = what_losses, \
		.run = what_run, \
		.flags = bits, \
	}

CONVERT(export_lm, "audiocraft-training-to-export-lm",
	"export the best language model of a run", from_training,
	"audiocraft/export-lm", export_lm_options, export_lm_losses,
	run_export_lm, 0);
CONVERT(export_compression, "audiocraft-training-to-export-compression",
	"export the best compression model of a run", from_training,
	"audiocraft/export-compression", export_compression_options,
	export_compression_losses, run_export_compression, 0);
CONVERT(wrap_lm, "audiocraft-export-lm-to-training",
	"wrap an exported language model for a run to continue from", from_lm,
	"audiocraft/training", wrap_options, wrap_losses, run_wrap, 0);
CONVERT(wrap_compression, "audiocraft-export-compression-to-training",
	"wrap an exported compression model for a run to continue from",
	from_compression, "audiocraft/training", compression_wrap_options,
	wrap_losses, run_wrap, 0);
CONVERT(training_state, "audiocraft-training-to-state-dict",
	"take the weights out of a solver's checkpoint", from_training,
	"state-dict", state_options, training_state_losses,
	run_training_state, 0);
CONVERT(lm_state, "audiocraft-export-lm-to-state-dict",
	"take the weights out of an exported language model", from_lm,
	"state-dict", NULL, export_state_losses, run_export_state, 0);
CONVERT(compression_state, "audiocraft-export-compression-to-state-dict",
	"take the weights out of an exported compression model",
	from_compression, "state-dict", NULL, export_state_losses,
	run_export_state, 0);
CONVERT(audioseal_state, "audiocraft-audioseal-to-state-dict",
	"take the weights out of a watermarking generator or detector",
	from_audioseal, "state-dict", NULL, audioseal_state_losses,
	run_audioseal_state, 0);
CONVERT(state_lm, "audiocraft-state-dict-to-export-lm",
	"export weights with a configuration as a language model", from_state,
	"audiocraft/export-lm", version_options, NULL, run_state_export_lm, 0);
CONVERT(state_compression, "audiocraft-state-dict-to-export-compression",
	"export weights with a configuration as a compression model",
	from_state, "audiocraft/export-compression", version_options, NULL,
	run_state_export_compression, 0);
CONVERT(edit_training, "audiocraft-training-config",
	"change the configuration of a solver's checkpoint", from_training,
	"audiocraft/training", edit_options, NULL, run_edit_training, 0);
CONVERT(edit_lm, "audiocraft-export-lm-config",
	"change the configuration of an exported language model", from_lm,
	"audiocraft/export-lm", edit_options, NULL, run_edit_export, 0);
CONVERT(edit_compression, "audiocraft-export-compression-config",
	"change the configuration of an exported compression model",
	from_compression, "audiocraft/export-compression", edit_options, NULL,
	run_edit_export, 0);
CONVERT(reference, "audiocraft-export-compression-reference",
	"name a pretrained compression model instead of holding one",
	from_compression, "audiocraft/export-compression", reference_options,
	reference_losses, run_reference, 0);
CONVERT(upgrade_training, "audiocraft-training-upgrade",
	"put an old solver's separate parts where new ones have them",
	from_training, "audiocraft/training", NULL, NULL, run_upgrade_training,
	FERRY_CONVERSION_UPGRADE);
CONVERT(upgrade_lm, "audiocraft-export-lm-upgrade",
	"give an export of 0.0.x a version", from_lm, "audiocraft/export-lm",
	NULL, NULL, run_upgrade_export, FERRY_CONVERSION_UPGRADE);
CONVERT(upgrade_compression, "audiocraft-export-compression-upgrade",
	"give an export of 0.0.x a version", from_compression,
	"audiocraft/export-compression", NULL, NULL, run_upgrade_export,
	FERRY_CONVERSION_UPGRADE);

const struct ferry_conversion *const audiocraft_conversions[] = {
	&export_lm, &export_compression, &wrap_lm, &wrap_compression,
	&training_state, &lm_state, &compression_state, &audioseal_state,
	&state_lm, &state_compression, &edit_training, &edit_lm, &edit_compression,
	&reference, &upgrade_training, &upgrade_lm, &upgrade_compression, NULL
};
