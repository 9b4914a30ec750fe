/* Zip checkpoints: torch.save() since 1.4, and TorchScript archives. */
#include "config.h"

#include "formats/torch/torch.h"

#include <stdlib.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/ckd.h>

#include "formats/pickle/pickle.h"
#include "formats/torch/pid.h"
#include "formats/torch/reader.h"

/* A pickle is decoded in memory; a deflated one may be 1000 times its size. */
#define INFLATED_PICKLE_MAX (UINT64_C(1) << 30)

#define VERSION_MAX 10

/* ---- storages ---------------------------------------------------------- */

static int keep(struct ferry_store *store, struct ferry_source *src,
		struct ferry_error *err)
{
	if (!ferry_store_take_source(store, src))
		return 0;
	ferry_source_unref(src);
	return ferry_fail_nomem(err, "source");
}

/* src with its elements in little-endian order: all of them, as a later id can
 * name more of it. */
static int swap(struct ferry_source **src, const struct torch_pid *pid,
		struct ferry_error *err)
{
	unsigned unit = ferry_dtype_swap_size(pid->dtype->dtype);
	struct ferry_source *swapped;
	uint64_t n = (*src)->nbytes;
	int r;

	if (unit <= 1 || pid->untyped || n < unit)
		return 0;
	r = ferry_source_swap_range(&swapped, *src, 0, n - n % unit, unit,
				    (*src)->name, err);
	if (r)
		return r;
	ferry_source_unref(*src);
	*src = swapped;
	return 0;
}

static void survey(struct torch_reader *rd, const struct zip_member *m,
		   struct ferry_source *src)
{
	uint64_t at;
	int fd;

	if (m->method)
		rd->n_deflated++;
	else
		rd->n_stored++;
	if (src->nbytes && ferry_source_file_range(src, 0, src->nbytes, &fd,
						   &at))
		rd->offsets |= at;
}

static int check_record(struct torch_reader *rd, const struct zip_member *m,
			const struct torch_pid *pid, struct ferry_error *err)
{
	char key[120];

	if (m && m->nbytes >= pid->nbytes)
		return 0;
	ferry_escape(key, sizeof(key), pid->key, pid->nkey);
	if (!m)
		return ferry_fail(err, FERRY_MALFORMED, "torch",
				  FERRY_NO_OFFSET, "record %s%s is missing: a "
				  "storage of %llu bytes should be there",
				  rd->folder, key,
				  (unsigned long long)pid->nbytes);
	return ferry_fail(err, FERRY_MALFORMED, "torch", m->header_offset,
			  "record %s%s is short: it has %llu bytes and its "
			  "storage takes %llu", rd->folder, key,
			  (unsigned long long)m->nbytes,
			  (unsigned long long)pid->nbytes);
}

static int open_record(struct torch_reader *rd, const struct torch_pid *pid,
		       struct ferry_source **out, struct ferry_error *err)
{
	const struct zip_member *m;
	int r;

	m = torch_archive_find(&rd->archive, rd->folder, pid->key, pid->nkey);
	/* torch 1.4 */
	if (!m && !rd->archive.script)
		m = torch_archive_find(&rd->archive, "tensors/", pid->key,
				       pid->nkey);
	if (!m && !pid->nbytes)
		return ferry_source_zero(out, 0, err);
	r = check_record(rd, m, pid, err);
	if (!r)
		r = zip_member_source(rd->archive.zip, m, out, err);
	if (r)
		return r;
	survey(rd, m, *out);
	rd->opened[m - zip_member(rd->archive.zip, 0)] = true;
	r = rd->rebuild.big_endian ? swap(out, pid, err) : 0;
	if (r)
		ferry_source_unref(*out);
	return r;
}

static int new_storage(struct torch_reader *rd, const struct torch_pid *pid,
		       struct torch_known *out, struct ferry_error *err)
{
	struct ferry_store *store = rd->doc->store;
	struct ferry_storage *st;
	struct ferry_source *src;
	int r;

