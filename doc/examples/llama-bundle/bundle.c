/*
 * The bundle format: an index in JSON and the data of all tensors in one file
 * beside it, as people hand weights to their own inference programs.
 *
 *	model.bundle.json
 *	{
 *	 "format": "tensor-bundle",
 *	 "version": 1,
 *	 "data": "model.bundle.bin",
 *	 "params": {"dim": 4096, "n_heads": 32},
 *	 "tensors": [
 *	  {"name": "tok_embeddings.weight", "dtype": "bfloat16",
 *	   "shape": [32000, 4096], "offset": 0}
 *	 ]
 *	}
 *
 * Tensors lie densely, in C order and little-endian, each at a multiple of 64
 * bytes.  In a document they are the mapping itself, and params, when there are
 * any, its entry "params".
 */
#include <inttypes.h>
#include <string.h>

#include <jansson.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/buffer.h>
#include <ferry/sys/ckd.h>
#include <ferry/sys/ops.h>
#include <ferry/sys/plugin.h>

#define FORMAT_NAME "tensor-bundle"
#define INDEX_NBYTES_MAX (256 << 20)
#define ALIGN 64

static int malformed(struct ferry_error *err, const char *what)
{
	return ferry_fail(err, FERRY_MALFORMED, "bundle", FERRY_NO_OFFSET,
			  "index: %s", what);
}

static int nomem(struct ferry_error *err)
{
	return ferry_fail_nomem(err, "a bundle's index");
}

/* ---- reading ------------------------------------------------------------ */

/* By content: the name of the format in the first bytes of the index. */
static int probe(const struct ferry_probe *p)
{
	static const char word[] = "\"" FORMAT_NAME "\"";
	const size_t n = sizeof(word) - 1;

	if (!p->nhead || p->head[0] != '{')
		return 0;
	for (size_t i = 0; i + n <= p->nhead && i < 256; i++)
		if (!memcmp(p->head + i, word, n))
			return 100;
	return 0;
}

static int parse_index(struct ferry_source *src, json_t **out,
		       struct ferry_error *err)
{
	char text[200];
	json_error_t why;
	char *data;
	int rc;

	if (src->nbytes > INDEX_NBYTES_MAX)
		return ferry_fail(err, FERRY_LIMIT, "bundle", FERRY_NO_OFFSET,
				  "index is longer than 256 MiB");
	data = ferry_alloc((size_t)src->nbytes + 1);
	if (!data)
		return nomem(err);
	rc = ferry_source_read(src, data, 0, (size_t)src->nbytes, err);
	if (!rc) {
		*out = json_loadb(data, (size_t)src->nbytes,
				  JSON_REJECT_DUPLICATES, &why);
		ferry_escape(text, sizeof(text), why.text, strlen(why.text));
		if (!*out)
			rc = ferry_fail(err, FERRY_MALFORMED, "bundle",
					(uint64_t)why.position, "index: %s",
					text);
	}
	ferry_alloc_free(data);
	return rc;
}

static struct ferry_value *scalar(struct ferry_store *store, const json_t *j)
{
	switch (json_typeof(j)) {
	case JSON_TRUE:
	case JSON_FALSE:
		return ferry_bool(json_is_true(j));
	case JSON_INTEGER:
		return ferry_int(store, json_integer_value(j));
	case JSON_REAL:
		return ferry_float(store, json_real_value(j));
	case JSON_STRING:
		return ferry_string(store, json_string_value(j),
				    json_string_length(j));
	default:
		return ferry_none();
	}
}

static int read_params(json_t *params, struct ferry_store *store,
		       struct ferry_value *root, struct ferry_error *err)
{
	struct ferry_value *dict = ferry_dict(store, 8), *value;
	const char *key;
	json_t *item;

	if (!json_is_object(params) || !json_object_size(params))
		return 0;
	json_object_foreach(params, key, item) {
		if (json_is_object(item) || json_is_array(item))
			return malformed(err, "a parameter is no scalar");
		value = scalar(store, item);
		if (!dict || !value ||
		    ferry_dict_set_str(store, dict, key, value))
			return nomem(err);
	}
	return ferry_dict_set_str(store, root, "params", dict) ? nomem(err) : 0;
}

static int read_shape(json_t *shape, unsigned *ndim, uint64_t *dims,
		      struct ferry_error *err)
{
	json_t *item;
	size_t i;

