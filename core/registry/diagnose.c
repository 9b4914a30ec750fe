/*
 * What a file that no format took looks like.  Names of foreign formats are
 * data: signatures.yaml in the schema directories.
 */
#include "config.h"

#include "core/registry/registry.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "core/base/utf8.h"
#include "core/handling/yaml_file.h"

#define PATTERN_MOST 64		/* bytes of one hexadecimal pattern */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* "1f 8b": bytes, or 0 when it is not such a text. */
static size_t parse_hex(const char *text, uint8_t out[PATTERN_MOST])
{
	size_t n = 0;

	while (*text) {
		if (*text == ' ') {
			text++;
			continue;
		}
		if (n == PATTERN_MOST || hex_digit(text[0]) < 0 ||
		    hex_digit(text[1]) < 0)
			return 0;
		out[n++] = (uint8_t)(hex_digit(text[0]) << 4 |
				     hex_digit(text[1]));
		text += 2;
	}
	return n;
}

static bool matches_at(const uint8_t *data, size_t n, size_t at,
		       const char *hex)
{
	uint8_t want[PATTERN_MOST];
	size_t len = parse_hex(hex, want);

	return len && at <= n && len <= n - at && !memcmp(data + at, want, len);
}

static bool occurs(const uint8_t *data, size_t n, const char *hex)
{
	uint8_t want[PATTERN_MOST];
	size_t len = parse_hex(hex, want);

	return len && memmem(data, n, want, len);
}

/* Text at the start, whatever its case, after a byte order mark and spaces. */
static bool starts_with_text(const struct ferry_probe *p, const char *text)
{
	const char *head = (const char *)p->head;
	size_t n = p->nhead, len = strlen(text);

	if (n >= 3 && !memcmp(head, "\xef\xbb\xbf", 3)) {
		head += 3;
		n -= 3;
	}
	for (; n && strchr(" \t\r\n", *head) && *head; n--)
		head++;
	return len <= n && !strncasecmp(head, text, len);
}

/* One of the endings, which spaces part. */
static bool name_ends(const char *name, const char *endings)
{
	size_t n = strlen(name), m;

	for (; *endings; endings += m + strspn(endings + m, " ")) {
		m = strcspn(endings, " ");
		if (m && m <= n && !strncasecmp(name + n - m, endings, m))
			return true;
	}
	return false;
}

static bool condition_holds(const struct ferry_probe *p, const char *key,
			    const char *value, size_t at)
{
	if (!strcmp(key, "head"))
		return matches_at(p->head, p->nhead, at, value);
	if (!strcmp(key, "text"))
		return starts_with_text(p, value);
	if (!strcmp(key, "contains"))
		return memmem(p->head, p->nhead, value, strlen(value));
	if (!strcmp(key, "lacks"))
		return !memmem(p->head, p->nhead, value, strlen(value));
	if (!strcmp(key, "name_ends"))
		return name_ends(p->name, value);
	if (!strcmp(key, "tail_lacks"))
		return !occurs(p->tail, p->ntail, value);
	if (!strcmp(key, "end_lacks"))
		return !p->ntail || !matches_at(p->tail, p->ntail,
						p->ntail - 1, value);
	return true;
}

static size_t offset_of(struct ferry__yaml *y, yaml_node_t *row)
{
	const char *text = ferry__yaml_text(ferry__yaml_get(y, row, "at"));
	size_t at = 0;

	for (; text && *text >= '0' && *text <= '9' && at < 1u << 20; text++)
		at = at * 10 + (size_t)(*text - '0');
	return at;
}

static bool row_holds(struct ferry__yaml *y, yaml_node_t *row,
		      const struct ferry_probe *p)
{
	size_t at = offset_of(y, row);
	const char *key, *value;

	for (size_t i = 0; i < ferry__yaml_count(row); i++) {
		value = ferry__yaml_text(ferry__yaml_pair(y, row, i, &key));
		if (!key || !value || !condition_holds(p, key, value, at))
			return false;
	}
	return ferry__yaml_count(row) > 0;
}

static int fail_as(struct ferry__yaml *y, yaml_node_t *row, const char *path,
		   uint64_t nbytes, struct ferry_error *err)
{
	const char *says = ferry__yaml_text(ferry__yaml_get(y, row, "says"));
	const char *code = ferry__yaml_text(ferry__yaml_get(y, row, "code"));
	const char *hole = says ? strstr(says, "{bytes}") : NULL;
	bool broken = code && !strcmp(code, "malformed");
	char shown[256];

	ferry_escape(shown, sizeof(shown), path, strlen(path));
	if (!hole)
		return ferry_fail(err, broken ? FERRY_MALFORMED :
				  FERRY_UNSUPPORTED, "identify",
				  FERRY_NO_OFFSET, "%s %s", shown,
				  says ? says : "is of an unknown kind");
	return ferry_fail(err, broken ? FERRY_MALFORMED : FERRY_UNSUPPORTED,
			  "identify", FERRY_NO_OFFSET, "%s %.*s%llu%s", shown,
			  (int)(hole - says), says,
			  (unsigned long long)nbytes,
			  hole + strlen("{bytes}"));
}

typedef bool row_test(struct ferry__yaml *y, yaml_node_t *row,
		      const void *subject);

