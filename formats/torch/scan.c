/* What the pickles of a checkpoint name, and who would refuse it. */
#include "config.h"

#include "formats/torch/torch.h"

#include <string.h>

#include <ferry/sys/buffer.h>
#include <ferry/sys/bytes.h>
#include <ferry/sys/map.h>

#include "formats/pickle/pickle.h"
#include "formats/torch/allowed.h"
#include "formats/torch/archive.h"
#include "formats/torch/opcodes.h"
#include "formats/torch/tar.h"

struct scan {
	struct ferry_store *store;
	struct ferry_value *globals, *refused;
	struct ferry_value *broken;	/* what stopped a pickle, or NULL */
	struct ferry_map known;		/* pickle, module, name -> DICT */
	unsigned releases;	/* that would load it, so far */
	int64_t dangerous;
	unsigned protocol;	/* of the pickle scanned last */
	struct ferry_error *err;
};

static int fail_nomem(struct scan *s)
{
	return ferry_fail_nomem(s->err, "scan report");
}

static int set(struct scan *s, struct ferry_value *dict, const char *key,
	       struct ferry_value *value)
{
	if (!value || ferry_dict_set_str(s->store, dict, key, value))
		return fail_nomem(s);
	return 0;
}

static int set_releases(struct scan *s, struct ferry_value *dict,
			unsigned releases, const char *yes, const char *no)
{
	struct ferry_store *st = s->store;
	int r;

	r = set(s, dict, "weights_only",
		ferry_cstring(st, releases & TORCH_2_13 ? yes : no));
	if (!r)
		r = set(s, dict, "weights_only_1_13",
			ferry_cstring(st, releases & TORCH_1_13 ? yes : no));
	return r;
}

/* ---- one pickle -------------------------------------------------------- */

/* Borrowed text of a STRING of the pickle scanner's, with NUL as \0: no name
 * that has one is any that a loader or a list here knows. */
static char *text_of(struct scan *s, const struct ferry_value *dict,
		     const char *key)
{
	const struct ferry_value *v = ferry_dict_get(dict, key);
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	char *text = NULL;

	for (uint64_t i = 0; v && v->kind == FERRY_STRING &&
			     i < v->u.s.nbytes; i++)
		ferry_buffer_add(&b, v->u.s.data[i] ? v->u.s.data + i : "\\0",
				 v->u.s.data[i] ? 1 : 2);
	if (!b.failed)
		text = ferry_store_strndup(s->store, b.n ? b.data : "", b.n);
	ferry_buffer_release(&b);
	return text;
}

/* Add what `more` counted to the same key of `dict`. */
static int add_count(struct scan *s, struct ferry_value *dict,
		     const struct ferry_value *more, const char *key)
{
	const struct ferry_value *a = ferry_dict_get(dict, key);
	const struct ferry_value *b = ferry_dict_get(more, key);

	if (!a || !b || a->kind != FERRY_INT || b->kind != FERRY_INT)
		return 0;
	return set(s, dict, key, ferry_int(s->store, a->u.i + b->u.i));
}

/* The entry for the same name in a pickle of the same kind, or NULL; else dict
 * becomes it. */
static int merge(struct scan *s, struct ferry_value *dict, const char *pickle,
		 const char *module, const char *name,
		 struct ferry_value **known)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	uint64_t found = 0;
	char *key = NULL;

	ferry_buffer_printf(&b, "%s\n%s\n%s", pickle, module, name);
	if (!b.failed && !ferry_map_get(&s->known, b.data, b.n, &found))
		key = ferry_store_strndup(s->store, b.data, b.n);
	*known = (struct ferry_value *)(uintptr_t)found;
	if (!found && (!key || ferry_map_put(&s->known, key, b.n,
					     (uint64_t)(uintptr_t)dict)))
		b.failed = true;
	ferry_buffer_release(&b);
	return b.failed ? fail_nomem(s) : 0;
}

static int judge_global(struct scan *s, struct ferry_value *dict,
			const char *pickle, const char *module,
			const char *name)
{
	unsigned releases = torch_allowed_global(module, name);
	bool dangerous = pickle_is_dangerous(module, name);
	int r;

	s->releases &= releases;
	s->dangerous += dangerous;
	r = set(s, dict, "pickle", ferry_cstring(s->store, pickle));
	if (!r)
		r = set_releases(s, dict, releases, "allowed", "refused");
	if (!r)
		r = set(s, dict, "dangerous", ferry_bool(dangerous));
	if (!r && ferry_list_add(s->store, s->globals, dict))
		r = fail_nomem(s);
	return r;
}