	if (!json_is_array(shape) || json_array_size(shape) > FERRY_MAX_RANK)
		return malformed(err, "a tensor's shape is no list of lengths");
	*ndim = (unsigned)json_array_size(shape);
	json_array_foreach(shape, i, item) {
		if (!json_is_integer(item) || json_integer_value(item) < 0)
			return malformed(err, "a tensor's shape is no list of "
					 "lengths");
		dims[i] = (uint64_t)json_integer_value(item);
	}
	return 0;
}

/* Elements are counted with overflow checked, before anything trusts them. */
static int count_bytes(enum ferry_dtype dtype, unsigned ndim,
		       const uint64_t *dims, uint64_t *out,
		       struct ferry_error *err)
{
	uint64_t n = ferry_dtype_bits(dtype);

	for (unsigned i = 0; i < ndim; i++)
		if (ferry_ckd_mul(&n, n, dims[i]))
			return malformed(err, "a tensor's shape is beyond 64 "
					 "bits");
	*out = n / 8 + (n % 8 != 0);
	return 0;
}

static int read_tensor(json_t *entry, struct ferry_source *data,
		       struct ferry_store *store, struct ferry_value *root,
		       struct ferry_error *err)
{
	const char *name = json_string_value(json_object_get(entry, "name"));
	const char *type = json_string_value(json_object_get(entry, "dtype"));
	json_t *at = json_object_get(entry, "offset");
	uint64_t dims[FERRY_MAX_RANK], nbytes = 0;
	struct ferry_storage *storage;
	struct ferry_value *tensor;
	enum ferry_dtype dtype;
	unsigned ndim = 0;
	int rc;

	if (!name || !type || !json_is_integer(at) ||
	    json_integer_value(at) < 0)
		return malformed(err, "a tensor needs name, dtype, shape and "
				 "offset");
	dtype = ferry_dtype_find(type);
	if (!dtype)
		return malformed(err, "a tensor's dtype is unknown");
	rc = read_shape(json_object_get(entry, "shape"), &ndim, dims, err);
	if (!rc)
		rc = count_bytes(dtype, ndim, dims, &nbytes, err);
	if (rc)
		return rc;
	if (ferry_ckd_outside((uint64_t)json_integer_value(at), nbytes,
			      data->nbytes))
		return malformed(err, "a tensor lies outside the data file");
	if (ferry_dict_get(root, name))
		return malformed(err, "two tensors have one name");
	storage = ferry_storage(store, dtype, data,
				(uint64_t)json_integer_value(at), nbytes);
	tensor = storage ? ferry_tensor(store, dtype, ndim, dims, NULL, 0,
					storage) : NULL;
	return !tensor || ferry_dict_set_str(store, root, name, tensor) ?
	       nomem(err) : 0;
}

static int read_tensors(json_t *index, struct ferry_source *data,
			struct ferry_document *doc, struct ferry_error *err)
{
	json_t *tensors = json_object_get(index, "tensors"), *entry;
	struct ferry_value *root = ferry_dict(doc->store, 16);
	int rc = 0;
	size_t i;

	if (!root)
		return nomem(err);
	if (!json_is_array(tensors))
		return malformed(err, "it has no list of tensors");
	json_array_foreach(tensors, i, entry) {
		rc = read_tensor(entry, data, doc->store, root, err);
		if (rc)
			return rc;
	}
	rc = read_params(json_object_get(index, "params"), doc->store, root,
			 err);
	if (!rc)
		doc->root = root;
	return rc;
}

static int read_index(const struct ferry_input *in, json_t *index,
		      struct ferry_document *doc, struct ferry_error *err)
{
	const char *name = json_string_value(json_object_get(index, "data"));
	struct ferry_source *data;
	int rc;

	if (json_integer_value(json_object_get(index, "version")) != 1)
		return ferry_fail(err, FERRY_UNSUPPORTED, "bundle",
				  FERRY_NO_OFFSET,
				  "index: its version is not 1");
	if (!name)
		return malformed(err, "it names no data file");
	rc = ferry_input_sibling(in, name, &data, err);
	if (rc)
		return rc;
	if (ferry_store_take_source(doc->store, data)) {
		ferry_source_unref(data);
		return nomem(err);
	}
	return read_tensors(index, data, doc, err);
}

