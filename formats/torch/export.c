/*
 * Programs that torch.export.save() wrote: the weights and constants beside
 * them.
 *
 * Layouts: since 2.8 a folder with archive_format "pt2", and for each model
 * data/weights/<model>_weights_config.json, which names the record, dtype, sizes
 * and strides of each weight (constants likewise; <model>.pt in their place for
 * a while); 2.1 to 2.7 serialized_state_dict.pt and serialized_constants.pt.
 *
 * Source: torch/export/pt2_archive/ and torch/_export/serde/schema.py, 2.13.
 */
#include "config.h"

#include "formats/torch/torch.h"

#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/buffer.h>
#include <ferry/sys/map.h>

#include "formats/json/json.h"
#include "formats/torch/pid.h"
#include "formats/torch/rebuild.h"
#include "formats/zip/zip.h"

#define CONFIG_MAX (UINT64_C(64) << 20)
#define STRIDED 7

struct export {
	const struct ferry_input *in;
	struct ferry_document *doc;
	struct ferry_store *store;
	struct zip *zip;
	const char *prefix;		/* of every record; borrowed from zip */
	size_t nprefix;
	struct ferry_buffer name;	/* of the record looked up last */
	struct ferry_map storages;	/* record's name -> its storage */
	size_t n_models;
	struct ferry_value *parameters;
	struct ferry_error *err;
};

/* schema.ScalarType */
static const enum ferry_dtype scalar_types[] = {
	[1] = FERRY_U8, [2] = FERRY_I8, [3] = FERRY_I16, [4] = FERRY_I32,
	[5] = FERRY_I64, [6] = FERRY_F16, [7] = FERRY_F32, [8] = FERRY_F64,
	[9] = FERRY_C32, [10] = FERRY_C64, [11] = FERRY_C128,
	[12] = FERRY_BOOL8, [13] = FERRY_BF16, [28] = FERRY_U16,
	[29] = FERRY_F8_E4M3FN, [30] = FERRY_F8_E5M2,
	[31] = FERRY_F8_E4M3FNUZ, [32] = FERRY_F8_E5M2FNUZ,
	[33] = FERRY_F8_E8M0FNU, [34] = FERRY_U32, [35] = FERRY_U64,
};

static int nomem(struct export *x)
{
	return ferry_fail_nomem(x->err, "a program's weights");
}

static int fail(struct export *x, enum ferry_code code,
		const struct ferry_value *weight, const char *text)
{
	char shown[160];

	ferry_escape(shown, sizeof(shown), weight->u.s.data,
		     (size_t)weight->u.s.nbytes);
	return ferry_fail(x->err, code, "torch-export", FERRY_NO_OFFSET,
			  "'%s': %s", shown, text);
}

/* ---- records ------------------------------------------------------------- */

static const struct zip_member *find(struct export *x, const char *folder,
				     const char *name, size_t n,
				     const char *end)
{
	x->name.n = 0;
	ferry_buffer_add(&x->name, x->prefix, x->nprefix);
	ferry_buffer_add_str(&x->name, folder);
	ferry_buffer_add(&x->name, name, n);
	ferry_buffer_add_str(&x->name, end);
	return x->name.failed ? NULL :
	       zip_find(x->zip, x->name.data, x->name.n);
}

static int open_record(struct export *x, const struct zip_member *m,
		       struct ferry_source **out)
{
	int rc = zip_member_source(x->zip, m, out, x->err);

	if (rc || !ferry_store_take_source(x->store, *out))
		return rc;
	ferry_source_unref(*out);
	return nomem(x);
}

static int read_json(struct export *x, const struct zip_member *m,
		     struct ferry_value **out)
{
	struct ferry_source *src;
	char *text;
	int rc;

	if (m->nbytes > CONFIG_MAX)
		return ferry_fail(x->err, FERRY_LIMIT, "torch-export",
				  m->header_offset, "record %s is %llu bytes: "
				  "more than 64 MiB is refused", m->name,
				  (unsigned long long)m->nbytes);
	rc = zip_member_source(x->zip, m, &src, x->err);
	if (rc)
		return rc;
	text = ferry_alloc((size_t)m->nbytes + 1);
	rc = text ? ferry_source_read(src, text, 0, (size_t)m->nbytes, x->err)
		  : nomem(x);
	if (!rc)
		rc = json_read(text, (size_t)m->nbytes, x->store, out, x->err);
	ferry_alloc_free(text);
	ferry_source_unref(src);
	return rc;
}

/* A record that torch.save() wrote. */
static int read_saved(struct export *x, const struct zip_member *m,
		      struct ferry_value **out)
{
	struct ferry_document inner = {
		.store = x->store, .findings = x->doc->findings,
	};
	struct ferry_input in = *x->in;
	int rc = open_record(x, m, &in.source);

