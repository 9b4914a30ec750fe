/* Records of the ledger. */
#include "config.h"

#include "core/batch/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ferry/sys/alloc.h>

#include "core/batch/path.h"

static json_t *hex_of(const char *text, size_t n)
{
	struct ferry_buffer hex = FERRY_BUFFER_INIT;
	json_t *name = NULL;

	for (size_t i = 0; i < n; i++)
		ferry_buffer_printf(&hex, "%02x", (unsigned char)text[i]);
	if (!hex.failed)
		name = json_pack("{ss}", "bytes", hex.data);
	ferry_buffer_release(&hex);
	return name;
}

json_t *ferry__record_name(const char *text)
{
	json_t *name;

	if (!text)
		return json_null();
	name = json_string(text);
	return name ? name : hex_of(text, strlen(text));
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
	       c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

const char *ferry__record_text(struct ferry_store *store, const json_t *name)
{
	const char *hex = ferry__record_get(name, "bytes");
	size_t n = hex ? strlen(hex) / 2 : 0;
	char *text;

	if (json_is_string(name))
		return ferry_store_strndup(store, json_string_value(name),
					   json_string_length(name));
	text = hex ? ferry_store_alloc(store, n + 1) : NULL;
	if (!text)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);

		if (high < 0 || low < 0 || !(high | low))
			return NULL;
		text[i] = (char)(high << 4 | low);
	}
	text[n] = '\0';
	return text;
}

uint64_t ferry__record_uint(const json_t *record, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(record, key));

	return n > 0 ? (uint64_t)n : 0;
}

const char *ferry__record_get(const json_t *record, const char *key)
{
	return json_string_value(json_object_get(record, key));
}

void ferry__record_put(json_t *record, const char *key, const char *text)
{
	if (text)
		json_object_set_new(record, key, ferry__record_name(text));
}

/* ---- files --------------------------------------------------------------- */

static int fail(const char *path, int e, const char *what,
		struct ferry_error *err)
{
	char shown[256];

	if (e != ENOENT)
		return ferry__path_fail(err, path, what, e);
	ferry_escape(shown, sizeof(shown), path, strlen(path));
	return ferry_fail(err, FERRY_NOTFOUND, "ledger", FERRY_NO_OFFSET,
			  "%s: is not there", shown);
}

static int read_all(int fd, char *data, size_t n, const char *path,
		    struct ferry_error *err)
{
	for (size_t at = 0; at < n; ) {
		ssize_t got = read(fd, data + at, n - at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return fail(path, got ? errno : EIO, "read", err);
		at += (size_t)got;
	}
	return 0;
}

static int parse(json_t **out, const char *data, size_t n, const char *path,
		 struct ferry_error *err)
{
	char shown[256];
	json_error_t why;

	*out = json_loadb(data, n, JSON_REJECT_DUPLICATES, &why);
	if (*out)
		return 0;
	ferry_escape(shown, sizeof(shown), path, strlen(path));
	return ferry_fail(err, FERRY_MALFORMED, "ledger",
			  (uint64_t)(why.position > 0 ? why.position : 0),
			  "%s: is no whole record", shown);
}

int ferry__record_read(json_t **out, const char *path, size_t most,
		       struct ferry_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *data = NULL;
	struct stat st;
	int rc = 0;

	if (fd < 0)
		return fail(path, errno, "open", err);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		rc = fail(path, EINVAL, "read", err);
	else if ((uint64_t)st.st_size > most)
		rc = ferry_fail(err, FERRY_LIMIT, "ledger", FERRY_NO_OFFSET,
				"%s: has %llu bytes; a record may have %zu",
				path, (unsigned long long)st.st_size, most);
	if (!rc && !(data = ferry_alloc((size_t)st.st_size + 1)))
		rc = ferry_fail_nomem(err, "a record");
	if (!rc)
		rc = read_all(fd, data, (size_t)st.st_size, path, err);
	if (!rc)
		rc = parse(out, data, (size_t)st.st_size, path, err);
	ferry_alloc_free(data);
	close(fd);
	return rc;
}

/* ---- writing ------------------------------------------------------------- */

static int add_text(const char *data, size_t n, void *ctx)
{
	struct ferry_buffer *out = ctx;

	ferry_buffer_add(out, data, n);
	return out->failed ? -1 : 0;
}

static void add_value(struct ferry_buffer *out, const json_t *value,
		      size_t how)
{
	if (json_dump_callback(value, add_text, out, JSON_ENCODE_ANY | how))
		out->failed = true;
}

/* What needs no escape is most of a long record. */
static bool is_plain(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text[i] < ' ' || text[i] > '~' || text[i] == '"' ||
		    text[i] == '\\')
			return false;
	return true;
}

