/* Plain pickle files as a format: one pickle, numpy arrays as tensors. */
#include "config.h"

#include <string.h>
#include <strings.h>

#include <ferry/sys/plugin.h>

#include "formats/pickle/pickle.h"
#include "formats/torch/torch.h"

/* ---- reading ----------------------------------------------------------- */

/* How the text protocols, 0 and 1, begin. */
static bool begins_as_text(const uint8_t *b, size_t n)
{
	return n && strchr("(]}cIFLNVS", b[0]) && b[0];
}

static size_t line(const uint8_t *b, size_t n)
{
	const uint8_t *end = n ? memchr(b, '\n', n) : NULL;

	return end && end > b ? (size_t)(end - b) + 1 : 0;
}

/* A container and its memo entry, or a name and what is made of it: more than
 * other texts begin with. */
static bool is_text_pickle(const uint8_t *b, size_t n)
{
	size_t module, name, at;

	if (n > 4 && b[0] == '(' && strchr("dlt", b[1]) && b[2] == 'p')
		return b[3] >= '0' && b[3] <= '9' && line(b + 3, n - 3);
	if (n < 4 || b[0] != 'c')
		return false;
	module = line(b + 1, n - 1);
	name = module ? line(b + 1 + module, n - 1 - module) : 0;
	at = 1 + module + name;
	return name && at + 1 < n &&
	       (b[at] == '(' || (b[at] == 'p' && b[at + 1] >= '0' &&
				 b[at + 1] <= '9'));
}

static bool is_named_pickle(const char *name)
{
	static const char *const ends[] = { ".pkl", ".pickle", ".p" };
	size_t n = strlen(name), k;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		k = strlen(ends[i]);
		if (n > k && !strcasecmp(name + n - k, ends[i]))
			return true;
	}
	return false;
}

static int probe(const struct ferry_probe *p)
{
	bool stops = p->ntail && p->tail[p->ntail - 1] == '.';

	if (torch_legacy_probe(p))
		return 0;
	if (p->nhead > 2 && p->head[0] == 0x80 && p->head[1] >= 2 &&
	    p->head[1] <= 5)
		return stops ? 90 : 60;
	if (is_text_pickle(p->head, p->nhead))
		return stops ? 80 : 60;
	if (!begins_as_text(p->head, p->nhead) || !is_named_pickle(p->name))
		return 0;
	return stops ? 60 : 30;
}

static int describe(struct ferry_document *doc, unsigned protocol,
		    struct ferry_error *err)
{
	struct ferry_store *s = doc->store;

	doc->about = ferry_dict(s, 2);
	if (!doc->about ||
	    ferry_dict_set_str(s, doc->about, "kind",
			       ferry_cstring(s, "pickle")) ||
	    (protocol && ferry_dict_set_str(s, doc->about, "protocol",
					    ferry_int(s, protocol))))
		return ferry_fail_nomem(err, "description");
	return 0;
}

static int read_pickle(const struct ferry_input *in, struct ferry_document *doc,
		       struct ferry_error *err)
{
	struct pickle_reader_options options = {
		.reduce = pickle_numpy_reduce,
		.findings = doc->findings,
	};
	struct ferry_source *src = ferry_source_ref(in->source);
	uint8_t head[2] = { 0 };
	uint64_t end = 0;
	int r;

	if (ferry_store_take_source(doc->store, src)) {
		ferry_source_unref(src);
		return ferry_fail_nomem(err, "source");
	}
	r = src->nbytes < sizeof(head) ? 0 :
		ferry_source_read(src, head, 0, sizeof(head), err);
	if (!r)
		r = pickle_read(src, 0, doc->store, &options, &doc->root, &end,
				err);
	if (!r && end < src->nbytes &&
	    ferry_findings_add(doc->findings, FERRY_WARNING, "trailing-bytes",
			       "", end, "%llu byte%s behind the pickle: not "
			       "read", (unsigned long long)(src->nbytes - end),
			       src->nbytes - end == 1 ? " is" : "s are"))
		r = ferry_fail_nomem(err, "findings");
	return r ? r : describe(doc, head[0] == 0x80 ? head[1] : 0, err);
}

/* ---- writing ----------------------------------------------------------- */

static const struct ferry_option_spec write_options[] = {
	{ "protocol", "4", "pickle protocol: 2, 4 or 5" },
	{ 0 },
};

/* numpy.core.multiarray._reconstruct(numpy.ndarray, (0,), b"b"), version 1:
 * what pickle_numpy_replace() writes an array with. */
