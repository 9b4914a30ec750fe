/* Files that a rule names beside each source: "{here}/config.yaml". */
#include "config.h"

#include "core/batch/batch.h"

#include <string.h>

#include <ferry/sys/buffer.h>

#include "core/io/target.h"

#define HERE "{here}"

static const char *expand(struct ferry_store *store,
			  const struct ferry__entry *e, const char *text)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	size_t dir = ferry_target_dir(e->item.source);
	const char *at, *made = NULL;

	/* Its slash is in the text. */
	for (; (at = strstr(text, HERE)); text = at + strlen(HERE)) {
		ferry_buffer_add(&b, text, (size_t)(at - text));
		if (dir > 1)
			ferry_buffer_add(&b, e->item.source, dir - 1);
		else if (!dir)
			ferry_buffer_add_str(&b, ".");
	}
	ferry_buffer_add_str(&b, text);
	if (!b.failed)
		made = ferry_store_strndup(store, b.data, b.n);
	ferry_buffer_release(&b);
	return made;
}

int ferry__with_of(struct ferry_store *store, const struct ferry__entry *e,
		   const char *const **out, struct ferry_error *err)
{
	const struct ferry_job *job = &e->rule->job;
	const char **with = NULL;
	bool any = false;

	*out = job->with;
	for (size_t i = 0; i < job->n_with; i++)
		any |= strstr(job->with[i], HERE) != NULL;
	if (!any)
		return 0;
	with = ferry_store_array(store, job->n_with, sizeof(*with));
	for (size_t i = 0; with && i < job->n_with; i++) {
		with[i] = expand(store, e, job->with[i]);
		if (!with[i])
			with = NULL;
	}
	*out = with;
	return with ? 0 : ferry_fail_nomem(err, "an item");
}

int ferry__each_beside(const struct ferry__entry *e,
		       int (*each)(void *ctx, const char *path), void *ctx,
		       struct ferry_error *err)
{
	const struct ferry_job *job = &e->rule->job;
	struct ferry_store *store;
	const char *const *with;
	const char *equals;
	int rc = ferry_store_new(&store, err);

	if (rc)
		return rc;
	rc = ferry__with_of(store, e, &with, err);
	for (size_t i = 0; i < job->n_with && !rc; i++) {
		equals = strchr(with[i], '=');
		if (equals && strstr(job->with[i], HERE))
			rc = each(ctx, equals + 1);
	}
	ferry_store_unref(store);
	return rc;
}
