/* Zip checkpoints, written as torch.save() of today would, but for the promise
 * of .format_version. */
#include "config.h"

#include "formats/torch/torch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/pickle/pickle.h"
#include "formats/torch/expand.h"
#include "formats/zip/zip.h"

#define ALIGN 64

const struct ferry_option_spec torch_write_options[] = {
	{ "protocol", "2", "pickle protocol: 2, 4 or 5 (weights_only takes "
	  "2 alone)" },
	{ "compact", "no", "write only the bytes of each storage that tensors "
	  "reach" },
	{ NULL, NULL, NULL },
};

static int read_options(const struct ferry_options *options,
			unsigned *protocol, bool *compact,
			struct ferry_error *err)
{
	const char *text = ferry_option(options, "protocol");

	*protocol = 2;
	if (text) {
		if (strcmp(text, "2") && strcmp(text, "4") && strcmp(text, "5"))
			return ferry_fail(err, FERRY_MISUSE, "torch",
					  FERRY_NO_OFFSET, "protocol %s: give "
					  "2, 4 or 5", text);
		*protocol = (unsigned)(text[0] - '0');
	}
	*compact = false;
	if (!ferry_option(options, "compact"))
		return 0;
	return ferry_option_bool(options, "compact", compact, err);
}

/* ---- records ----------------------------------------------------------- */

/* The output's base name up to its last dot, as torch takes it. */
static int add_prefix(struct ferry_buffer *b, const char *name)
{
	const char *dot = strrchr(name, '.');
	size_t n = dot ? (size_t)(dot - name) : strlen(name);

	for (size_t i = 0; i < n; i++) {
		if (name[i] < ' ' || name[i] > '~' || name[i] == '/')
			n = 0;
	}
	if (n)
		ferry_buffer_add(b, name, n);
	else
		ferry_buffer_add_str(b, "archive");
	ferry_buffer_add_str(b, "/");
	return b->failed ? FERRY_NOMEM : 0;
}

struct records {
	struct zip_writer *zip;
	struct ferry_buffer name;	/* begins with the prefix */
	size_t nprefix;
	struct ferry_error *err;
};

static const char *record_name(struct records *r, const char *record)
{
	r->name.n = r->nprefix;
	ferry_buffer_add_str(&r->name, record);
	return r->name.failed ? NULL : r->name.data;
}

static int add_memory(struct records *r, const char *record, const void *data,
		      size_t n)
{
	const char *name = record_name(r, record);

	if (!name)
		return ferry_fail_nomem(r->err, "record name");
	return zip_writer_add_memory(r->zip, name, data, n, r->err);
}

static int add_source(struct records *r, const char *record,
		      struct ferry_source *src, uint64_t offset,
		      uint64_t nbytes)
{
	const char *name = record_name(r, record);

	if (!name)
		return ferry_fail_nomem(r->err, "record name");
	return zip_writer_add_source(r->zip, name, NULL, 0, src, offset, nbytes,
				     r->err);
}

static int add_storages(struct records *r, const struct torch_expander *x)
{
	const struct torch_written *w;
	char key[32];
	int e = 0;

	for (uint32_t i = 0; !e && i < x->n_written; i++) {
		w = x->written[i];
		snprintf(key, sizeof(key), "data/%u", i);
		e = w->end == w->first ? add_memory(r, key, NULL, 0) :
			add_source(r, key, w->storage->source,
				   w->storage->offset + w->first,
				   w->end - w->first);
	}
	return e;
}

static int add_records(struct records *r, const struct torch_expander *x,
		       struct ferry_source *pickle)
{
	int e;

	e = add_source(r, "data.pkl", pickle, 0, pickle->nbytes);
	if (!e)
		e = add_memory(r, "byteorder", "little", 6);
	if (!e)
		e = add_storages(r, x);
	if (!e)
		e = add_memory(r, "version", "3\n", 2);
	return e;
}

static int write_archive(struct ferry_output *output,
			 const struct torch_expander *x,
			 struct ferry_source *pickle,
			 struct ferry_findings *out, struct ferry_error *err)
{
	struct records r = { .err = err };
	struct ferry_sink *sink;
	int e;

	if (add_prefix(&r.name, ferry_output_name(output)))
		return ferry_fail_nomem(err, "record name");
	r.nprefix = r.name.n;
	e = ferry_output_open(output, NULL, &sink, err);
	if (!e)
		e = zip_writer_new(&r.zip, sink, ALIGN, err);
	if (!e)
		zip_writer_findings(r.zip, out);
	if (!e)
		e = add_records(&r, x, pickle);
	if (!e)
		e = zip_writer_run(r.zip, err);
	zip_writer_free(r.zip);
	ferry_buffer_release(&r.name);
	return e;
}

/* ---- the format's callbacks -------------------------------------------- */

int torch_write(struct ferry_document *doc, struct ferry_output *output,
		const struct ferry_options *options,
		struct ferry_findings *out, struct ferry_error *err)
{
	struct pickle_writer_options pickle = {
		.replace = torch_expand,
		.store = doc->store,
	};
	struct ferry_source *data = NULL;
	struct torch_expander x;
	bool compact;
	int r;

	r = read_options(options, &pickle.protocol, &compact, err);
	if (r)
		return r;
	r = torch_expander_init(&x, doc, compact, err);
	pickle.ctx = &x;
	if (!r)
		r = pickle_write_source(doc->root, &pickle, &data, err);
	if (!r)
		r = write_archive(output, &x, data, out, err);
	ferry_source_unref(data);
	torch_expander_release(&x);
	return r;
}

int torch_losses(struct ferry_document *doc,
		 const struct ferry_options *options,
		 struct ferry_findings *out, struct ferry_error *err)
{
	struct torch_expander x;
	int r;

	(void)options;
	r = torch_expander_init(&x, doc, false, err);
	if (!r)
		r = torch_expander_report(&x, out, err);
	if (!r)
		r = pickle_numpy_report(doc, out, err);
	torch_expander_release(&x);
	return r;
}
