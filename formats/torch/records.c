/* Records of an archive that its document does not come from. */
#include "config.h"

#include "formats/torch/pid.h"
#include "formats/torch/reader.h"

#include <string.h>

#define SHOWN_RECORDS 3

enum owner {
	CHECKPOINT,
	PROGRAM,
	NOBODY,
};

static bool begins(const char *name, size_t n, const char *with)
{
	return n >= strlen(with) && !memcmp(name, with, strlen(with));
}

static bool is_one_of(const char *name, size_t n, const char *const *list)
{
	for (; *list; list++)
		if (strlen(*list) == n && !memcmp(name, *list, n))
			return true;
	return false;
}

/* What torch writes, and what systems that unpack and pack leave. */
static bool is_known(const char *name, size_t n)
{
	static const char *const names[] = {
		"data.pkl", "version", "byteorder", "constants.pkl", NULL,
	};

	return is_one_of(name, n, names) || name[0] == '.' ||
	       name[n - 1] == '/' || begins(name, n, "__MACOSX/");
}

static bool is_storage(const struct torch_reader *rd, const char *name,
		       size_t n)
{
	static const char *const folders[] = {
		"data/", "tensors/", "constants/", NULL,
	};

	for (size_t i = 0; folders[i]; i++) {
		size_t k = strlen(folders[i]);

		if (begins(name, n, folders[i]))
			return rd->archive.script ||
			       torch_known_find(&rd->storages, name + k,
						n - k);
	}
	return false;
}

static bool is_code(const struct torch_reader *rd, const char *name, size_t n)
{
	static const char *const names[] = {
		"bytecode.pkl", "metadata.pkl", "mobile_debug_handles.pkl",
		"callstack_debug_map.pkl", NULL,
	};

	return rd->archive.script &&
	       (begins(name, n, "code/") || is_one_of(name, n, names));
}

/* A name under the checkpoint's folder; what lies outside of it is told when
 * the archive is opened. */
static enum owner owner_of(const struct torch_reader *rd,
			   const struct zip_member *m)
{
	const struct torch_archive *a = &rd->archive;
	const char *name = m->name + a->nprefix;
	size_t n = m->name_len - a->nprefix;

	if (is_storage(rd, name, n) || is_known(name, n))
		return CHECKPOINT;
	return is_code(rd, name, n) ? PROGRAM : NOBODY;
}

static int report(struct torch_reader *rd, const struct ferry_buffer *shown,
		  uint64_t n, bool code, struct ferry_error *err)
{
	struct ferry_findings *out = rd->doc->findings;

	if (shown->failed ||
	    (n && ferry_findings_add(out, FERRY_WARNING, "files", "",
				     FERRY_NO_OFFSET, "%llu record%s of the "
				     "archive %s no part of the checkpoint: "
				     "%s%s", (unsigned long long)n,
				     n == 1 ? "" : "s", n == 1 ? "is" : "are",
				     shown->data,
				     n > SHOWN_RECORDS ? ", ..." : "")) ||
	    (code && ferry_findings_add(out, FERRY_WARNING, "program", "",
					FERRY_NO_OFFSET, "the module's code "
					"is not read: what can be taken out "
					"are its parameters, buffers, "
					"constants and attributes")))
		return ferry_fail_nomem(err, "findings");
	return 0;
}

int torch_records_report(struct torch_reader *rd, struct ferry_error *err)
{
	const struct torch_archive *a = &rd->archive;
	struct ferry_buffer shown = FERRY_BUFFER_INIT;
	bool code = false;
	char text[200];
	uint64_t n = 0;
	int r;

	/* Names whatever their case are not torch's own: they stay untold. */
	for (size_t i = 0; !a->fold && i < zip_count(a->zip); i++) {
		const struct zip_member *m = zip_member(a->zip, i);
		enum owner owner;

		if (rd->opened[i] || m->name_len <= a->nprefix ||
		    memcmp(m->name, a->prefix, a->nprefix))
			continue;
		owner = owner_of(rd, m);
		code |= owner == PROGRAM;
		if (owner != NOBODY || n++ >= SHOWN_RECORDS)
			continue;
		ferry_escape(text, sizeof(text), m->name + a->nprefix,
			     m->name_len - a->nprefix);
		ferry_buffer_printf(&shown, "%s%s", n > 1 ? ", " : "", text);
	}
	r = report(rd, &shown, n, code, err);
	ferry_buffer_release(&shown);
	return r;
}
