/* The list of findings: the first ones kept, all counted. */
#include "config.h"

#include <ferry/findings.h>

#include <stdio.h>
#include <string.h>

#include <ferry/sys/alloc.h>

#include "core/base/utf8.h"

enum {
	KEPT = 10000,
	TEXT = 1024,		/* bytes of a path or text, escaped */
};

struct ferry_findings {
	struct ferry_finding *kept;
	size_t n, cap;
	size_t count[FERRY_VIOLATION + 1];
};

int ferry_findings_new(struct ferry_findings **out, struct ferry_error *err)
{
	struct ferry_findings *f = ferry_alloc_zero(1, sizeof(*f));

	if (!f)
		return ferry_fail_nomem(err, "findings");
	*out = f;
	return 0;
}

void ferry_findings_free(struct ferry_findings *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n; i++)
		ferry_alloc_free((char *)f->kept[i].code);
	ferry_alloc_free(f->kept);
	ferry_alloc_free(f);
}

/*
 * A sentence is escaped but for its backslashes: it may quote what
 * ferry_escape() has escaped already.
 */
static void escape_sentence(char *out, size_t cap, const char *text)
{
	const char *slash = strchr(text, '\\');
	size_t n;

	while (slash && cap > 1) {
		ferry_escape(out, cap, text, (size_t)(slash - text));
		n = strlen(out);
		out += n;
		cap -= n;
		if (cap < 2)
			return;
		*out++ = '\\';
		cap--;
		text = slash + 1;
		slash = strchr(text, '\\');
	}
	ferry_escape(out, cap, text, strlen(text));
}

static int reserve(struct ferry_findings *f)
{
	size_t cap = f->cap ? 2 * f->cap : 8;
	struct ferry_finding *kept;

	if (f->n < f->cap)
		return 0;
	kept = ferry_alloc_resize(f->kept, cap, sizeof(*kept));
	if (!kept)
		return FERRY_NOMEM;
	f->kept = kept;
	f->cap = cap;
	return 0;
}

/* The three strings lie in one allocation, the code first. */
static int keep(struct ferry_findings *f, enum ferry_level level,
		const char *code, const char *path, uint64_t offset,
		const char *text)
{
	size_t nc = strlen(code) + 1, np = strlen(path) + 1;
	size_t nt = strlen(text) + 1;
	char *all;

	if (reserve(f))
		return FERRY_NOMEM;
	all = ferry_alloc(nc + np + nt);
	if (!all)
		return FERRY_NOMEM;
	memcpy(all, code, nc);
	memcpy(all + nc, path, np);
	memcpy(all + nc + np, text, nt);
	f->kept[f->n++] = (struct ferry_finding){
		.level = level, .code = all, .path = all + nc,
		.offset = offset, .text = all + nc + np,
	};
	return 0;
}

int ferry_findings_add(struct ferry_findings *f, enum ferry_level level,
		       const char *code, const char *path, uint64_t offset,
		       const char *fmt, ...)
{
	char raw[TEXT], text[TEXT], where[TEXT];
	va_list args;
	int len;

	if (!f)
		return 0;
	f->count[level]++;
	if (f->n == KEPT)
		return 0;
	va_start(args, fmt);
	len = vsnprintf(raw, sizeof(raw), fmt, args);
	va_end(args);
	if (len < 0)
		raw[0] = '\0';
	if (len >= TEXT)
		memcpy(raw + ferry_utf8_cut(raw, TEXT - 4), "...", 4);
	escape_sentence(text, sizeof(text), raw);
	path = path ? path : "";
	ferry_escape(where, sizeof(where), path, strlen(path));
	return keep(f, level, code, where, offset, text);
}

size_t ferry_findings_count_level(const struct ferry_findings *f,
				  enum ferry_level level)
{
	return f ? f->count[level] : 0;
}

size_t ferry_findings_count(const struct ferry_findings *f)
{
	size_t n = 0;

	for (int level = FERRY_NOTE; level <= FERRY_VIOLATION; level++)
		n += ferry_findings_count_level(f, (enum ferry_level)level);
	return n;
}

const struct ferry_finding *ferry_findings_get(const struct ferry_findings *f,
					       size_t i)
{
	return f && i < f->n ? &f->kept[i] : NULL;
}
