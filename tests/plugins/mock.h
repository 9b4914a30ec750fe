/*
 * What the mock plugins share: a format whose files begin with a word, and a
 * reader that makes a small document of what follows it.
 */
#ifndef TESTS_PLUGINS_MOCK_H
#define TESTS_PLUGINS_MOCK_H

#include <string.h>

#include <ferry/sys/plugin.h>

/* Score 80 for a file that begins with the word. */
static inline int mock_probe_word(const struct ferry_probe *p, const char *word)
{
	size_t n = strlen(word);

	return p->nhead >= n && !memcmp(p->head, word, n) ? 80 : 0;
}

/* {"text": the whole file} */
static inline int mock_read(const struct ferry_input *in,
			    struct ferry_document *doc, struct ferry_error *err)
{
	struct ferry_value *text;
	char *data;
	int rc;

	data = ferry_store_alloc(doc->store, (size_t)in->source->nbytes + 1);
	if (!data)
		return ferry_fail_nomem(err, "a mock");
	rc = ferry_source_read(in->source, data, 0,
			       (size_t)in->source->nbytes, err);
	if (rc)
		return rc;
	text = ferry_string_borrow(doc->store, data, in->source->nbytes);
	doc->root = ferry_dict(doc->store, 1);
	if (!text || !doc->root ||
	    ferry_dict_set_str(doc->store, doc->root, "text", text))
		return ferry_fail_nomem(err, "a mock");
	return 0;
}

#endif
