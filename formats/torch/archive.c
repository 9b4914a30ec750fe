/* The records of a zip checkpoint. */
#include "config.h"

#include "formats/torch/archive.h"

#include <string.h>

#include <ferry/sys/bytes.h>

#define MAIN_RECORD "data.pkl"
#define MACOS_FOLDER "__MACOSX/"

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool begins(const struct zip_member *m, const char *text, size_t n)
{
	return m->name_len >= n && !memcmp(m->name, text, n);
}

/* m is `record` in some folder, or in none. */
static bool is_record(const struct zip_member *m, const char *record, bool fold)
{
	size_t n = strlen(record);
	const char *last;

	if (m->name_len < n || begins(m, MACOS_FOLDER, strlen(MACOS_FOLDER)))
		return false;
	last = m->name + m->name_len - n;
	if (last > m->name && last[-1] != '/')
		return false;
	for (size_t i = 0; i < n; i++) {
		if ((fold ? lower(last[i]) : last[i]) != record[i])
			return false;
	}
	return true;
}

static bool has_record(const struct torch_archive *a, const char *record)
{
	for (size_t i = 0; i < zip_count(a->zip); i++) {
		if (is_record(zip_member(a->zip, i), record, false))
			return true;
	}
	return false;
}

static int fail_kind(const struct torch_archive *a, struct ferry_error *err)
{
	static const struct {
		const char *record, *text;
	} kinds[] = {
		{ "archive_format", "torch.export archive (.pt2): read it as "
		  "torch-export" },
		{ "model.json", "TorchScript archive of torch 1.0 to 1.2, "
		  "whose layout is not read: load and save it with torch 1.3 "
		  "to 1.13" },
		{ "extern_modules", "torch.package archive: it holds code and "
		  "resources, not one checkpoint" },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (has_record(a, kinds[i].record))
			return ferry_fail(err, FERRY_UNSUPPORTED, "torch",
					  FERRY_NO_OFFSET, "%s", kinds[i].text);
	}
	return ferry_fail(err, FERRY_MALFORMED, "torch", FERRY_NO_OFFSET,
			  "zip archive of %zu record%s has no %s: not a "
			  "checkpoint", zip_count(a->zip),
			  zip_count(a->zip) == 1 ? "" : "s", MAIN_RECORD);
}

static int fail_two(const struct zip_member *x, const struct zip_member *y,
		    struct ferry_error *err)
{
	char a[200], b[200];

	ferry_escape(a, sizeof(a), x->name, x->name_len);
	ferry_escape(b, sizeof(b), y->name, y->name_len);
	return ferry_fail(err, FERRY_MALFORMED, "torch", FERRY_NO_OFFSET,
			  "two checkpoints in one archive, \"%s\" and \"%s\": "
			  "unpack it and pack each alone", a, b);
}

/* Where torch would look: the folder of the first entry. */
static bool in_first_folder(const struct torch_archive *a,
			    const struct zip_member *m)
{
	const struct zip_member *first = zip_member(a->zip, 0);
	const char *slash = memchr(first->name, '/', first->name_len);
	size_t n;

	if (!slash)
		return false;
	n = (size_t)(slash - first->name) + 1;
	return m->name_len == n + strlen(MAIN_RECORD) &&
	       begins(m, first->name, n);
}

static int find_folder(struct torch_archive *a, struct ferry_error *err)
{
	const struct zip_member *found = NULL, *other = NULL;

	for (int fold = 0; !found && fold < 2; fold++) {
		a->fold = fold;
		for (size_t i = 0; i < zip_count(a->zip); i++) {
			const struct zip_member *m = zip_member(a->zip, i);

			if (!is_record(m, MAIN_RECORD, a->fold))
				continue;
			if (found)
				other = m;
			if (!found || in_first_folder(a, m))
				found = m;
		}
	}
	if (!found)
		return fail_kind(a, err);
	if (other && !in_first_folder(a, found))
		return fail_two(found, other, err);
	a->prefix = found->name;
	a->nprefix = found->name_len - strlen(MAIN_RECORD);
	return 0;
}

/* ---- names whatever their case ----------------------------------------- */

