/* What the pickles in object arrays name. */
#include "config.h"

#include "formats/numpy/npz.h"

#include <string.h>

#include "formats/pickle/pickle.h"

struct scan {
	struct ferry_store *store;
	struct ferry_value *globals;
	int64_t dangerous;
	struct ferry_error *err;
};

static int nomem(struct scan *s)
{
	return ferry_fail_nomem(s->err, "scan report");
}

static const char *text(struct scan *s, const struct ferry_value *row,
			const char *key)
{
	const struct ferry_value *v = ferry_dict_get(row, key);

	return ferry_store_strndup(s->store, v->u.s.data, v->u.s.nbytes);
}

/* A row of pickle_scan(): which array it is of, and whether it is dangerous. */
static int add_row(struct scan *s, struct ferry_value *row,
		   struct ferry_value *array)
{
	const char *module = text(s, row, "module");
	const char *name = text(s, row, "name");
	bool dangerous;

	if (!module || !name)
		return nomem(s);
	dangerous = pickle_is_dangerous(module, name);
	s->dangerous += dangerous;
	if (ferry_dict_set_str(s->store, row, "pickle", array) ||
	    ferry_dict_set_str(s->store, row, "dangerous",
			       ferry_bool(dangerous)) ||
	    ferry_list_add(s->store, s->globals, row))
		return nomem(s);
	return 0;
}

static int scan_array(struct scan *s, struct ferry_source *src,
		      const char *name, size_t n)
{
	struct ferry_value *array, *rows;
	struct npy_header h;
	uint64_t end;
	int rc = npy_header_read(src, s->store, &h, s->err);

	if (rc || !npy_has_object(h.descr))
		return rc;
	array = ferry_string(s->store, name, n);
	rc = array ? pickle_scan(src, h.data, s->store, &rows, &end, s->err)
		   : nomem(s);
	for (uint32_t i = 0; !rc && i < rows->u.list.n; i++)
		rc = add_row(s, rows->u.list.items[i], array);
	return rc;
}

static int scan_member(struct scan *s, struct npz_archive *a,
		       const struct zip_member *m)
{
	char magic[NPY_MAGIC_NBYTES];
	struct ferry_source *src;
	int rc = npz_member_source(a, m, &src, s->err);

	if (rc || src->nbytes < sizeof(magic))
		return rc;
	rc = ferry_source_read(src, magic, 0, sizeof(magic), s->err);
	if (rc || memcmp(magic, NPY_MAGIC, sizeof(magic)))
		return rc;
	return scan_array(s, src, m->name, m->name_len);
}

static int begin(struct scan *s, struct ferry_store *store,
		 struct ferry_error *err)
{
	s->store = store;
	s->globals = ferry_sequence(store, FERRY_LIST, 0);
	s->dangerous = 0;
	s->err = err;
	return s->globals ? 0 : nomem(s);
}

static int finish(struct scan *s, struct ferry_value **out)
{
	struct ferry_value *report = ferry_dict(s->store, 2);
	struct ferry_value *dangerous = ferry_int(s->store, s->dangerous);

	if (!report || !dangerous ||
	    ferry_dict_set_str(s->store, report, "globals", s->globals) ||
	    ferry_dict_set_str(s->store, report, "dangerous", dangerous))
		return nomem(s);
	*out = report;
	return 0;
}

int npy_scan(struct ferry_source *src, struct ferry_store *store,
	     struct ferry_value **out, struct ferry_error *err)
{
	struct scan s;
	int rc = begin(&s, store, err);

	if (!rc)
		rc = scan_array(&s, src, "array", 5);
	return rc ? rc : finish(&s, out);
}

int npz_scan(struct ferry_source *src, struct ferry_store *store,
	     struct ferry_value **out, struct ferry_error *err)
{
	const struct numpy_read_options options = { 0 };
	struct npz_archive a;
	struct scan s;
	int rc = npz_archive_open(&a, src, store, &options, err);

	if (rc)
		return rc;
	rc = begin(&s, store, err);
	for (size_t i = 0; !rc && i < zip_count(a.zip); i++)
		rc = scan_member(&s, &a, zip_member(a.zip, i));
	if (!rc)
		rc = finish(&s, out);
	npz_archive_close(&a);
	return rc;
}
