/* numpy's .npy and .npz as formats. */
#include "config.h"

#include <string.h>

#include <ferry/sys/bytes.h>
#include <ferry/sys/plugin.h>

#include "formats/numpy/numpy.h"

/* ---- options ------------------------------------------------------------ */

static const struct ferry_option_spec read_options[] = {
	{ "npy-v2", "bf16", "2-byte elements without a type: bf16 or raw" },
	{ "npy-v1", NULL,
	  "1-byte elements without a type: float8_e4m3fn, ... or raw" },
	{ "npz-ratio", "sane",
	  "any: take members that inflate to more than 4 GiB and 100 times" },
	{ 0 },
};

static const struct ferry_option_spec write_options[] = {
	{ "bfloat16", "V2",
	  "bfloat16, which numpy lacks: V2 (as jax does) or f32" },
	{ 0 },
};

static int misuse(struct ferry_error *err, const char *name, const char *text,
		  const char *known)
{
	char quoted[64];

	ferry_escape(quoted, sizeof(quoted), text, strlen(text));
	return ferry_fail(err, FERRY_MISUSE, "numpy", FERRY_NO_OFFSET,
			  "option %s is '%s', and takes %s", name, quoted,
			  known);
}

static int set_v1(const char *text, struct numpy_read_options *out,
		  struct ferry_error *err)
{
	enum ferry_dtype d;

	if (!text)
		return 0;
	out->v1_raw = !strcmp(text, "raw");
	if (out->v1_raw)
		return 0;
	d = ferry_dtype_find(text);
	if (ferry_dtype_bits(d) != 8 || !ferry_dtype_is_float(d))
		return misuse(err, "npy-v1", text,
			      "a float8 dtype or 'raw'");
	out->v1 = d;
	return 0;
}

static int get_read_options(const struct ferry_options *o,
			    struct numpy_read_options *out,
			    struct ferry_error *err)
{
	const char *v2 = ferry_option(o, "npy-v2");
	const char *ratio = ferry_option(o, "npz-ratio");

	memset(out, 0, sizeof(*out));
	if (v2 && strcmp(v2, "bf16") && strcmp(v2, "bfloat16") &&
	    strcmp(v2, "raw"))
		return misuse(err, "npy-v2", v2, "'bf16' or 'raw'");
	if (ratio && strcmp(ratio, "sane") && strcmp(ratio, "any"))
		return misuse(err, "npz-ratio", ratio, "'sane' or 'any'");
	out->v2_raw = v2 && !strcmp(v2, "raw");
	out->any_ratio = ratio && !strcmp(ratio, "any");
	return set_v1(ferry_option(o, "npy-v1"), out, err);
}

static int get_write_options(const struct ferry_options *o,
			     struct numpy_write_options *out,
			     struct ferry_error *err)
{
	const char *text = ferry_option(o, "bfloat16");

	memset(out, 0, sizeof(*out));
	if (!text || !strcmp(text, "V2"))
		return 0;
	out->bf16_as_f32 = !strcmp(text, "f32") || !strcmp(text, "float32");
	return out->bf16_as_f32 ? 0 : misuse(err, "bfloat16", text,
					     "'V2' or 'f32'");
}

/* ---- npy ---------------------------------------------------------------- */

static int npy_probe(const struct ferry_probe *p)
{
	size_t text;

	if (p->nhead < NPY_MAGIC_NBYTES ||
	    memcmp(p->head, NPY_MAGIC, NPY_MAGIC_NBYTES))
		return 0;
	if (p->nhead < 13 || p->head[6] < 1 || p->head[6] > 3)
		return 80;
	text = p->head[6] == 1 ? 10 : 12;
	return p->head[text] == '{' ? 100 : 80;
}

static int read_npy(const struct ferry_input *in, struct ferry_document *doc,
		    struct ferry_error *err)
{
	struct numpy_read_options options;
	int rc = get_read_options(in->options, &options, err);

	return rc ? rc : npy_read(in->source, doc, &options, err);
}

static int write_npy(struct ferry_document *doc, struct ferry_output *output,
		     const struct ferry_options *o, struct ferry_findings *out,
		     struct ferry_error *err)
{
	struct numpy_write_options options;
	struct ferry_sink *sink;
	int rc = get_write_options(o, &options, err);

	if (!rc)
		rc = ferry_output_open(output, NULL, &sink, err);
	return rc ? rc : npy_write(doc, sink, &options, out, err);
}

static int losses_npy(struct ferry_document *doc, const struct ferry_options *o,
		      struct ferry_findings *out, struct ferry_error *err)
{
	struct numpy_write_options options;
	int rc = get_write_options(o, &options, err);

	return rc ? rc : npy_losses(doc, &options, out, err);
}

static int scan_npy(const struct ferry_input *in, struct ferry_store *store,
		    struct ferry_value **out, struct ferry_error *err)
{
	return npy_scan(in->source, store, out, err);
}

static const char *const npy_suffixes[] = { ".npy", NULL };