	r = open_record(rd, pid, &src, err);
	if (!r)
		r = keep(store, src, err);
	if (r)
		return r;
	st = ferry_storage(store, pid->dtype->dtype, src, 0, pid->nbytes);
	if (!st)
		return ferry_fail_nomem(err, "storage");
	if (pid->untyped)
		st->flags |= FERRY_UNTYPED;
	*out = (struct torch_known){ st, ferry_storage_value(store, st) };
	return out->value ? 0 : ferry_fail_nomem(err, "storage");
}

/* Named again: torch goes by the first class and the storage as it is; a larger
 * size is taken if the record has it. */
static int same_storage(struct torch_reader *rd, const struct torch_pid *pid,
			struct ferry_storage *st, struct ferry_error *err)
{
	bool untyped = st->flags & FERRY_UNTYPED;

	if (pid->nbytes > st->nbytes && pid->nbytes <= st->source->nbytes)
		st->nbytes = pid->nbytes;
	if ((pid->dtype->dtype == st->dtype && pid->untyped == untyped) ||
	    rd->warned_class)
		return 0;
	rd->warned_class = true;
	if (ferry_findings_add(rd->doc->findings, FERRY_WARNING,
			       "storage-class", "", FERRY_NO_OFFSET,
			       "a storage is named with two classes: the first "
			       "counts, as in torch"))
		return ferry_fail_nomem(err, "findings");
	return 0;
}

static int persistent(void *ctx, struct ferry_store *store,
		      struct ferry_value *id, struct ferry_value **out,
		      struct ferry_error *err)
{
	struct torch_reader *rd = ctx;
	struct torch_known *known;
	struct torch_pid pid;
	int r;

	r = torch_pid_parse(id, &pid, err);
	if (r)
		return r;
	if (pid.module) {
		*out = pid.module;
		return 0;
	}
	known = torch_known_take(&rd->storages, store, pid.key, pid.nkey);
	if (!known)
		return ferry_fail_nomem(err, "index of storages");
	r = known->value ? same_storage(rd, &pid, known->storage, err) :
			   new_storage(rd, &pid, known, err);
	*out = known->value;
	return r;
}

static int reduce(void *ctx, struct ferry_store *store,
		  struct ferry_value *object, bool built,
		  struct ferry_value **out, struct ferry_error *err)
{
	struct torch_reader *rd = ctx;

	return torch_rebuild_reduce(&rd->rebuild, store, object, built, out,
				    err);
}

/* ---- the pickle -------------------------------------------------------- */

static int open_pickle(struct torch_reader *rd, const char *record,
		       struct ferry_source **out, struct ferry_error *err)
{
	const struct zip_member *m;
	int r;

	m = torch_archive_find(&rd->archive, "", record, strlen(record));
	if (!m)
		return ferry_fail(err, FERRY_MALFORMED, "torch",
				  FERRY_NO_OFFSET, "record %s is missing",
				  record);
	if (m->method && m->nbytes > INFLATED_PICKLE_MAX)
		return ferry_fail(err, FERRY_LIMIT, "torch", m->header_offset,
				  "record %s is deflated and would be %llu "
				  "bytes: more than 1 GiB is refused", record,
				  (unsigned long long)m->nbytes);
	r = zip_member_source(rd->archive.zip, m, out, err);
	return r ? r : keep(rd->doc->store, *out, err);
}

int torch_reader_pickle(struct torch_reader *rd, const char *record,
			struct ferry_value **out, unsigned *protocol,
			struct ferry_error *err)
{
	struct pickle_reader_options options = {
		.persistent = persistent,
		.reduce = reduce,
		.ctx = rd,
		.origin = "torch",
		.findings = rd->doc->findings,
	};
	struct ferry_source *src;
	uint8_t head[2] = { 0 };
	uint64_t end;
	int r;

	r = open_pickle(rd, record, &src, err);
	if (r)
		return r;
	if (src->nbytes >= sizeof(head))
		r = ferry_source_read(src, head, 0, sizeof(head), err);
	if (r)
		return r;
	*protocol = head[0] == 0x80 ? head[1] : 0;
	return pickle_read(src, 0, rd->doc->store, &options, out, &end, err);
}

/* ---- the small records ------------------------------------------------- */