static int read_bundle(const struct ferry_input *in, struct ferry_document *doc,
		       struct ferry_error *err)
{
	json_t *index;
	int rc = parse_index(in->source, &index, err);

	if (rc)
		return rc;
	rc = read_index(in, index, doc, err);
	json_decref(index);
	return rc;
}

/* ---- writing ------------------------------------------------------------ */

/* The tensor at an entry, if there is one with data. */
static struct ferry_tensor *tensor_of(const struct ferry_pair *pair)
{
	struct ferry_value *v = ferry_value_payload(pair->value);

	return v->kind == FERRY_TENSOR && !(v->u.tensor->flags & FERRY_META) ?
	       v->u.tensor : NULL;
}

static json_t *scalar_json(const struct ferry_value *v)
{
	switch (v->kind) {
	case FERRY_NONE:
		return json_null();
	case FERRY_BOOL:
		return json_boolean(v->u.b);
	case FERRY_INT:
		return v->flags & FERRY_BIG ? NULL : json_integer(v->u.i);
	case FERRY_FLOAT:
		return json_real(v->u.f);	/* NULL for NaN and infinity */
	case FERRY_STRING:
		return json_stringn(v->u.s.data, v->u.s.nbytes);
	default:
		return NULL;
	}
}

/* What params can hold of it; *whole tells whether that is all. */
static json_t *params_json(const struct ferry_value *params, bool *whole)
{
	json_t *out = json_object(), *item;

	*whole = !params || params->kind == FERRY_DICT;
	for (uint32_t i = 0; params && *whole && i < params->u.dict.n; i++) {
		const struct ferry_value *key = params->u.dict.pairs[i].key;

		item = scalar_json(params->u.dict.pairs[i].value);
		*whole = item && key->kind == FERRY_STRING &&
			 !json_object_setn_new(out, key->u.s.data,
					       key->u.s.nbytes, item);
	}
	return out;
}

static json_t *tensor_json(const struct ferry_value *name,
			   const struct ferry_tensor *t, uint64_t offset)
{
	json_t *shape = json_array();

	for (unsigned i = 0; i < t->ndim; i++)
		json_array_append_new(shape,
				      json_integer((json_int_t)t->shape[i]));
	return json_pack("{s:o, s:s, s:o, s:I}", "name",
			 json_stringn(name->u.s.data, name->u.s.nbytes),
			 "dtype", ferry_dtype_name(t->dtype), "shape", shape,
			 "offset", (json_int_t)offset);
}

/* Index entries and transfers of all tensors, in the order of the mapping. */
static int lay_out(struct ferry_store *store, const struct ferry_value *items,
		   json_t *list, struct ferry_transfer *transfers, size_t *n,
		   struct ferry_error *err)
{
	uint64_t at = 0;

	for (uint32_t i = 0; i < items->u.dict.n; i++) {
		const struct ferry_pair *pair = &items->u.dict.pairs[i];
		const struct ferry_tensor *t = tensor_of(pair);
		struct ferry_transfer *to = &transfers[*n];
		int rc;

		if (!t || pair->key->kind != FERRY_STRING)
			continue;
		rc = ferry_tensor_source(store, t, &to->source,
					 &to->source_offset, err);
		if (rc)
			return rc;
		if (json_array_append_new(list,
					  tensor_json(pair->key, t, at)))
			return malformed(err, "a tensor's name is not UTF-8");
		to->nbytes = ferry_tensor_nbytes(t);
		to->sink_offset = at;
		at += (to->nbytes + ALIGN - 1) / ALIGN * ALIGN;
		*n += to->nbytes != 0;
	}
	return 0;
}

/* "x.bundle.json" has its data in "x.bundle.bin". */
static int data_name(const struct ferry_output *output, struct ferry_buffer *b,
		     struct ferry_error *err)
{
	const char *name = ferry_output_name(output);
	size_t n = strlen(name);

	if (n > 5 && !strcmp(name + n - 5, ".json"))
		n -= 5;
	ferry_buffer_add(b, name, n);
	ferry_buffer_add_str(b, ".bin");
	return b->failed ? nomem(err) : 0;
}

static int write_data(struct ferry_output *output, const char *name,
		      struct ferry_transfer *transfers, size_t n,
		      struct ferry_error *err)
{
	struct ferry_sink *sink;
	int rc = ferry_output_open(output, name, &sink, err);