static void add_quoted(struct ferry_buffer *out, const char *text, size_t n)
{
	json_t *string;

	if (is_plain(text, n)) {
		ferry_buffer_add(out, "\"", 1);
		ferry_buffer_add(out, text, n);
		ferry_buffer_add(out, "\"", 1);
		return;
	}
	string = json_stringn_nocheck(text, n);
	add_value(out, string, 0);
	json_decref(string);
}

static void add_string(struct ferry_buffer *out, const json_t *string)
{
	add_quoted(out, json_string_value(string), json_string_length(string));
}

static void add_list(struct ferry_buffer *out, const json_t *list)
{
	const json_t *row;
	size_t i;

	json_array_foreach(list, i, row) {
		ferry_buffer_add_str(out, i ? ",\n  " : "[\n  ");
		add_value(out, row, JSON_COMPACT | JSON_SORT_KEYS);
	}
	ferry_buffer_add_str(out, json_array_size(list) ? "\n ]" : "[]");
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Each member on a line, by their keys: a record that was read and changed is
 * as one that was made. */
static void add_members(struct ferry_buffer *out, json_t *object,
			const char *indent,
			void (*add)(struct ferry_buffer *out,
				    const json_t *value))
{
	size_t n = json_object_size(object), at = 0;
	const char **keys = ferry_alloc_zero(n + 1, sizeof(*keys)), *name;
	json_t *each;

	if (!keys) {
		out->failed = true;
		return;
	}
	json_object_foreach(object, name, each)
		keys[at++] = name;
	qsort(keys, n, sizeof(*keys), by_text);
	for (at = 0; at < n; at++) {
		ferry_buffer_add_str(out, at ? ",\n" : "{\n");
		ferry_buffer_add_str(out, indent);
		add_quoted(out, keys[at], strlen(keys[at]));
		ferry_buffer_add_str(out, ": ");
		add(out, json_object_get(object, keys[at]));
	}
	ferry_alloc_free(keys);
}

static bool has_strings_only(json_t *object)
{
	const char *key;
	json_t *each;

	json_object_foreach(object, key, each)
		if (!json_is_string(each))
			return false;
	return json_object_size(object) > 0;
}

/* A line for each of what it holds: files of an output, its tensors. */
static void add_part(struct ferry_buffer *out, const json_t *part)
{
	if (json_is_array(part)) {
		add_list(out, part);
	} else if (has_strings_only((json_t *)part)) {
		add_members(out, (json_t *)part, "  ", add_string);
		ferry_buffer_add_str(out, "\n }");
	} else {
		add_value(out, part, JSON_INDENT(2) | JSON_SORT_KEYS);
		if (json_object_size(part) && !out->failed) {
			out->n--;
			ferry_buffer_add_str(out, " }");
		}
	}
}

static void add_record(struct ferry_buffer *out, json_t *record)
{
	add_members(out, record, " ", add_part);
	ferry_buffer_add_str(out, "\n}\n");
}

int ferry__write_all(int fd, const void *data, size_t n)
{
	const char *p = data;

	while (n) {
		ssize_t put = write(fd, p, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return errno;
		p += put;
		n -= (size_t)put;
	}
	return 0;
}

static int write_aside(const char *temp, const char *path,
		       const struct ferry_buffer *text, bool sync)
{
	int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	int e;

	if (fd < 0)
		return errno;
	e = ferry__write_all(fd, text->data, text->n);
	if (!e && sync && fdatasync(fd))
		e = errno;
	if (close(fd) && !e)
		e = errno;
	if (!e && rename(temp, path))
		e = errno;
	if (e)
		unlink(temp);
	return e;
}

int ferry__record_write(json_t *record, const char *aside, const char *path,
			bool sync, struct ferry_error *err)
{
	struct ferry_buffer temp = FERRY_BUFFER_INIT;
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	int e = ENOMEM;

	add_record(&text, record);
	ferry_buffer_printf(&temp, "%s/record", aside);
	if (!text.failed && !temp.failed)
		e = write_aside(temp.data, path, &text, sync);
	ferry_buffer_release(&temp);
	ferry_buffer_release(&text);
	return e ? fail(path, e, "write", err) : 0;
}