static int read_version(struct torch_reader *rd, long *out,
			struct ferry_error *err)
{
	char text[32], *end;
	size_t n;
	int r;

	*out = 0;
	r = torch_archive_text(&rd->archive, ".data/version", text,
			       sizeof(text) - 1, &n, err);
	if (!r && n == SIZE_MAX)
		r = torch_archive_text(&rd->archive, "version", text,
				       sizeof(text) - 1, &n, err);
	if (r)
		return r;
	if (n == SIZE_MAX) {
		if (ferry_findings_add(rd->doc->findings, FERRY_WARNING,
				       "no-version", "", FERRY_NO_OFFSET,
				       "there is no version record: torch "
				       "itself refuses this file"))
			return ferry_fail_nomem(err, "findings");
		return 0;
	}
	text[n] = '\0';
	*out = strtol(text, &end, 10);
	if (end == text || *out < 1)
		return ferry_fail(err, FERRY_MALFORMED, "torch",
				  FERRY_NO_OFFSET, "version record is not a "
				  "number from 1 to %d", VERSION_MAX);
	if (*out > VERSION_MAX)
		return ferry_fail(err, FERRY_UNSUPPORTED, "torch",
				  FERRY_NO_OFFSET, "version record says %ld: "
				  "%d is the newest that is known", *out,
				  VERSION_MAX);
	return 0;
}

static int read_byteorder(struct torch_reader *rd, struct ferry_error *err)
{
	char text[8] = "";
	size_t n;
	int r;

	r = torch_archive_text(&rd->archive, "byteorder", text, sizeof(text),
			       &n, err);
	if (r || n == SIZE_MAX || (n == 6 && !memcmp(text, "little", 6)))
		return r;
	if (n == 3 && !memcmp(text, "big", 3)) {
		rd->rebuild.big_endian = true;
		return 0;
	}
	return ferry_fail(err, FERRY_MALFORMED, "torch", FERRY_NO_OFFSET,
			  "byteorder record is neither \"little\" nor \"big\"");
}

/* ---- what the file tells about itself ---------------------------------- */

static bool has(struct torch_reader *rd, const char *record)
{
	return torch_archive_find(&rd->archive, "", record, strlen(record));
}

/* The key of a storage's record, or NULL when m is not one. */
static const char *storage_key(const struct torch_reader *rd,
			       const struct zip_member *m)
{
	size_t n = rd->archive.nprefix;

	if (m->name_len <= n + 5 || memcmp(m->name + n, "data/", 5))
		return NULL;
	return m->name + n + 5;
}

struct key_order {
	size_t n;
	bool pointers;		/* some key is no counter */
	bool lexicographic;
};

static void survey_keys(const struct torch_reader *rd, struct key_order *out)
{
	const char *key, *last = NULL;

	*out = (struct key_order){ .lexicographic = true };
	for (size_t i = 0; i < zip_count(rd->archive.zip); i++) {
		key = storage_key(rd, zip_member(rd->archive.zip, i));
		if (!key)
			continue;
		out->n++;
		if (strtoull(key, NULL, 10) >= zip_count(rd->archive.zip))
			out->pointers = true;
		if (last && strcmp(last, key) > 0)
			out->lexicographic = false;
		last = key;
	}
}

/* Which releases write this set of records in this order. */
static const char *guess_writer(struct torch_reader *rd)
{
	const struct zip_member *first = zip_member(rd->archive.zip, 0);
	size_t n = rd->archive.nprefix;
	struct key_order keys;

	if (has(rd, ".format_version"))
		return "torch 2.7 or later";
	if (has(rd, ".data/serialization_id"))
		return "torch 2.1 to 2.6";
	if (has(rd, "byteorder"))
		return "another program than torch";
	if (first->name_len > n && !strcmp(first->name + n, "version"))
		return "torch 1.4 or 1.5";
	survey_keys(rd, &keys);
	if (keys.pointers)
		return "torch 1.6 to 1.8";
	if (!keys.lexicographic)
		return "another program than torch";
	return keys.n ? "torch 1.9 to 2.0" : "torch 1.6 to 2.0";
}