	if (!rc)
		rc = torch_read(&in, &inner, x->err);
	if (!rc)
		*out = inner.root;
	return rc;
}

/* ---- weights by configuration -------------------------------------------- */

static int dimensions(struct export *x, const struct ferry_value *weight,
		      const struct ferry_value *list, uint64_t *out)
{
	const struct ferry_value *v;

	for (uint32_t i = 0; i < list->u.list.n; i++) {
		v = list->u.list.items[i];
		if (v->kind == FERRY_DICT)
			v = ferry_dict_get(v, "as_int");
		if (!v || !torch_count(v, &out[i]))
			return fail(x, FERRY_UNSUPPORTED, weight,
				    "a size or stride is no number");
	}
	return 0;
}

struct view {
	enum ferry_dtype dtype;
	unsigned ndim;
	uint64_t shape[FERRY_MAX_RANK];
	uint64_t strides[FERRY_MAX_RANK];
	uint64_t offset;
};

static enum ferry_dtype scalar_type(const struct ferry_value *v)
{
	uint64_t n;

	if (!v || !torch_count(v, &n) ||
	    n >= sizeof(scalar_types) / sizeof(scalar_types[0]))
		return FERRY_DTYPE_NONE;
	return scalar_types[n];
}

static int read_meta(struct export *x, const struct ferry_value *weight,
		     const struct ferry_value *meta, struct view *out)
{
	const struct ferry_value *sizes = ferry_dict_get(meta, "sizes");
	const struct ferry_value *strides = ferry_dict_get(meta, "strides");
	const struct ferry_value *offset = ferry_dict_get(meta,
							  "storage_offset");
	const struct ferry_value *layout = ferry_dict_get(meta, "layout");
	int rc;

	out->dtype = scalar_type(ferry_dict_get(meta, "dtype"));
	if (!out->dtype)
		return fail(x, FERRY_UNSUPPORTED, weight,
			    "dtype is not one of torch 2.13's");
	if (layout && (layout->kind != FERRY_INT || layout->u.i != STRIDED))
		return fail(x, FERRY_UNSUPPORTED, weight, "layout is not "
			    "strided: load it with torch.export.load() and "
			    "save its state_dict()");
	if (!sizes || sizes->kind != FERRY_LIST || !strides ||
	    strides->kind != FERRY_LIST || sizes->u.list.n !=
	    strides->u.list.n || !offset || offset->kind != FERRY_DICT)
		return fail(x, FERRY_MALFORMED, weight,
			    "tensor_meta is incomplete");
	if (sizes->u.list.n > FERRY_MAX_RANK)
		return fail(x, FERRY_LIMIT, weight,
			    "tensor has more than 64 dimensions");
	out->ndim = sizes->u.list.n;
	rc = dimensions(x, weight, sizes, out->shape);
	if (!rc)
		rc = dimensions(x, weight, strides, out->strides);
	offset = ferry_dict_get(offset, "as_int");
	if (!rc && (!offset || !torch_count(offset, &out->offset)))
		rc = fail(x, FERRY_UNSUPPORTED, weight,
			  "storage_offset is no number");
	return rc;
}

/* Names of one record share its storage. */
static int find_storage(struct export *x, const struct zip_member *m,
			enum ferry_dtype dtype, struct ferry_storage **out)
{
	struct ferry_source *src;
	uint64_t known;
	int rc;

	if (ferry_map_get(&x->storages, m->name, m->name_len, &known)) {
		*out = (struct ferry_storage *)(uintptr_t)known;
		return 0;
	}
	rc = open_record(x, m, &src);
	if (rc)
		return rc;
	*out = ferry_storage(x->store, dtype, src, 0, src->nbytes);
	if (!*out || ferry_map_put(&x->storages, m->name, m->name_len,
				   (uint64_t)(uintptr_t)*out))
		return nomem(x);
	return 0;
}

static int read_tensor(struct export *x, const struct ferry_value *weight,
		       const struct ferry_value *meta,
		       const struct zip_member *m, struct ferry_value **out)
{
	struct torch_rebuild rebuild = { .store = x->store };
	struct ferry_storage *st;
	struct view v;
	int rc = read_meta(x, weight, meta, &v);

	if (!rc)
		rc = find_storage(x, m, v.dtype, &st);
	if (rc)
		return rc;
	return torch_rebuild_tensor(&rebuild, st, v.dtype, v.ndim, v.shape,
				    (const int64_t *)v.strides, v.offset, out,
				    x->err);
}

static bool is_true(const struct ferry_value *v)
{
	return v && v->kind == FERRY_BOOL && v->u.b;
}

static int read_payload(struct export *x, const char *folder,
			const struct ferry_value *weight,
			const struct ferry_value *payload,
			struct ferry_value **out)
{
	const struct ferry_value *path, *meta;
	const struct zip_member *m;