/* 0 when no row of the list holds. */
static int search(struct ferry_session *s, const char *list, row_test *holds,
		  const void *subject, const char *path, uint64_t nbytes,
		  struct ferry_error *err)
{
	struct ferry_buffer file = FERRY_BUFFER_INIT;
	struct ferry__yaml y;
	yaml_node_t *rows, *row;
	int rc = 0;

	for (size_t i = 0; i < s->n_schema_dirs && !rc; i++) {
		file.n = 0;
		ferry_buffer_printf(&file, "%s/signatures.yaml",
				    s->schema_dirs[i]);
		if (file.failed || ferry__yaml_load(&y, file.data, NULL))
			continue;
		rows = ferry__yaml_get(&y, ferry__yaml_root(&y), list);
		for (size_t k = 0; k < ferry__yaml_count(rows) && !rc; k++) {
			row = ferry__yaml_item(&y, rows, k);
			if (holds(&y, row, subject))
				rc = fail_as(&y, row, path, nbytes, err);
		}
		ferry__yaml_release(&y);
	}
	ferry_buffer_release(&file);
	return rc;
}

static bool file_row_holds(struct ferry__yaml *y, yaml_node_t *row,
			   const void *subject)
{
	return row_holds(y, row, subject);
}

static bool all_zero(const struct ferry_probe *p)
{
	for (size_t i = 0; i < p->nhead; i++)
		if (p->head[i])
			return false;
	for (size_t i = 0; i < p->ntail; i++)
		if (p->tail[i])
			return false;
	return true;
}

/* UTF-8 that a person could read, but for a character cut in two at the end of
 * what is looked at. */
static bool is_text(const struct ferry_probe *p)
{
	const char *text = (const char *)p->head;
	uint32_t code;
	size_t n;

	for (size_t i = 0; i < p->nhead; i += n) {
		n = ferry_utf8_decode(text + i, p->nhead - i, &code);
		if (!n)
			return p->nhead < p->nbytes && p->nhead - i < 4;
		if (!code || code == 0x7f ||
		    (code < 0x20 && !strchr("\t\n\r\f", (int)code)))
			return false;
	}
	return true;
}

static int fail_unknown(const struct ferry_probe *p, const char *path,
			struct ferry_error *err)
{
	char start[64], shown[256];
	size_t n = p->nhead < 12 ? p->nhead : 12;

	ferry_escape(shown, sizeof(shown), path, strlen(path));
	for (size_t i = 0; i < n; i++)
		snprintf(start + 3 * i, sizeof(start) - 3 * i, " %02x",
			 p->head[i]);
	if (is_text(p)) {
		ferry_escape(start, 48, (const char *)p->head, p->nhead);
		return ferry_fail(err, FERRY_UNSUPPORTED, "identify",
				  FERRY_NO_OFFSET, "%s is text that no format "
				  "here reads (it begins \"%s\"); ferry formats "
				  "lists what is read", shown, start);
	}
	return ferry_fail(err, FERRY_UNSUPPORTED, "identify", FERRY_NO_OFFSET,
			  "%s is of no format known here (%llu bytes, begins"
			  "%s); ferry formats lists what is read, and "
			  "--from-format forces one", shown,
			  (unsigned long long)p->nbytes, start);
}

int ferry__diagnose(struct ferry_session *s, const struct ferry_probe *probe,
		    const char *path, bool *certain, struct ferry_error *err)
{
	char shown[256];
	int rc;

	ferry_escape(shown, sizeof(shown), path, strlen(path));
	*certain = true;
	if (!probe->nbytes)
		return ferry_fail(err, FERRY_MALFORMED, "identify",
				  FERRY_NO_OFFSET, "%s is empty (0 bytes): the "
				  "save or the download did not finish; take "
				  "another copy", shown);
	if (all_zero(probe))
		return ferry_fail(err, FERRY_MALFORMED, "identify",
				  FERRY_NO_OFFSET, "%s begins and ends with "
				  "nothing but zero bytes (%llu bytes): an "
				  "interrupted save or a full disk leaves such "
				  "files; take another copy", shown,
				  (unsigned long long)probe->nbytes);
	rc = search(s, "files", file_row_holds, probe, path, probe->nbytes,
		    err);
	if (rc)
		return rc;
	*certain = false;
	return fail_unknown(probe, path, err);
}

int ferry__diagnose_taken(struct ferry_session *s,
			  const struct ferry_probe *probe, const char *path,
			  struct ferry_error *err)
{
	return search(s, "taken", file_row_holds, probe, path, probe->nbytes,
		      err);
}

/* Its `entry` is in the directory. */
static bool directory_row_holds(struct ferry__yaml *y, yaml_node_t *row,
				const void *subject)
{
	const char *dir = subject;
	const char *entry = ferry__yaml_text(ferry__yaml_get(y, row, "entry"));
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	struct stat st;
	bool held;

	if (!entry)
		return false;
	ferry_buffer_printf(&path, "%s/%s", dir, entry);
	held = !path.failed && !stat(path.data, &st);
	ferry_buffer_release(&path);
	return held;
}

int ferry__diagnose_directory(struct ferry_session *s, const char *path,
			      struct ferry_error *err)
{
	char shown[256];
	int rc = search(s, "directories", directory_row_holds, path, path, 0,
			err);

	if (rc)
		return rc;
	ferry_escape(shown, sizeof(shown), path, strlen(path));
	return ferry_fail(err, FERRY_UNSUPPORTED, "identify", FERRY_NO_OFFSET,
			  "%s is a directory: name a file in it", shown);
}