	return rc || !n ? rc : ferry_sink_transfer(sink, transfers, n, err);
}

static int write_index(struct ferry_output *output, const char *data,
		       json_t *params, json_t *tensors, struct ferry_error *err)
{
	json_t *index = json_pack("{s:s, s:i, s:s, s:O, s:O}", "format",
				  FORMAT_NAME, "version", 1, "data", data,
				  "params", params, "tensors", tensors);
	char *text = index ? json_dumps(index, JSON_INDENT(1)) : NULL;
	struct ferry_sink *sink;
	int rc = text ? 0 : nomem(err);

	if (!rc)
		rc = ferry_output_open(output, NULL, &sink, err);
	if (!rc)
		rc = ferry_sink_append(sink, text, strlen(text), err);
	free(text);
	json_decref(index);
	return rc;
}

static int write_bundle(struct ferry_document *doc, struct ferry_output *output,
			const struct ferry_options *options,
			struct ferry_findings *out, struct ferry_error *err)
{
	struct ferry_value *items = ferry_value_items(doc->root);
	struct ferry_buffer name = FERRY_BUFFER_INIT;
	json_t *list = json_array(), *params = NULL;
	struct ferry_transfer *transfers = NULL;
	bool whole;
	size_t n = 0;
	int rc;

	(void)options;
	(void)out;
	if (!items)
		return ferry_fail(err, FERRY_LOSSY, "bundle", FERRY_NO_OFFSET,
				  "a bundle holds a mapping of tensors and "
				  "this document is none; choose one with "
				  "--select");
	params = params_json(ferry_dict_get(items, "params"), &whole);
	transfers = ferry_alloc_zero((size_t)items->u.dict.n + 1,
				     sizeof(*transfers));
	rc = transfers && list && params ? data_name(output, &name, err)
					 : nomem(err);
	if (!rc)
		rc = lay_out(doc->store, items, list, transfers, &n, err);
	if (!rc)
		rc = write_data(output, name.data, transfers, n, err);
	if (!rc)
		rc = write_index(output, name.data, params, list, err);
	ferry_alloc_free(transfers);
	ferry_buffer_release(&name);
	json_decref(params);
	json_decref(list);
	return rc;
}

/* ---- what is lost ------------------------------------------------------- */

static int lose(struct ferry_findings *out, const struct ferry_value *key)
{
	const bool text = key->kind == FERRY_STRING;

	return ferry_findings_add(out, FERRY_WARNING, "structure", "",
				  FERRY_NO_OFFSET, "a bundle holds tensors and "
				  "scalar params; entry '%.*s' is neither",
				  text ? (int)key->u.s.nbytes : 1,
				  text ? key->u.s.data : "?");
}

static int losses(struct ferry_document *doc,
		  const struct ferry_options *options,
		  struct ferry_findings *out, struct ferry_error *err)
{
	const struct ferry_value *items = ferry_value_items(doc->root);
	bool whole;

	(void)options;
	for (uint32_t i = 0; items && i < items->u.dict.n; i++) {
		const struct ferry_pair *pair = &items->u.dict.pairs[i];

		if (ferry_value_is(pair->key, "params")) {
			json_decref(params_json(pair->value, &whole));
			if (whole)
				continue;
		} else if (pair->key->kind == FERRY_STRING &&
			   tensor_of(pair)) {
			continue;
		}
		if (lose(out, pair->key))
			return nomem(err);
	}
	return 0;
}

/* ---- the plugin --------------------------------------------------------- */

static const char *const suffixes[] = { ".bundle.json", NULL };

static const struct ferry_format bundle = {
	.struct_size = sizeof(bundle),
	.name = "bundle",
	.title = "tensor bundle (JSON index and raw data)",
	.suffixes = suffixes,
	.flags = FERRY_FORMAT_TENSORS,
	.dtypes = ~UINT64_C(0),
	.probe = probe,
	.read = read_bundle,
	.write = write_bundle,
	.losses = losses,
};

static const struct ferry_format *const formats[] = { &bundle, NULL };

FERRY_PLUGIN_EXPORT = {
	.struct_size = sizeof(ferry_plugin_v1),
	.abi_minor = FERRY_ABI_MINOR,
	.name = "bundle",
	.version = "1.0",
	.license = "CC0-1.0",
	.description = "example: a JSON index and raw data beside it",
	.formats = formats,
};