static int add_global(struct scan *s, struct ferry_value *dict,
		      const char *pickle)
{
	char *module = text_of(s, dict, "module");
	char *name = text_of(s, dict, "name");
	struct ferry_value *known;
	int r;

	if (!module || !name)
		return fail_nomem(s);
	r = merge(s, dict, pickle, module, name, &known);
	if (r)
		return r;
	if (!known)
		return judge_global(s, dict, pickle, module, name);
	r = add_count(s, known, dict, "count");
	return r ? r : add_count(s, known, dict, "calls");
}

static int add_opcode(struct scan *s, const struct pickle_opcodes *ops,
		      uint8_t op, const char *pickle)
{
	struct ferry_value *dict = ferry_dict(s->store, 6);
	unsigned releases = torch_allowed_opcode(op);
	int r;

	s->releases &= releases;
	if (!dict)
		return fail_nomem(s);
	r = set(s, dict, "pickle", ferry_cstring(s->store, pickle));
	if (!r)
		r = set(s, dict, "opcode",
			ferry_cstring(s->store, torch_opcode_name(op)));
	if (!r)
		r = set(s, dict, "count", ferry_uint(s->store, ops->count[op]));
	if (!r)
		r = set(s, dict, "offset",
			ferry_uint(s->store, ops->offset[op]));
	if (!r)
		r = set_releases(s, dict, releases, "allowed", "refused");
	if (!r && ferry_list_add(s->store, s->refused, dict))
		r = fail_nomem(s);
	return r;
}

static int add_opcodes(struct scan *s, const struct pickle_opcodes *ops,
		       const char *pickle)
{
	int r = 0;

	s->protocol = ops->protocol;
	for (int i = 0; !r && i < 256; i++) {
		unsigned releases = torch_allowed_opcode((uint8_t)i);

		if (ops->count[i] && releases != (TORCH_1_13 | TORCH_2_13))
			r = add_opcode(s, ops, (uint8_t)i, pickle);
	}
	return r;
}

/* A pickle that breaks off has run up to there: what it named counts. */
static int note_broken(struct scan *s, int r, struct ferry_error *broken)
{
	if (r != FERRY_MALFORMED) {
		if (r && s->err && !s->err->code)
			*s->err = *broken;
		return r;
	}
	s->releases = 0;
	if (!s->broken)
		s->broken = ferry_cstring(s->store, broken->text);
	return s->broken ? 0 : fail_nomem(s);
}

static int scan_pickle(struct scan *s, struct ferry_source *src,
		       uint64_t offset, const char *pickle, uint64_t *end)
{
	struct ferry_error broken = FERRY_ERROR_INIT;
	struct ferry_value *list = NULL;
	struct pickle_opcodes ops;
	int r;

	*end = offset;
	r = pickle_scan_opcodes(src, offset, s->store, &list, &ops, end,
				&broken);
	r = note_broken(s, r, &broken);
	for (uint32_t i = 0; !r && list && i < list->u.list.n; i++)
		r = add_global(s, list->u.list.items[i], pickle);
	return r ? r : add_opcodes(s, &ops, pickle);
}

/* ---- the report -------------------------------------------------------- */

static int begin(struct scan *s, struct ferry_store *store,
		 struct ferry_error *err)
{
	*s = (struct scan){
		.store = store,
		.globals = ferry_sequence(store, FERRY_LIST, 16),
		.refused = ferry_sequence(store, FERRY_LIST, 4),
		.releases = TORCH_1_13 | TORCH_2_13,
		.err = err,
	};
	return s->globals && s->refused ? 0 : fail_nomem(s);
}

static int finish(struct scan *s, unsigned protocol, struct ferry_value **out)
{
	struct ferry_value *dict = ferry_dict(s->store, 6);
	int r;

	if (!dict)
		return fail_nomem(s);
	r = set(s, dict, "protocol", ferry_int(s->store, protocol));
	if (!r)
		r = set(s, dict, "globals", s->globals);
	if (!r)
		r = set(s, dict, "opcodes_refused", s->refused);
	if (!r)
		r = set_releases(s, dict, s->releases, "loads", "refused");
	if (!r)
		r = set(s, dict, "dangerous",
			ferry_int(s->store, s->dangerous));
	if (!r && s->broken)
		r = set(s, dict, "broken", s->broken);
	*out = dict;
	return r;
}

/* The last step of each scan, whatever became of it. */
static int end_scan(struct scan *s, int r, unsigned protocol,
		    struct ferry_value **out)
{
	if (!r)
		r = finish(s, protocol, out);
	ferry_map_release(&s->known);
	return r;
}

/* ---- zip --------------------------------------------------------------- */

/* `label` is what the report calls it. */
static int scan_record(struct scan *s, struct torch_archive *a,
		       const char *record, const char *label)
{
	const struct zip_member *m;
	struct ferry_source *src = NULL;
	uint64_t end;
	int r;

	m = torch_archive_find(a, "", record, strlen(record));
	if (!m)
		return ferry_fail(s->err, FERRY_MALFORMED, "torch",
				  FERRY_NO_OFFSET, "record %s is missing",
				  record);
	r = zip_member_source(a->zip, m, &src, s->err);
	if (!r)
		r = scan_pickle(s, src, 0, label, &end);
	ferry_source_unref(src);
	return r;
}

