/* Fuzz: every format of torch's, read, scanned and made ready to write. */
#include "config.h"

#include <stddef.h>
#include <stdint.h>

#include "formats/pickle/pickle.h"
#include "formats/torch/expand.h"
#include "formats/torch/torch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef int (*read_fn)(const struct ferry_input *in, struct ferry_document *doc,
		       struct ferry_error *err);
typedef int (*scan_fn)(const struct ferry_input *in, struct ferry_store *store,
		       struct ferry_value **out, struct ferry_error *err);

static void write_again(struct ferry_document *doc, bool compact)
{
	struct pickle_writer_options options = {
		.replace = torch_expand,
		.store = doc->store,
	};
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	struct torch_expander x;

	options.ctx = &x;
	if (!torch_expander_init(&x, doc, compact, NULL) &&
	    !torch_expander_report(&x, doc->findings, NULL))
		pickle_write(doc->root, &options, &b, NULL);
	torch_expander_release(&x);
	ferry_buffer_release(&b);
}

static void read_and_write(const struct ferry_input *in, read_fn read,
			   bool compact)
{
	struct ferry_document *doc;

	if (ferry_document_new(&doc, NULL, NULL))
		return;
	if (!read(in, doc, NULL) && !ferry_document_check(doc, NULL))
		write_again(doc, compact);
	ferry_document_free(doc);
}

static void scan(const struct ferry_input *in, scan_fn run)
{
	struct ferry_store *store;
	struct ferry_value *out;

	if (ferry_store_new(&store, NULL))
		return;
	run(in, store, &out, NULL);
	ferry_store_unref(store);
}

static void probe(const uint8_t *data, size_t size)
{
	struct ferry_probe p = { .nbytes = size, .name = "x.pt" };

	p.nhead = size < FERRY_PROBE_BYTES ? size : FERRY_PROBE_BYTES;
	p.head = data;
	p.ntail = p.nhead;
	p.tail = data + size - p.ntail;
	torch_probe(&p);
	torch_script_probe(&p);
	torch_export_probe(&p);
	torch_legacy_probe(&p);
	torch_tar_probe(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ferry_input in = { .path = "fuzz" };

	probe(data, size);
	if (ferry_source_from_memory(&in.source, data, size, "fuzz", NULL))
		return 0;
	read_and_write(&in, torch_read, size & 1);
	read_and_write(&in, torch_export_read, size & 1);
	read_and_write(&in, torch_legacy_read, false);
	read_and_write(&in, torch_tar_read, false);
	scan(&in, torch_scan);
	scan(&in, torch_legacy_scan);
	scan(&in, torch_tar_scan);
	scan(&in, torch_pickle_scan);
	ferry_source_unref(in.source);
	return 0;
}
