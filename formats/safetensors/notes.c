/* Notes of form: nothing here is lost. */
#include "config.h"

#include "formats/safetensors/notes.h"

#include <inttypes.h>

#include "formats/safetensors/safetensors.h"

static int note_aliases(const struct st_inventory *inv,
			struct ferry_findings *out)
{
	if (!inv->n_aliases)
		return 0;
	return ferry_findings_add(out, FERRY_NOTE, "shared-tensors",
				  inv->aliases[0].name, FERRY_NO_OFFSET,
				  "%zu name%s of a tensor stored under another "
				  "%s recorded, the data is stored once (the "
				  "first is that of %s)", inv->n_aliases,
				  inv->n_aliases == 1 ? "" : "s",
				  inv->n_aliases == 1 ? "is" : "are",
				  inv->aliases[0].item->name);
}

/* Storages that tensors share in other ways, and what is not kept of them. */
static int note_storages(const struct st_inventory *inv,
			 struct ferry_findings *out)
{
	uint64_t unreached = 0, cut = 0, shared = 0, more = 0;
	const char *first = "", *wasteful = "";
	int rc = 0;

	for (size_t i = 0; i < inv->n_groups; i++) {
		const struct st_group *g = inv->groups[i];
		uint64_t stored = 0;

		for (const struct st_item *k = g->items; k; k = k->next)
			stored += k->nbytes;
		if (g->n > 1) {
			first = shared ? first : g->items->name;
			shared += g->n;
		}
		more += stored > g->reached ? stored - g->reached : 0;
		if (g->storage->nbytes > g->reached)
			wasteful = unreached ? wasteful : g->items->name;
		unreached += g->storage->nbytes - g->reached;
		cut += g->cut;
	}
	if (shared)
		rc = ferry_findings_add(out, FERRY_NOTE, "shared-storage",
					first, FERRY_NO_OFFSET,
					"%" PRIu64 " tensors look into "
					"storages together; each is stored "
					"whole and their places are recorded",
					shared);
	if (!rc && more)
		rc = ferry_findings_add(out, FERRY_NOTE, "repeated-data", "",
					FERRY_NO_OFFSET,
					"%" PRIu64 " byte%s stored more "
					"than once, for tensors that overlap "
					"or are expanded", more,
					more == 1 ? " is" : "s are");
	if (!rc && unreached)
		rc = ferry_findings_add(out, FERRY_NOTE, "unreached-bytes",
					wasteful, FERRY_NO_OFFSET,
					"%" PRIu64 " byte%s of storages that no "
					"tensor looks at %s not stored%s",
					unreached, unreached == 1 ? "" : "s",
					unreached == 1 ? "is" : "are", cut ? "; storages of which "
					"hardly anything is looked at become "
					"shorter" : " and read back as zeros");
	return rc;
}

static int note_dtypes(const struct st_inventory *inv,
		       struct ferry_findings *out)
{
	uint64_t counts[FERRY_N_DTYPES] = { 0 };
	const struct st_item *examples[FERRY_N_DTYPES] = { NULL };
	int rc = 0;

	for (size_t i = 0; i < inv->n; i++) {
		const struct st_item *item = inv->items[i];
		bool halved;

		if (st_dtype_model(item->dtype, item->ndim, item->shape,
				   &halved) == (enum ferry_dtype)
					       item->tensor->dtype ||
		    (item->dtype == ST_F4 && item->form == ST_AS_IS))
			continue;
		if (!counts[item->tensor->dtype]++)
			examples[item->tensor->dtype] = item;
	}
	for (int d = 0; d < FERRY_N_DTYPES && !rc; d++) {
		if (!counts[d])
			continue;
		rc = ferry_findings_add(out, FERRY_NOTE, "stored-dtype",
					examples[d]->name, FERRY_NO_OFFSET,
					"%" PRIu64 " tensor%s of %s %s stored "
					"as %s%s, and the dtype is recorded",
					counts[d], counts[d] == 1 ? "" : "s",
					ferry_dtype_name(d),
					counts[d] == 1 ? "is" : "are",
					st_dtype_name(examples[d]->dtype),
					examples[d]->form == ST_PAIRS ?
					" pairs" : "");
	}
	return rc;
}

int st_notes(const struct st_inventory *inv, struct ferry_findings *out,
	     struct ferry_error *err)
{
	int rc = note_aliases(inv, out);

	if (!rc)
		rc = note_storages(inv, out);
	if (!rc)
		rc = note_dtypes(inv, out);
	if (!rc && inv->n_renamed)
		rc = ferry_findings_add(out, FERRY_NOTE, "renamed", "",
					FERRY_NO_OFFSET,
					"%" PRIu32 " tensor%s stored under a "
					"name changed to be UTF-8 and unique; "
					"the real %s recorded", inv->n_renamed,
					inv->n_renamed == 1 ? " is" : "s are",
					inv->n_renamed == 1 ? "one is" :
							      "ones are");
	return rc ? ferry_fail_nomem(err, "a list of notes") : 0;
}

int safetensors_losses(struct ferry_document *doc,
		       const struct ferry_options *options,
		       struct ferry_findings *out, struct ferry_error *err)
{
	struct st_inventory inv;
	bool wanted = true;
	int rc = 0;

	if (ferry_option(options, "document"))
		rc = ferry_option_bool(options, "document", &wanted, err);
	if (!rc)
		rc = st_inventory_init(&inv, doc, err);
	if (rc)
		return rc;
	rc = st_notes(&inv, out, err);
	if (!rc && !wanted &&
	    ferry_findings_add(out, FERRY_NOTE, "document", "",
			       FERRY_NO_OFFSET, "the tensors are written "
			       "alone, as asked for (document=no)"))
		rc = ferry_fail_nomem(err, "a list of notes");
	st_inventory_release(&inv);
	return rc;
}
