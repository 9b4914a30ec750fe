/* What conversions leave behind: their purpose, so notes. */
#include "config.h"

#include "plugins/audiocraft/audiocraft.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "formats/omegaconf/omegaconf.h"

int tell(struct ferry_findings *out, enum ferry_level level, const char *code,
	 const char *path, struct ferry_error *err, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return ferry_findings_add(out, level, code, path, FERRY_NO_OFFSET, "%s",
				  text) ? ferry_fail_nomem(err, "findings") : 0;
}

static bool is_listed(const struct ferry_value *key, const char *const *list)
{
	while (*list && !ferry_value_is(key, *list))
		list++;
	return *list;
}

/* One note for each key of the root that is not in `kept`. */
static int note_left(const struct ferry_conversion_args *args,
		     const char *const *kept, struct ferry_findings *out,
		     struct ferry_error *err)
{
	const struct ferry_value *items = ferry_value_items(
		args->inputs[0]->root);
	const struct ferry_value *key;
	char name[120];
	int rc = 0;

	for (uint32_t i = 0; items && i < items->u.dict.n && !rc; i++) {
		key = items->u.dict.pairs[i].key;
		if (key->kind != FERRY_STRING || is_listed(key, kept) ||
		    !is_truthy(items->u.dict.pairs[i].value))
			continue;
		ferry_escape(name, sizeof(name), key->u.s.data,
			     key->u.s.nbytes);
		rc = tell(out, FERRY_NOTE, "left", name, err,
			  "'%s' is left behind", name);
	}
	return rc;
}

/* What YAML text does not say of a DictConfig. */
static int note_config(const struct ferry_conversion_args *args,
		       struct ferry_findings *out, struct ferry_error *err)
{
	struct ferry_value *config = part(args->inputs[0]->root, "xp.cfg");
	struct omegaconf_survey s;
	struct ferry_value *plain;

	if (!config || !omegaconf_is(config) ||
	    omegaconf_plain(args->store, config, &s, NULL, &plain, NULL) ||
	    !(s.flags || s.cached || s.typed || s.enums))
		return 0;
	return tell(out, FERRY_NOTE, "config", "xp.cfg", err, "xp.cfg becomes "
		    "text, which says nothing of flags (%" PRIu32 "), cached "
		    "resolver values (%" PRIu32 "), typed nodes (%" PRIu32
		    ") and enum members (%" PRIu32 ")", s.flags, s.cached,
		    s.typed, s.enums);
}

LOSSES(export_lm_losses)
{
	static const char *const kept[] = {
		"best_state", "fsdp_best_state", "xp.cfg", NULL
	};
	int rc = note_left(args, kept, out, err);

	return rc ? rc : note_config(args, out, err);
}

LOSSES(export_compression_losses)
{
	static const char *const best[] = { "best_state", "xp.cfg", NULL };
	static const char *const mean[] = { "ema", "xp.cfg", NULL };
	bool legacy;
	int rc = is_legacy(args, &legacy, err);

	if (!rc)
		rc = note_left(args, legacy ? mean : best, out, err);
	return rc ? rc : note_config(args, out, err);
}

LOSSES(wrap_losses)
{
	static const char *const kept[] = { "best_state", "xp.cfg", NULL };
	static const char *const stereo[] = { "best_state", NULL };
	bool is_stereo = false;

	if (ferry_option(args->options, "stereo") &&
	    ferry_option_bool(args->options, "stereo", &is_stereo, err))
		return FERRY_MISUSE;
	return note_left(args, is_stereo ? stereo : kept, out, err);
}

LOSSES(training_state_losses)
{
	static const char *const kept[] = { "best_state", NULL };

	return note_left(args, kept, out, err);
}

LOSSES(export_state_losses)
{
	static const char *const kept[] = { "best_state", NULL };

	return note_left(args, kept, out, err);
}

LOSSES(audioseal_state_losses)
{
	static const char *const kept[] = { "model", NULL };

	return note_left(args, kept, out, err);
}

LOSSES(reference_losses)
{
	static const char *const kept[] = {
		"pretrained", "exported", "version", NULL
	};

	return note_left(args, kept, out, err);
}
