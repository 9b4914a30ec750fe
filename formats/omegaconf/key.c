/* Keys of OmegaConf.update(): "a.b", "a[0].b", "[a].b". */
#include "config.h"

#include "formats/omegaconf/node.h"

#include <string.h>

static int bad_key(const char *key, const char *what, struct ferry_error *err)
{
	char shown[160];

	ferry_escape(shown, sizeof(shown), key, strlen(key));
	return ferry_fail(err, FERRY_MISUSE, "omegaconf", FERRY_NO_OFFSET,
			  "key '%s' %s: write it as a.b or a[0].b", shown,
			  what);
}

/* The length of the part at `at`; *skip is what follows it and is no part. */
static size_t part_length(const char **at, size_t *skip)
{
	size_t n;

	*skip = 0;
	if (**at == '[') {
		++*at;
		n = strcspn(*at, "]");
		*skip = (*at)[n] == ']';
	} else {
		n = strcspn(*at, ".[");
	}
	return n;
}

int omegaconf_split_key(struct ferry_store *store, const char *key,
			struct omegaconf_key *out, struct ferry_error *err)
{
	size_t most = strlen(key) + 1, n, skip;
	const char *at = key;
	bool bracket;

	*out = (struct omegaconf_key){
		.parts = ferry_store_array(store, most, sizeof(*out->parts)),
	};
	if (!out->parts)
		return ferry_fail_nomem(err, "a key");
	do {
		bracket = *at == '[';
		n = part_length(&at, &skip);
		if (bracket && !skip)
			return bad_key(key, "has a [ without a ]", err);
		if (!n)
			return bad_key(key, "has an empty part", err);
		out->parts[out->n] = ferry_string(store, at, n);
		if (!out->parts[out->n++])
			return ferry_fail_nomem(err, "a key");
		at += n + skip;
		if (skip && *at && *at != '.' && *at != '[')
			return bad_key(key, "goes on after a ]", err);
		if (*at == '.' && *++at == '\0')
			return bad_key(key, "has an empty part", err);
	} while (*at);
	return 0;
}