	if (payload->kind != FERRY_DICT)
		return fail(x, FERRY_MALFORMED, weight, "is not described by "
			    "an object");
	path = ferry_dict_get(payload, "path_name");
	meta = ferry_dict_get(payload, "tensor_meta");
	if (!path || path->kind != FERRY_STRING)
		return fail(x, FERRY_MALFORMED, weight, "has no path_name");
	m = find(x, folder, path->u.s.data, (size_t)path->u.s.nbytes, "");
	if (!m)
		return fail(x, FERRY_MALFORMED, weight,
			    "its record is not in the archive");
	if (is_true(ferry_dict_get(payload, "use_pickle")))
		return read_saved(x, m, out);
	if (!meta || meta->kind != FERRY_DICT)
		return fail(x, FERRY_MALFORMED, weight, "has no tensor_meta");
	return read_tensor(x, weight, meta, m, out);
}

static int read_config(struct export *x, const char *folder,
		       const struct zip_member *m, struct ferry_value *out)
{
	struct ferry_value *root = NULL, *config, *value;
	int rc = read_json(x, m, &root);

	if (rc)
		return rc;
	config = root->kind == FERRY_DICT ? ferry_dict_get(root, "config") :
					    NULL;
	if (!config || config->kind != FERRY_DICT)
		return ferry_fail(x->err, FERRY_MALFORMED, "torch-export",
				  m->header_offset, "record %s has no "
				  "\"config\"", m->name);
	for (uint32_t i = 0; !rc && i < config->u.dict.n; i++) {
		const struct ferry_pair *p = &config->u.dict.pairs[i];

		rc = read_payload(x, folder, p->key, p->value, &value);
		if (!rc && ferry_dict_set(x->store, out, p->key, value))
			rc = nomem(x);
		if (!rc && is_true(ferry_dict_get(p->value, "is_param")) &&
		    ferry_list_add(x->store, x->parameters, p->key))
			rc = nomem(x);
	}
	return rc;
}

/* ---- models -------------------------------------------------------------- */

/* Weights or constants of a model, set under `key` unless there are none. */
static int read_part(struct export *x, const char *model, size_t n,
		     const char *folder, const char *end, const char *key,
		     struct ferry_value *out)
{
	const struct zip_member *m = find(x, folder, model, n, end);
	struct ferry_value *part = NULL;
	int rc = 0;

	if (m) {
		part = ferry_dict(x->store, 16);
		rc = part ? read_config(x, folder, m, part) : nomem(x);
	} else {
		m = find(x, folder, model, n, ".pt");
		rc = m ? read_saved(x, m, &part) : 0;
	}
	if (rc || !part || (part->kind == FERRY_DICT && !part->u.dict.n))
		return rc;
	return ferry_dict_set_str(x->store, out, key, part) ? nomem(x) : 0;
}

static int read_model(struct export *x, const char *name, size_t n,
		      struct ferry_value *models)
{
	struct ferry_value *model = ferry_dict(x->store, 2), *key;
	int rc;

	key = ferry_string(x->store, name, n);
	if (!model || !key || ferry_dict_set(x->store, models, key, model))
		return nomem(x);
	rc = read_part(x, name, n, "data/weights/", "_weights_config.json",
		       "state_dict", model);
	if (!rc)
		rc = read_part(x, name, n, "data/constants/",
			       "_constants_config.json", "constants", model);
	x->n_models++;
	return rc;
}

/* The text between two others; false when the name is not so. */
static bool between(const struct export *x, const struct zip_member *m,
		    const char *before, const char *end, const char **text,
		    size_t *n)
{
	size_t nb = x->nprefix + strlen(before), ne = strlen(end);

	if (m->name_len <= nb + ne ||
	    memcmp(m->name, x->prefix, x->nprefix) ||
	    memcmp(m->name + x->nprefix, before, strlen(before)) ||
	    memcmp(m->name + m->name_len - ne, end, ne))
		return false;
	*text = m->name + nb;
	*n = m->name_len - nb - ne;
	return !memchr(*text, '/', *n);
}

static int read_models(struct export *x)
{
	struct ferry_value *models = ferry_dict(x->store, 2);
	const char *name;
	size_t n;
	int rc = models ? 0 : nomem(x);

	for (size_t i = 0; !rc && i < zip_count(x->zip); i++)
		if (between(x, zip_member(x->zip, i), "models/", ".json",
			    &name, &n))
			rc = read_model(x, name, n, models);
	if (!rc && !x->n_models)
		rc = ferry_fail(x->err, FERRY_UNSUPPORTED, "torch-export",
				FERRY_NO_OFFSET, "torch.export archive without "
				"an exported program: compiled code has its "
				"weights inside; take them from the model it "
				"was made of");
	if (!rc)
		x->doc->root = x->n_models == 1 ?
			       models->u.dict.pairs[0].value : models;
	return rc;
}

