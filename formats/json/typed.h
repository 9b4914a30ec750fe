/* The words of typed JSON.  doc/formats/json.md says what they mean. */
#ifndef FORMATS_JSON_TYPED_H
#define FORMATS_JSON_TYPED_H

#include <ferry/value.h>

#define TYPED_VERSION 1

/* How deep a graph is followed: more than any document, for the order in
 * which the members of an object are met may differ from the core's. */
#define TYPED_MAX_DEPTH (FERRY_MAX_DEPTH + FERRY_MAX_DEPTH / 2)

/* BYTES below this have no identity worth keeping. */
#define TYPED_SMALL_BYTES 64

static inline const char *typed_form_tag(enum ferry_form form)
{
	static const char *const tags[] = {
		[FERRY_FORM_CALL] = "$call",
		[FERRY_FORM_NEW] = "$new",
		[FERRY_FORM_INSTANCE] = "$instance",
		[FERRY_FORM_PERSISTENT] = "$persistent",
		[FERRY_FORM_EXTENSION] = "$extension",
		[FERRY_FORM_SELF] = "$self",
	};

	return (unsigned)form < sizeof(tags) / sizeof(*tags) ? tags[form] :
							       NULL;
}

#endif
