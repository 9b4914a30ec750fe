/* Arrays whose elements are no numbers. */
#include "config.h"

#include "formats/pickle/pickle.h"

#include <stdio.h>
#include <string.h>

#include <ferry/sys/buffer.h>
#include <ferry/tensor.h>

#define N_NAMED 3
#define NAME_SHOWN 60

/* Arrays out of pickles have other notes here, and are written back. */
static const struct ferry_value *numpy_descr(const struct ferry_value *v)
{
	const struct ferry_value *numpy;

	if (v->kind != FERRY_TENSOR || !v->u.tensor->extra)
		return NULL;
	numpy = ferry_dict_get(v->u.tensor->extra, "numpy");
	if (!numpy || numpy->kind != FERRY_DICT)
		return NULL;
	return ferry_dict_get(numpy, "descr");
}

/* "'a' ('<U4')" */
static void add_name(struct ferry_buffer *names, const char *name,
		     const struct ferry_value *descr)
{
	char text[NAME_SHOWN], type[NAME_SHOWN] = "?";

	ferry_escape(text, sizeof(text), name, strlen(name));
	if (descr->kind == FERRY_STRING)
		ferry_escape(type, sizeof(type), descr->u.s.data,
			     (size_t)descr->u.s.nbytes);
	ferry_buffer_printf(names, "%s'%s' (%s)", names->n ? ", " : "", text,
			    type);
}

int pickle_numpy_report(struct ferry_document *doc, struct ferry_findings *out,
			struct ferry_error *err)
{
	struct ferry_buffer names = FERRY_BUFFER_INIT;
	struct ferry_places places;
	size_t n = 0;
	int rc = ferry_places_init(&places, doc, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < places.n; i++) {
		const struct ferry_place *p = &places.items[i];
		const struct ferry_value *descr = numpy_descr(p->value);

		if (descr && p->same == i && n++ < N_NAMED)
			add_name(&names, p->name, descr);
	}
	if (n && (names.failed ||
		  ferry_findings_add(out, FERRY_WARNING, "numpy-type", "",
				     FERRY_NO_OFFSET, "%zu array%s of texts, "
				     "dates or bytes become%s plain numbers: "
				     "%.*s%s", n, n == 1 ? "" : "s",
				     n == 1 ? "s" : "", (int)names.n,
				     (const char *)names.data,
				     n > N_NAMED ? ", ..." : "")))
		rc = ferry_fail_nomem(err, "a finding");
	ferry_buffer_release(&names);
	ferry_places_release(&places);
	return rc;
}
