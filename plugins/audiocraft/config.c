/* The configuration that a checkpoint carries. */
#include "config.h"

#include "plugins/audiocraft/audiocraft.h"

#include <string.h>

#include "formats/omegaconf/omegaconf.h"
#include "formats/yaml/yaml.h"

#define MOST_HOPS 8
#define MOST_REFERENCE 200

/* An error of a reader, told as one of xp.cfg. */
static int about_config(const struct ferry_error *why, int rc,
			struct ferry_error *err)
{
	return ferry_fail(err, (enum ferry_code)rc, "audiocraft",
			  FERRY_NO_OFFSET, "xp.cfg: %s", why->text);
}

int config_plain(struct ferry_store *store, struct ferry_value *config,
		 struct ferry_findings *findings, struct ferry_value **out,
		 struct ferry_error *err)
{
	struct yaml_reader reader = {
		.schema = YAML_OMEGACONF, .findings = findings,
	};
	struct ferry_error why = FERRY_ERROR_INIT;
	int rc;

	*out = config;
	if (config->kind == FERRY_DICT)
		return 0;
	if (config->kind == FERRY_STRING)
		rc = yaml_read(config->u.s.data, config->u.s.nbytes, store,
			       &reader, out, &why);
	else if (omegaconf_is(config))
		rc = omegaconf_plain(store, config, NULL, findings, out, &why);
	else
		return ferry_fail(err, FERRY_MALFORMED, "audiocraft",
				  FERRY_NO_OFFSET, "xp.cfg is of kind %s: it "
				  "must be a DictConfig or YAML text",
				  ferry_kind_name(config->kind));
	return rc ? about_config(&why, rc, err) : 0;
}

/* The keys in "${a.b}", and nothing else around them. */
static bool reference(const struct ferry_value *v, char out[MOST_REFERENCE])
{
	size_t n = v->u.s.nbytes;

	if (n < 4 || n >= MOST_REFERENCE || memcmp(v->u.s.data, "${", 2) ||
	    v->u.s.data[n - 1] != '}')
		return false;
	memcpy(out, v->u.s.data + 2, n - 3);
	out[n - 3] = '\0';
	return !strpbrk(out, "${}:[] ") && out[0] != '.';
}

const struct ferry_value *config_find(struct ferry_value *plain,
				      const char *keys)
{
	char next[MOST_REFERENCE];
	struct ferry_value *v = omegaconf_at(plain, keys);

	for (int i = 0; v && i < MOST_HOPS; i++) {
		if (v->kind != FERRY_STRING || !reference(v, next))
			break;
		v = omegaconf_at(plain, next);
	}
	return v && v->kind <= FERRY_STRING && v->kind != FERRY_NONE ? v : NULL;
}

uint64_t config_count(struct ferry_value *plain, const char *keys)
{
	const struct ferry_value *v = config_find(plain, keys);

	return v && v->kind == FERRY_INT && !(v->flags & FERRY_BIG) &&
	       v->u.i > 0 ? (uint64_t)v->u.i : 0;
}

int config_text(struct ferry_store *store, struct ferry_value *config,
		struct ferry_findings *findings, struct ferry_value **out,
		struct ferry_error *err)
{
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	struct ferry_value *plain;
	int rc = config_plain(store, config, findings, &plain, err);

	if (!rc)
		rc = yaml_losses(store, plain, NULL, findings, err);
	if (!rc)
		rc = yaml_write(store, plain, NULL, &text, err);
	*out = rc ? NULL : ferry_string(store, text.data, text.n);
	if (!rc && (text.failed || !*out))
		rc = ferry_fail_nomem(err, "a configuration");
	ferry_buffer_release(&text);
	return rc;
}

int config_object(struct ferry_store *store, struct ferry_value *config,
		  const struct ferry_options *options, bool is_struct,
		  struct ferry_value **out, struct ferry_error *err)
{
	struct omegaconf_maker maker = { .is_struct = is_struct };
	const char *name = ferry_option(options, "omegaconf");
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry_value *plain;
	char shown[40];
	int rc;

	if (name) {
		maker.layout = omegaconf_layout_named(name);
		ferry_escape(shown, sizeof(shown), name, strlen(name));
		if (!maker.layout)
			return ferry_fail(err, FERRY_MISUSE, "audiocraft",
					  FERRY_NO_OFFSET, "omegaconf=%s: give "
					  "2.0, 2.1, 2.2 or 2.3", shown);
	}
	rc = config_plain(store, config, NULL, &plain, err);
	if (rc)
		return rc;
	rc = omegaconf_create(store, plain, &maker, out, &why);
	return rc ? about_config(&why, rc, err) : 0;
}

/* As the only item of a list: a text of its own would be a configuration, not a
 * value. */
int config_value(struct ferry_store *store, const char *text,
		 struct ferry_value **out, struct ferry_error *err)
{
	struct yaml_reader reader = { .schema = YAML_OMEGACONF };
	struct ferry_buffer item = FERRY_BUFFER_INIT;
	struct ferry_error why = FERRY_ERROR_INIT;
	char shown[160];
	int rc;

	ferry_buffer_add_str(&item, "- ");
	for (; *text; text++) {
		ferry_buffer_add(&item, text, 1);
		if (*text == '\n')
			ferry_buffer_add_str(&item, "  ");
	}
	rc = item.failed ? ferry_fail_nomem(&why, "a value") :
	     yaml_read(item.data, item.n, store, &reader, out, &why);
	ferry_escape(shown, sizeof(shown), item.n > 2 ? item.data + 2 : "",
		     item.n > 2 ? item.n - 2 : 0);
	ferry_buffer_release(&item);
	if (rc == FERRY_NOMEM)
		return ferry_fail_nomem(err, "a value");
	if (rc)
		return ferry_fail(err, FERRY_MISUSE, "audiocraft",
				  FERRY_NO_OFFSET, "set-config: the value '%s' "
				  "is no YAML: %s", shown, why.text);
	if ((*out)->kind != FERRY_LIST || (*out)->u.list.n != 1)
		return ferry_fail(err, FERRY_MISUSE, "audiocraft",
				  FERRY_NO_OFFSET, "set-config: '%s' is more "
				  "than one value", shown);
	*out = (*out)->u.list.items[0];
	return 0;
}
