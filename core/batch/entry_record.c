/* Entries as records: between processes, and in journals. */
#include "config.h"

#include "core/batch/batch.h"

#include <string.h>

#include "core/batch/record.h"

static const char *const state_names[FERRY_ITEM_N_STATES] = {
	[FERRY_ITEM_PENDING] = "pending", [FERRY_ITEM_PLANNED] = "planned",
	[FERRY_ITEM_DONE] = "done", [FERRY_ITEM_KEPT] = "kept",
	[FERRY_ITEM_COPIED] = "copied", [FERRY_ITEM_SKIPPED] = "skipped",
	[FERRY_ITEM_MEMBER] = "member", [FERRY_ITEM_FAILED] = "failed",
};

const char *ferry_item_state_name(enum ferry_item_state state)
{
	return (unsigned)state < FERRY_ITEM_N_STATES ? state_names[state] :
						       "unknown";
}

static enum ferry_item_state state_named(const char *name)
{
	for (int i = 0; name && i < FERRY_ITEM_N_STATES; i++)
		if (!strcmp(name, state_names[i]))
			return (enum ferry_item_state)i;
	return FERRY_ITEM_PENDING;
}

static int code_named(const char *name)
{
	for (int code = FERRY_NOMEM; name && code >= FERRY_PLUGIN; code--)
		if (!strcmp(name, ferry_code_name(code)))
			return code;
	return 0;
}

static void put_uint(json_t *record, const char *key, uint64_t n)
{
	json_object_set_new(record, key, json_integer((json_int_t)n));
}

json_t *ferry__entry_tell(const struct ferry__entry *e)
{
	const struct ferry_item *i = &e->item;
	json_t *record = json_object();

	ferry__record_put(record, "source", i->source);
	ferry__record_put(record, "output", i->output);
	ferry__record_put(record, "state", state_names[i->state]);
	if (i->code)
		ferry__record_put(record, "code", ferry_code_name(i->code));
	ferry__record_put(record, "reason", i->reason);
	ferry__record_put(record, "format", i->format);
	ferry__record_put(record, "type", i->type);
	ferry__record_put(record, "version", i->version);
	ferry__record_put(record, "to_format", i->to_format);
	ferry__record_put(record, "to_type", i->to_type);
	ferry__record_put(record, "rule", i->rule);
	ferry__record_put(record, "plan", i->plan);
	ferry__record_put(record, "losses", i->losses);
	put_uint(record, "nbytes", i->nbytes);
	put_uint(record, "bytes_out", i->bytes_out);
	json_object_set_new(record, "seconds", json_real(i->seconds));
	return record;
}

/* `before` or `like` where they are the same. */
static const char *take(struct ferry_migration *m, const json_t *record,
			const char *key, const char *before, const char *like)
{
	const json_t *text = json_object_get(record, key);
	const char *plain = json_string_value(text);

	if (before && plain && !strcmp(before, plain))
		return before;
	if (like && plain && !strcmp(like, plain))
		return like;
	return text ? ferry__record_text(m->store, text) : NULL;
}

void ferry__entry_take(struct ferry_migration *m, struct ferry__entry *e,
		       const json_t *record)
{
	const struct ferry_item l = m->like;
	struct ferry_item *i = &e->item;

	i->output = take(m, record, "output", i->output, NULL);
	i->state = state_named(ferry__record_get(record, "state"));
	i->code = code_named(ferry__record_get(record, "code"));
	i->reason = take(m, record, "reason", i->reason, l.reason);
	i->format = take(m, record, "format", i->format, l.format);
	i->type = take(m, record, "type", i->type, l.type);
	i->version = take(m, record, "version", i->version, l.version);
	i->to_format = take(m, record, "to_format", i->to_format, l.to_format);
	i->to_type = take(m, record, "to_type", i->to_type, l.to_type);
	i->rule = take(m, record, "rule", i->rule, l.rule);
	i->plan = take(m, record, "plan", i->plan, l.plan);
	i->losses = take(m, record, "losses", i->losses, l.losses);
	i->nbytes = ferry__record_uint(record, "nbytes");
	i->bytes_out = ferry__record_uint(record, "bytes_out");
	i->seconds = json_real_value(json_object_get(record, "seconds"));
	m->like = *i;
}