int torch_scan(const struct ferry_input *in, struct ferry_store *store,
	       struct ferry_value **out, struct ferry_error *err)
{
	struct torch_archive a;
	struct scan s;
	unsigned protocol;
	int r;

	r = torch_archive_open(&a, in->source, NULL, err);
	if (r)
		return r;
	r = begin(&s, store, err);
	if (!r)
		r = scan_record(&s, &a, "data.pkl", "data.pkl");
	protocol = s.protocol;
	if (!r && a.script) {
		r = scan_record(&s, &a, "constants.pkl", "constants.pkl");
		/* Whatever it names: 2.13 refuses such an archive, 1.13 hands
		 * it to torch.jit.load. */
		s.releases = TORCH_1_13;
	}
	torch_archive_close(&a);
	return end_scan(&s, r, protocol, out);
}

static bool is_zip(struct ferry_source *src)
{
	uint8_t head[4];

	return src->nbytes >= sizeof(head) &&
	       !ferry_source_read(src, head, 0, sizeof(head), NULL) &&
	       ferry_le32(head) == UINT32_C(0x04034b50);
}

/* What torch.save() wrote into a program's archive: sample inputs, weights that
 * are no plain bytes, and before 2.8 all of them.  Others may look like it. */
static int scan_saved(struct scan *s, struct zip *zip,
		      const struct zip_member *m)
{
	bool sure = m->name_len > 3 &&
		    !memcmp(m->name + m->name_len - 3, ".pt", 3);
	struct ferry_error broken = FERRY_ERROR_INIT;
	struct ferry_source *src = NULL;
	struct torch_archive inner;
	char label[300];
	int r = zip_member_source(zip, m, &src, s->err);

	if (r)
		return r;
	if (!src->nbytes || (!sure && !is_zip(src)))
		goto out;
	ferry_escape(label, sizeof(label), m->name, m->name_len);
	r = torch_archive_open(&inner, src, NULL, &broken);
	if (!r) {
		r = scan_record(s, &inner, "data.pkl", label);
		torch_archive_close(&inner);
	} else {
		r = sure || r != FERRY_MALFORMED ?
		    note_broken(s, r, &broken) : 0;
	}
out:
	ferry_source_unref(src);
	return r;
}

int torch_export_scan(const struct ferry_input *in, struct ferry_store *store,
		      struct ferry_value **out, struct ferry_error *err)
{
	struct zip *zip;
	struct scan s;
	int r = zip_open(&zip, in->source, false, err);

	if (r)
		return r;
	r = begin(&s, store, err);
	for (size_t i = 0; !r && i < zip_count(zip); i++)
		r = scan_saved(&s, zip, zip_member(zip, i));
	zip_free(zip);
	return end_scan(&s, r, s.protocol, out);
}

/* ---- the others -------------------------------------------------------- */

int torch_legacy_scan(const struct ferry_input *in, struct ferry_store *store,
		      struct ferry_value **out, struct ferry_error *err)
{
	static const char *const pickles[] = {
		"magic", "protocol", "system", "object", "keys",
	};
	unsigned protocol = 0;
	struct scan s;
	uint64_t at = 0;
	int r;

	r = begin(&s, store, err);
	for (size_t i = 0; !r && i < sizeof(pickles) / sizeof(pickles[0]);
	     i++) {
		if (s.broken)
			break;
		r = scan_pickle(&s, in->source, at, pickles[i], &at);
		if (i == 3)
			protocol = s.protocol;
	}
	return end_scan(&s, r, protocol, out);
}

static int scan_tar_pickle(void *ctx, struct ferry_source *src, uint64_t offset,
			   const char *name, struct ferry_error *err)
{
	uint64_t end;

	(void)err;
	return scan_pickle(ctx, src, offset, name, &end);
}

int torch_tar_scan(const struct ferry_input *in, struct ferry_store *store,
		   struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_error broken = FERRY_ERROR_INIT;
	struct scan s;
	int r;

	r = begin(&s, store, err);
	if (!r) {
		r = torch_tar_each_pickle(in->source, scan_tar_pickle, &s,
					  &broken);
		r = note_broken(&s, r, &broken);
	}
	s.releases &= TORCH_1_13;
	return end_scan(&s, r, s.protocol, out);
}

int torch_pickle_scan(const struct ferry_input *in, struct ferry_store *store,
		      struct ferry_value **out, struct ferry_error *err)
{
	struct scan s;
	uint64_t end;
	int r;

	r = begin(&s, store, err);
	if (!r)
		r = scan_pickle(&s, in->source, 0, "pickle", &end);
	return end_scan(&s, r, s.protocol, out);
}
