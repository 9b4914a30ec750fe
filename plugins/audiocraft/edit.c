/* Changes to the configuration on the way. */
#include "config.h"

#include "plugins/audiocraft/audiocraft.h"

#include <string.h>

#include "formats/omegaconf/omegaconf.h"

int own_config(const struct ferry_conversion_args *args,
	       struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_value *config = part(args->inputs[0]->root, "xp.cfg");

	if (!config)
		return ferry_fail(err, FERRY_NOTFOUND, "audiocraft",
				  FERRY_NO_OFFSET, "xp.cfg is missing: there "
				  "is no configuration to change");
	if (omegaconf_is(config))
		return ferry_value_copy(args->store, config, NULL, NULL, out,
					err);
	return config_object(args->store, config, args->options, false, out,
			     err);
}

static int set_one(const struct ferry_conversion_args *args,
		   struct ferry_value *config, const char *text, bool force,
		   struct ferry_error *err)
{
	size_t n = strcspn(text, "=");
	char *key = ferry_store_strndup(args->store, text, n);
	struct ferry_value *v = ferry_none();
	int rc = 0;

	if (!key)
		return ferry_fail_nomem(err, "a key");
	if (text[n])
		rc = config_value(args->store, text + n + 1, &v, err);
	return rc ? rc : omegaconf_update(args->store, config, key, v, force,
					  args->findings, err);
}

/* A key that is not there was typed wrong, as one that is set would be. */
static int delete_one(const struct ferry_conversion_args *args,
		      struct ferry_value *config, const char *key,
		      struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	int rc = omegaconf_delete(args->store, config, key, &why);

	if (rc == FERRY_NOTFOUND)
		rc = FERRY_MISUSE;
	return rc ? ferry_fail(err, rc, why.origin, why.offset, "%s", why.text)
		  : 0;
}

static int edit(const struct ferry_conversion_args *args,
		struct ferry_value *config, struct ferry_error *err)
{
	bool force = false;
	const char *text;
	int rc = 0;

	if (ferry_option(args->options, "force-add"))
		rc = ferry_option_bool(args->options, "force-add", &force, err);
	for (size_t i = 0; !rc && (text = ferry_option_nth(
				   args->options, "set-config", i)); i++)
		rc = set_one(args, config, text, force, err);
	for (size_t i = 0; !rc && (text = ferry_option_nth(
				   args->options, "delete-config", i)); i++)
		rc = delete_one(args, config, text, err);
	return rc;
}

/* The root with another xp.cfg. */
static int put_config(const struct ferry_conversion_args *args,
		      struct ferry_value *config, struct ferry_error *err)
{
	struct ferry_value *items = ferry_value_items(args->inputs[0]->root);
	struct entries e = {
		.store = args->store, .dict = same_pairs(args->store, items),
	};

	e.failed = !e.dict;
	entries_add(&e, "xp.cfg", config);
	return entries_root(&e, args->out, err);
}

static bool is_text(const struct ferry_value *a, const struct ferry_value *b)
{
	return a->u.s.nbytes == b->u.s.nbytes &&
	       !memcmp(a->u.s.data, b->u.s.data, a->u.s.nbytes);
}

/* Text that OmegaConf did not write is written anew as it would. */
static int note_rewritten(const struct ferry_conversion_args *args,
			  struct ferry_value *old, struct ferry_error *err)
{
	struct ferry_value *again;
	int rc = config_text(args->store, old, NULL, &again, err);

	if (rc || is_text(old, again))
		return rc;
	return tell(args->findings, FERRY_NOTE, "config", "xp.cfg", err,
		    "the text of xp.cfg was not OmegaConf's: comments and "
		    "style are not kept");
}

static int run_edit(const struct ferry_conversion_args *args, bool text,
		    struct ferry_error *err)
{
	struct ferry_value *old = part(args->inputs[0]->root, "xp.cfg");
	struct ferry_value *config;
	int rc;

	if (!ferry_option_nth(args->options, "set-config", 0) &&
	    !ferry_option_nth(args->options, "delete-config", 0)) {
		args->out->root = args->inputs[0]->root;
		return 0;
	}
	rc = own_config(args, &config, err);
	if (!rc)
		rc = edit(args, config, err);
	if (!rc && text)
		rc = config_text(args->store, config, args->findings, &config,
				 err);
	if (!rc && text && old->kind == FERRY_STRING)
		rc = note_rewritten(args, old, err);
	return rc ? rc : put_config(args, config, err);
}

CONVERSION(run_edit_training)
{
	return run_edit(args, false, err);
}

/* An export that holds an object, which loaders take as well, keeps one. */
CONVERSION(run_edit_export)
{
	const struct ferry_value *config = part(args->inputs[0]->root,
						"xp.cfg");

	return run_edit(args, config && config->kind == FERRY_STRING, err);
}