static int set(struct ferry_document *doc, const char *key,
	       struct ferry_value *value)
{
	if (!value)
		return FERRY_NOMEM;
	return ferry_dict_set_str(doc->store, doc->about, key, value);
}

static int set_text(struct torch_reader *rd, const char *key,
		    const char *record)
{
	struct ferry_error ignored = FERRY_ERROR_INIT;
	char text[64];
	size_t n;

	if (torch_archive_text(&rd->archive, record, text, sizeof(text), &n,
			       &ignored) || n == SIZE_MAX)
		return 0;
	while (n && text[n - 1] == '\n')
		n--;
	return set(rd->doc, key, ferry_string(rd->doc->store, text, n));
}

static int set_alignment(struct torch_reader *rd)
{
	uint64_t align = rd->offsets & -rd->offsets;

	if (!align)
		return 0;
	return set(rd->doc, "alignment",
		   ferry_int(rd->doc->store, align < 4096 ? (int)align : 4096));
}

static int describe(struct torch_reader *rd, long version, unsigned protocol,
		    struct ferry_error *err)
{
	struct ferry_document *doc = rd->doc;
	struct ferry_store *s = doc->store;
	bool script = rd->archive.script;

	doc->about = ferry_dict(s, 12);
	if (!doc->about ||
	    set(doc, "kind", ferry_cstring(s, script ? "torchscript" :
					   "torch.save")) ||
	    (version && set(doc, "version", ferry_int(s, version))) ||
	    set_text(rd, "format_version", ".format_version") ||
	    set(doc, "byteorder", ferry_cstring(s, rd->rebuild.big_endian ?
						"big" : "little")) ||
	    (!script && set(doc, "writer", ferry_cstring(s,
							 guess_writer(rd)))) ||
	    (protocol && set(doc, "protocol", ferry_int(s, protocol))) ||
	    set(doc, "records",
		ferry_uint(s, zip_count(rd->archive.zip))) ||
	    set(doc, "storages", ferry_uint(s, rd->storages.n)) ||
	    set(doc, "compressed", ferry_bool(rd->n_deflated)) ||
	    set(doc, "mmap", ferry_bool(!rd->n_deflated && !script)) ||
	    set_alignment(rd))
		return ferry_fail_nomem(err, "description");
	return 0;
}

/* ---- the format's callbacks -------------------------------------------- */

static int read_archive(struct torch_reader *rd, struct ferry_error *err)
{
	unsigned protocol = 0;
	long version;
	int r;

	r = read_version(rd, &version, err);
	if (!r)
		r = read_byteorder(rd, err);
	if (!r)
		r = torch_reader_pickle(rd, "data.pkl", &rd->doc->root,
					&protocol, err);
	if (!r)
		r = describe(rd, version, protocol, err);
	if (!r)
		r = torch_records_report(rd, err);
	if (!r && rd->archive.script)
		r = torch_script_complete(rd, err);
	return r;
}

int torch_read(const struct ferry_input *in, struct ferry_document *doc,
	       struct ferry_error *err)
{
	struct torch_reader rd = {
		.rebuild = { .store = doc->store, .findings = doc->findings },
		.doc = doc,
		.folder = "data/",
	};
	int r;

	r = torch_archive_open(&rd.archive, in->source, doc->findings, err);
	if (r)
		return r;
	rd.opened = ferry_alloc_zero(zip_count(rd.archive.zip),
				     sizeof(*rd.opened));
	r = rd.opened ? read_archive(&rd, err) :
			ferry_fail_nomem(err, "records of an archive");
	ferry_map_release(&rd.storages);
	ferry_alloc_free(rd.opened);
	torch_rebuild_release(&rd.rebuild);
	torch_archive_close(&rd.archive);
	return r;
}

int torch_verify(const struct ferry_input *in, struct ferry_document *doc,
		 struct ferry_work *work, struct ferry_findings *out,
		 struct ferry_error *err)
{
	struct zip *zip;
	int r;

	(void)doc;
	r = zip_open(&zip, in->source, false, err);
	if (r)
		return r;
	r = zip_verify(zip, work, out, err);
	zip_free(zip);
	return r;
}