static const struct ferry_format npy_format = {
	.struct_size = sizeof(npy_format),
	.name = "npy",
	.title = "numpy array",
	.suffixes = npy_suffixes,
	.flags = FERRY_FORMAT_TENSORS,
	.dtypes = FERRY_DTYPE_BIT(FERRY_BOOL8) | FERRY_DTYPE_BIT(FERRY_U8) |
		  FERRY_DTYPE_BIT(FERRY_I8) | FERRY_DTYPE_BIT(FERRY_U16) |
		  FERRY_DTYPE_BIT(FERRY_I16) | FERRY_DTYPE_BIT(FERRY_U32) |
		  FERRY_DTYPE_BIT(FERRY_I32) | FERRY_DTYPE_BIT(FERRY_U64) |
		  FERRY_DTYPE_BIT(FERRY_I64) | FERRY_DTYPE_BIT(FERRY_F16) |
		  FERRY_DTYPE_BIT(FERRY_BF16) | FERRY_DTYPE_BIT(FERRY_F32) |
		  FERRY_DTYPE_BIT(FERRY_F64) | FERRY_DTYPE_BIT(FERRY_C64) |
		  FERRY_DTYPE_BIT(FERRY_C128),
	.probe = npy_probe,
	.read_options = read_options,
	.read = read_npy,
	.write_options = write_options,
	.write = write_npy,
	.losses = losses_npy,
	.scan = scan_npy,
};

/* ---- npz ---------------------------------------------------------------- */

#define LOCAL_SIGNATURE 0x04034b50
#define END_SIGNATURE 0x06054b50
#define LOCAL_NBYTES 30

static bool ends_in(const char *text, size_t n, const char *end)
{
	size_t most = strlen(end);

	return n >= most && !memcmp(text + n - most, end, most);
}

/* The first member tells; an archive may also begin with something else, or
 * be empty, and then its name does. */
static int npz_probe(const struct ferry_probe *p)
{
	int by_name = ends_in(p->name, strlen(p->name), ".npz") ? 70 : 0;
	const char *first = (const char *)p->head + LOCAL_NBYTES;
	size_t n;

	if (p->nhead < 22)
		return 0;
	if (ferry_le32(p->head) == END_SIGNATURE)
		return by_name;
	if (p->nhead < LOCAL_NBYTES || ferry_le32(p->head) != LOCAL_SIGNATURE)
		return 0;
	n = ferry_le16(p->head + 26);
	if (n > p->nhead - LOCAL_NBYTES)
		return by_name;
	if (ends_in(first, n, ".npy") ||
	    (n == strlen(NPZ_DOCUMENT) && ends_in(first, n, NPZ_DOCUMENT)))
		return 95;
	return by_name;
}

static int read_npz(const struct ferry_input *in, struct ferry_document *doc,
		    struct ferry_error *err)
{
	struct numpy_read_options options;
	int rc = get_read_options(in->options, &options, err);

	return rc ? rc : npz_read(in->source, doc, &options, err);
}

static int write_npz(struct ferry_document *doc, struct ferry_output *output,
		     const struct ferry_options *o, struct ferry_findings *out,
		     struct ferry_error *err)
{
	struct numpy_write_options options;
	struct ferry_sink *sink;
	int rc = get_write_options(o, &options, err);

	if (!rc)
		rc = ferry_output_open(output, NULL, &sink, err);
	return rc ? rc : npz_write(doc, sink, &options, out, err);
}

static int losses_npz(struct ferry_document *doc, const struct ferry_options *o,
		      struct ferry_findings *out, struct ferry_error *err)
{
	struct numpy_write_options options;
	int rc = get_write_options(o, &options, err);

	return rc ? rc : npz_losses(doc, &options, out, err);
}

static int verify_npz(const struct ferry_input *in, struct ferry_document *doc,
		      struct ferry_work *work, struct ferry_findings *out,
		      struct ferry_error *err)
{
	(void)doc;
	return npz_verify(in->source, work, out, err);
}

static int scan_npz(const struct ferry_input *in, struct ferry_store *store,
		    struct ferry_value **out, struct ferry_error *err)
{
	return npz_scan(in->source, store, out, err);
}

static const char *const npz_suffixes[] = { ".npz", NULL };

static const struct ferry_format npz_format = {
	.struct_size = sizeof(npz_format),
	.name = "npz",
	.title = "numpy archive of arrays",
	.suffixes = npz_suffixes,
	.flags = FERRY_FORMAT_TENSORS | FERRY_FORMAT_LOSSLESS,
	.dtypes = ~UINT64_C(0),
	.probe = npz_probe,
	.read_options = read_options,
	.read = read_npz,
	.write_options = write_options,
	.write = write_npz,
	.losses = losses_npz,
	.verify = verify_npz,
	.scan = scan_npz,
};

/* ---- the plugin --------------------------------------------------------- */

static const struct ferry_format *const formats[] = {
	&npy_format,
	&npz_format,
	NULL,
};

FERRY_PLUGIN_EXPORT = {
	.struct_size = sizeof(ferry_plugin_v1),
	.abi_minor = FERRY_ABI_MINOR,
	.name = "numpy",
	.version = "1.0",
	.license = "Apache-2.0",
	.description = "numpy arrays (.npy) and archives of them (.npz)",
	.formats = formats,
};