static int fold_names(struct torch_archive *a)
{
	char *p;

	for (size_t i = 0; i < zip_count(a->zip); i++) {
		const struct zip_member *m = zip_member(a->zip, i);

		p = ferry_buffer_extend(&a->names, m->name_len);
		for (size_t k = 0; p && k < m->name_len; k++)
			p[k] = lower(m->name[k]);
	}
	if (a->names.failed)
		return FERRY_NOMEM;
	p = a->names.data;
	for (size_t i = 0; i < zip_count(a->zip); i++) {
		size_t n = zip_member(a->zip, i)->name_len;

		if (ferry_map_put(&a->folded, p, n, i))
			return FERRY_NOMEM;
		p += n;
	}
	return 0;
}

const struct zip_member *torch_archive_find(struct torch_archive *a,
					    const char *folder,
					    const char *key, size_t n)
{
	const struct zip_member *m;
	uint64_t i;

	a->wanted.n = 0;
	ferry_buffer_add(&a->wanted, a->prefix, a->nprefix);
	ferry_buffer_add_str(&a->wanted, folder);
	ferry_buffer_add(&a->wanted, key, n);
	if (a->wanted.failed)
		return NULL;
	m = zip_find(a->zip, a->wanted.data, a->wanted.n);
	if (m || !a->fold)
		return m;
	for (size_t k = 0; k < a->wanted.n; k++)
		a->wanted.data[k] = lower(a->wanted.data[k]);
	if (!ferry_map_get(&a->folded, a->wanted.data, a->wanted.n, &i))
		return NULL;
	return zip_member(a->zip, (size_t)i);
}

/* ---- opening ----------------------------------------------------------- */

/* What ferry reads and torch would not. */
static int warn_lenient(struct torch_archive *a, struct ferry_source *src,
			struct ferry_findings *findings)
{
	const char *slash = memchr(a->prefix, '/', a->nprefix);
	size_t outside = 0;
	uint8_t head[4];
	int r = 0;

	for (size_t i = 0; i < zip_count(a->zip); i++)
		outside += !begins(zip_member(a->zip, i), a->prefix,
				   a->nprefix);
	if (!a->nprefix || slash + 1 != a->prefix + a->nprefix)
		r = ferry_findings_add(findings, FERRY_WARNING, "folder", "",
				       FERRY_NO_OFFSET, "records are not in "
				       "one top-level folder: torch itself "
				       "refuses this file");
	else if (outside)
		r = ferry_findings_add(findings, FERRY_WARNING, "folder", "",
				       FERRY_NO_OFFSET, "%zu record%s outside "
				       "the checkpoint's folder: torch itself "
				       "refuses this file", outside,
				       outside == 1 ? " lies" : "s lie");
	if (!r && !ferry_source_read(src, head, 0, sizeof(head), NULL) &&
	    ferry_le32(head) != UINT32_C(0x04034b50))
		r = ferry_findings_add(findings, FERRY_WARNING, "embedded", "",
				       0, "archive begins behind other bytes: "
				       "torch itself can't load it in place");
	return r;
}

int torch_archive_open(struct torch_archive *a, struct ferry_source *src,
		       struct ferry_findings *findings,
		       struct ferry_error *err)
{
	int r;

	memset(a, 0, sizeof(*a));
	r = zip_open(&a->zip, src, false, err);
	if (r)
		return r;
	r = find_folder(a, err);
	if (!r && ((a->fold && fold_names(a)) ||
		   warn_lenient(a, src, findings)))
		r = ferry_fail_nomem(err, "names of records");
	if (r) {
		torch_archive_close(a);
		return r;
	}
	a->script = torch_archive_find(a, "", "constants.pkl", 13);
	return 0;
}

void torch_archive_close(struct torch_archive *a)
{
	ferry_map_release(&a->folded);
	ferry_buffer_release(&a->names);
	ferry_buffer_release(&a->wanted);
	zip_free(a->zip);
	memset(a, 0, sizeof(*a));
}

int torch_archive_text(struct torch_archive *a, const char *record, char *buf,
		       size_t cap, size_t *n, struct ferry_error *err)
{
	const struct zip_member *m;
	struct ferry_source *src;
	int r;

	*n = SIZE_MAX;
	m = torch_archive_find(a, "", record, strlen(record));
	if (!m)
		return 0;
	r = zip_member_source(a->zip, m, &src, err);
	if (r)
		return r;
	*n = src->nbytes < cap ? (size_t)src->nbytes : cap;
	r = ferry_source_read(src, buf, 0, *n, err);
	ferry_source_unref(src);
	return r;
}
