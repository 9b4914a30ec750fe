/* Options of readers, writers and conversions. */
#include "config.h"

#include "core/registry/option.h"

#include <string.h>

#include <ferry/sys/ckd.h>

bool ferry__setting_is(const char *setting, const char *name)
{
	size_t n = strlen(name);

	return !strncmp(setting, name, n) && setting[n] == '=';
}

bool ferry__option_known(const struct ferry_option_spec *specs,
			 const char *setting)
{
	for (; specs && specs->name; specs++)
		if (ferry__setting_is(setting, specs->name))
			return true;
	return false;
}

const char *ferry_option(const struct ferry_options *o, const char *name)
{
	const struct ferry_option_spec *spec;

	if (!o)
		return NULL;
	for (size_t i = o->n; i-- > 0;)
		if (ferry__setting_is(o->settings[i], name))
			return o->settings[i] + strlen(name) + 1;
	for (spec = o->specs; spec && spec->name; spec++)
		if (!strcmp(spec->name, name))
			return spec->fallback;
	return NULL;
}

const char *ferry_option_nth(const struct ferry_options *o, const char *name,
			     size_t i)
{
	for (size_t k = 0; o && k < o->n; k++)
		if (ferry__setting_is(o->settings[k], name) && !i--)
			return o->settings[k] + strlen(name) + 1;
	return NULL;
}

/* K, M, G, T and their -iB forms are powers of 1024, -B forms of 1000. */
static bool unit_bytes(const char *unit, uint64_t *out)
{
	static const char letters[] = "KMGT";
	const char *at;
	uint64_t base = 1024;

	*out = 1;
	if (!*unit || !strcmp(unit, "B"))
		return true;
	at = strchr(letters, *unit == 'k' ? 'K' : *unit);
	if (!at)
		return false;
	if (!strcmp(unit + 1, "B"))
		base = 1000;
	else if (unit[1] && strcmp(unit + 1, "iB"))
		return false;
	for (size_t i = 0; i <= (size_t)(at - letters); i++)
		*out *= base;
	return true;
}

static bool parse_bytes(const char *text, uint64_t *out)
{
	uint64_t n = 0, unit;

	if (*text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9'; text++)
		if (ferry_ckd_mul(&n, n, 10) ||
		    ferry_ckd_add(&n, n, (uint64_t)(*text - '0')))
			return false;
	return unit_bytes(text, &unit) && !ferry_ckd_mul(out, n, unit);
}

static int bad_value(struct ferry_error *err, const char *name,
		     const char *text, const char *wanted)
{
	char shown[80];

	ferry_escape(shown, sizeof(shown), text, strlen(text));
	return ferry_fail(err, FERRY_MISUSE, "option", FERRY_NO_OFFSET,
			  "option %s is '%s': give %s", name, shown, wanted);
}

int ferry_option_bytes(const struct ferry_options *o, const char *name,
		       uint64_t *out, struct ferry_error *err)
{
	const char *text = ferry_option(o, name);
	uint64_t n = 0;

	if (!text || !parse_bytes(text, &n))
		return bad_value(err, name, text ? text : "",
				 "a size such as 5GB, 512MiB or 1024");
	*out = n;
	return 0;
}

int ferry_option_bool(const struct ferry_options *o, const char *name,
		      bool *out, struct ferry_error *err)
{
	static const char *const words[] = {
		"no", "yes", "false", "true", "0", "1",
	};
	const char *text = ferry_option(o, name);

	for (size_t i = 0; text && i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(text, words[i]))
			continue;
		*out = i & 1;
		return 0;
	}
	return bad_value(err, name, text ? text : "", "yes or no");
}