/* The layout of torch 2.1 to 2.7. */
static int read_old(struct export *x)
{
	static const char *const parts[][2] = {
		{ "serialized_state_dict.pt", "state_dict" },
		{ "serialized_constants.pt", "constants" },
	};
	struct ferry_value *model = ferry_dict(x->store, 2), *part;
	int rc = model ? 0 : nomem(x);

	for (int i = 0; !rc && i < 2; i++) {
		const struct zip_member *m = find(x, "", "", 0, parts[i][0]);

		if (!m || !m->nbytes)
			continue;
		rc = read_saved(x, m, &part);
		if (!rc && (!ferry_value_items(part) ||
			    ferry_value_items(part)->u.dict.n) &&
		    ferry_dict_set_str(x->store, model, parts[i][1], part))
			rc = nomem(x);
	}
	x->n_models = 1;
	x->doc->root = model;
	return rc;
}

/* ---- the whole ----------------------------------------------------------- */

static bool ends_in(const struct zip_member *m, const char *end)
{
	size_t n = strlen(end);

	return m->name_len >= n && !memcmp(m->name + m->name_len - n, end, n);
}

/* The folder that has the record `name`. */
static bool find_folder(struct export *x, const char *name)
{
	for (size_t i = 0; i < zip_count(x->zip); i++) {
		const struct zip_member *m = zip_member(x->zip, i);
		size_t n = m->name_len - strlen(name);

		if (!ends_in(m, name) || (n && m->name[n - 1] != '/'))
			continue;
		x->prefix = m->name;
		x->nprefix = n;
		return true;
	}
	return false;
}

static int check_byteorder(struct export *x)
{
	const struct zip_member *m = find(x, "", "", 0, "byteorder");
	struct ferry_source *src;
	char text[6];
	int rc;

	if (!m)
		return 0;
	rc = open_record(x, m, &src);
	if (!rc && src->nbytes == sizeof(text))
		rc = ferry_source_read(src, text, 0, sizeof(text), x->err);
	if (rc || (src->nbytes == sizeof(text) && !memcmp(text, "little", 6)))
		return rc;
	return ferry_fail(x->err, FERRY_UNSUPPORTED, "torch-export",
			  FERRY_NO_OFFSET, "byteorder is not little: save the "
			  "program on a little-endian machine");
}

static int describe(struct export *x, bool old)
{
	struct ferry_store *s = x->store;
	struct ferry_value *about = ferry_dict(s, 4);

	x->doc->about = about;
	if (!about ||
	    ferry_dict_set_str(s, about, "kind",
			       ferry_cstring(s, "torch.export program")) ||
	    ferry_dict_set_str(s, about, "writer",
			       ferry_cstring(s, old ? "torch 2.1 to 2.7" :
					     "torch 2.8 or later")) ||
	    ferry_dict_set_str(s, about, "models",
			       ferry_uint(s, x->n_models)) ||
	    (!old && ferry_dict_set_str(s, about, "parameters",
					x->parameters)) ||
	    ferry_findings_add(x->doc->findings, FERRY_WARNING, "program", "",
			       FERRY_NO_OFFSET, "the program itself and its "
			       "sample inputs are not read: what can be taken "
			       "out are its weights and constants"))
		return nomem(x);
	return 0;
}

static int read_archive(struct export *x)
{
	bool old = false;
	int rc;

	if (!find_folder(x, "archive_format")) {
		old = find_folder(x, "serialized_exported_program.json");
		if (!old)
			return ferry_fail(x->err, FERRY_MALFORMED,
					  "torch-export", FERRY_NO_OFFSET,
					  "zip archive of %zu record%s has no "
					  "archive_format: not a program of "
					  "torch.export", zip_count(x->zip),
					  zip_count(x->zip) == 1 ? "" : "s");
	}
	rc = check_byteorder(x);
	if (!rc)
		rc = old ? read_old(x) : read_models(x);
	return rc ? rc : describe(x, old);
}

int torch_export_read(const struct ferry_input *in, struct ferry_document *doc,
		      struct ferry_error *err)
{
	struct export x = {
		.in = in, .doc = doc, .store = doc->store, .err = err,
	};
	int rc;

	x.parameters = ferry_sequence(x.store, FERRY_LIST, 16);
	if (!x.parameters)
		return nomem(&x);
	rc = zip_open(&x.zip, in->source, false, err);
	if (rc)
		return rc;
	rc = read_archive(&x);
	ferry_map_release(&x.storages);
	ferry_buffer_release(&x.name);
	zip_free(x.zip);
	return rc;
}