static struct ferry_value *array_notes(struct ferry_store *s)
{
	struct ferry_value *notes = ferry_dict(s, 3);
	struct ferry_value *zero = ferry_sequence(s, FERRY_TUPLE, 1);
	struct ferry_value *args = ferry_sequence(s, FERRY_TUPLE, 3);
	struct ferry_value *rebuild, *array, *code;

	rebuild = ferry_global(s, "numpy.core.multiarray", 21, "_reconstruct",
			       12);
	array = ferry_global(s, "numpy", 5, "ndarray", 7);
	code = ferry_bytes(s, "b", 1, 0);
	if (!notes || !zero || !args || !rebuild || !array || !code ||
	    ferry_list_add(s, zero, ferry_int(s, 0)) ||
	    ferry_list_add(s, args, array) || ferry_list_add(s, args, zero) ||
	    ferry_list_add(s, args, code) ||
	    ferry_dict_set_str(s, notes, "rebuild", rebuild) ||
	    ferry_dict_set_str(s, notes, "args", args) ||
	    ferry_dict_set_str(s, notes, "version", ferry_int(s, 1)))
		return NULL;
	return notes;
}

static int write_tensor(struct ferry_store *s, struct ferry_value *value,
			struct ferry_value *notes, struct ferry_value **out,
			struct ferry_error *err)
{
	const struct ferry_tensor *t = value->u.tensor;
	struct ferry_value *array, *extra;

	if (!t->storage)
		return ferry_fail(err, FERRY_UNSUPPORTED, "pickle",
				  FERRY_NO_OFFSET, "a tensor without data "
				  "can't be a numpy array");
	array = ferry_tensor(s, t->dtype, t->ndim, t->shape, t->strides,
			     t->offset, t->storage);
	extra = ferry_dict(s, 1);
	if (!array || !extra || ferry_dict_set_str(s, extra, "numpy", notes))
		return ferry_fail_nomem(err, "numpy array");
	array->u.tensor->flags = t->flags & (FERRY_CONJ | FERRY_NEG);
	array->u.tensor->extra = extra;
	return pickle_numpy_replace(s, array, out, err);
}

static int replace(void *ctx, struct ferry_store *store,
		   struct ferry_value *value, struct ferry_value **out,
		   struct ferry_error *err)
{
	int r = 0;

	if (value->kind == FERRY_STORAGE)
		return ferry_fail(err, FERRY_UNSUPPORTED, "pickle",
				  FERRY_NO_OFFSET, "a bare storage can't be "
				  "written to a plain pickle");
	if (value->kind != FERRY_TENSOR)
		return 0;
	*out = NULL;
	r = pickle_numpy_replace(store, value, out, err);
	if (r || *out)
		return r;
	return write_tensor(store, value, ctx, out, err);
}

static int read_protocol(const struct ferry_options *options, unsigned *out,
			 struct ferry_error *err)
{
	const char *text = ferry_option(options, "protocol");

	*out = 4;
	if (!text)
		return 0;
	if (strcmp(text, "2") && strcmp(text, "4") && strcmp(text, "5"))
		return ferry_fail(err, FERRY_MISUSE, "pickle", FERRY_NO_OFFSET,
				  "protocol %s: give 2, 4 or 5", text);
	*out = (unsigned)(text[0] - '0');
	return 0;
}

static int write_pickle(struct ferry_document *doc, struct ferry_output *output,
			const struct ferry_options *options,
			struct ferry_findings *out, struct ferry_error *err)
{
	struct pickle_writer_options how = {
		.replace = replace,
		.ctx = array_notes(doc->store),
		.store = doc->store,
	};
	struct ferry_transfer all = { 0 };
	struct ferry_sink *sink;
	int r;

	(void)out;
	if (!how.ctx)
		return ferry_fail_nomem(err, "numpy array");
	r = read_protocol(options, &how.protocol, err);
	if (!r)
		r = pickle_write_source(doc->root, &how, &all.source, err);
	if (!r)
		r = ferry_output_open(output, NULL, &sink, err);
	if (!r) {
		all.nbytes = all.source->nbytes;
		r = ferry_sink_transfer(sink, &all, 1, err);
	}
	ferry_source_unref(all.source);
	return r;
}

/* ---- losses ------------------------------------------------------------ */

struct lost {
	uint64_t decorated, graded;
	char first[100];	/* class of the first decorated */
};

static void look_at(const struct ferry_place *place, struct lost *out)
{
	const struct ferry_value *v = place->value, *class;

	if (v->kind != FERRY_TENSOR ||
	    (v->u.tensor->extra && ferry_dict_get(v->u.tensor->extra, "numpy")))
		return;
	out->graded += (v->u.tensor->flags & FERRY_REQUIRES_GRAD) != 0;
	if (place->holder == v || out->decorated++)
		return;
	class = place->holder->u.object->callable;
	if (class && class->kind == FERRY_GLOBAL)
		ferry_escape(out->first, sizeof(out->first),
			     class->u.global.name, class->u.global.name_len);
}

/* A framework's own call around a tensor is left with an array in it. */
static int report_calls(const struct lost *lost, struct ferry_findings *out)
{
	int rc = 0;

	if (lost->decorated)
		rc = ferry_findings_add(out, FERRY_WARNING, "parameters", "",
					FERRY_NO_OFFSET, "%llu tensor%s in a "
					"call such as %s, which can't be made "
					"of a numpy array; --weights takes the "
					"tensors alone",
					(unsigned long long)lost->decorated,
					lost->decorated == 1 ? " is" : "s are",
					*lost->first ? lost->first : "?");
	if (!rc && lost->graded)
		rc = ferry_findings_add(out, FERRY_NOTE, "requires-grad", "",
					FERRY_NO_OFFSET, "numpy has no place "
					"for requires_grad: %llu tensor%s it",
					(unsigned long long)lost->graded,
					lost->graded == 1 ? " loses" :
							    "s lose");
	return rc;
}

static int losses(struct ferry_document *doc,
		  const struct ferry_options *options,
		  struct ferry_findings *out, struct ferry_error *err)
{
	struct lost lost = { 0 };
	struct ferry_places places;
	int rc = ferry_places_init(&places, doc, err);

	(void)options;
	if (rc)
		return rc;
	for (size_t i = 0; i < places.n; i++)
		if (places.items[i].same == i)
			look_at(&places.items[i], &lost);
	ferry_places_release(&places);
	if (report_calls(&lost, out))
		return ferry_fail_nomem(err, "findings");
	return pickle_numpy_report(doc, out, err);
}

/* ---- the plugin -------------------------------------------------------- */

static const char *const suffixes[] = { ".pkl", ".pickle", NULL };

static const struct ferry_format pickle_format = {
	.struct_size = sizeof(pickle_format),
	.name = "pickle",
	.title = "Python pickle",
	.suffixes = suffixes,
	.flags = FERRY_FORMAT_NESTED | FERRY_FORMAT_OBJECTS |
		 FERRY_FORMAT_TENSORS,
	.dtypes = FERRY_DTYPE_BIT(FERRY_BOOL8) | FERRY_DTYPE_BIT(FERRY_U8) |
		  FERRY_DTYPE_BIT(FERRY_I8) | FERRY_DTYPE_BIT(FERRY_U16) |
		  FERRY_DTYPE_BIT(FERRY_I16) | FERRY_DTYPE_BIT(FERRY_U32) |
		  FERRY_DTYPE_BIT(FERRY_I32) | FERRY_DTYPE_BIT(FERRY_U64) |
		  FERRY_DTYPE_BIT(FERRY_I64) | FERRY_DTYPE_BIT(FERRY_F16) |
		  FERRY_DTYPE_BIT(FERRY_BF16) | FERRY_DTYPE_BIT(FERRY_F32) |
		  FERRY_DTYPE_BIT(FERRY_F64) | FERRY_DTYPE_BIT(FERRY_C64) |
		  FERRY_DTYPE_BIT(FERRY_C128) |
		  FERRY_DTYPE_BIT(FERRY_F8_E4M3FN) |
		  FERRY_DTYPE_BIT(FERRY_F8_E5M2) |
		  FERRY_DTYPE_BIT(FERRY_F8_E4M3FNUZ) |
		  FERRY_DTYPE_BIT(FERRY_F8_E5M2FNUZ) |
		  FERRY_DTYPE_BIT(FERRY_F8_E8M0FNU),
	.probe = probe,
	.read = read_pickle,
	.write_options = write_options,
	.write = write_pickle,
	.losses = losses,
	.scan = torch_pickle_scan,
};

static const struct ferry_format *const formats[] = {
	&pickle_format,
	NULL,
};

FERRY_PLUGIN_EXPORT = {
	.struct_size = sizeof(ferry_plugin_v1),
	.abi_minor = FERRY_ABI_MINOR,
	.name = "pickle",
	.version = "1.0",
	.license = "Apache-2.0",
	.description = "Python pickles, protocols 0 to 5",
	.formats = formats,
};
