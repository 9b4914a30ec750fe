/* Errors: filled once, in place; and the escaping of quoted bytes. */
#include "config.h"

#include <ferry/error.h>

#include <stdbool.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/utf8.h"

FERRY_PRINTF(2, 0)
static void set_text(struct ferry_error *err, const char *fmt, va_list args)
{
	int n = vsnprintf(err->text, sizeof(err->text), fmt, args);
	size_t end = sizeof(err->text) - sizeof("...");

	if (n < 0)
		err->text[0] = '\0';
	if (n < (int)sizeof(err->text))
		return;
	end = ferry_utf8_cut(err->text, end);
	memcpy(err->text + end, "...", sizeof("..."));
}

FERRY_PRINTF(5, 0)
static int fail(struct ferry_error *err, enum ferry_code code,
		const char *origin, uint64_t offset, const char *fmt,
		va_list args)
{
	if (!err || err->code)
		return code;
	err->code = code;
	err->offset = offset;
	snprintf(err->origin, sizeof(err->origin), "%s", origin ? origin : "");
	set_text(err, fmt, args);
	return code;
}

int ferry_fail(struct ferry_error *err, enum ferry_code code,
	       const char *origin, uint64_t offset, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fail(err, code, origin, offset, fmt, args);
	va_end(args);
	return code;
}

int ferry_fail_nomem(struct ferry_error *err, const char *what)
{
	return ferry_fail(err, FERRY_NOMEM, "", FERRY_NO_OFFSET,
			  "out of memory for %s", what);
}

int ferry_fail_errno(struct ferry_error *err, int e, const char *fmt, ...)
{
	char what[600];
	char reason[128];
	va_list args;
	int n;

	if (!err || err->code)
		return FERRY_IO;
	va_start(args, fmt);
	n = vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	if (n < 0)
		what[0] = '\0';
	if (n >= (int)sizeof(what))
		memcpy(what + ferry_utf8_cut(what, sizeof(what) - 4), "...",
		       sizeof("..."));
	return ferry_fail(err, FERRY_IO, "", FERRY_NO_OFFSET, "%s: %s", what,
			  strerror_r(e, reason, sizeof(reason)));
}

void ferry_error_clear(struct ferry_error *err)
{
	if (err)
		*err = (struct ferry_error)FERRY_ERROR_INIT;
}

const char *ferry_code_name(int code)
{
	static const char *const names[] = {
		"ok", "out-of-memory", "io", "not-found", "exists",
		"malformed", "unsupported", "limit", "ambiguous", "lossy",
		"misuse", "cancelled", "plugin",
	};

	if (code > 0 || code < FERRY_PLUGIN)
		return "unknown";
	return names[-code];
}

/* Characters that could move the cursor, hide text or turn its direction. */
static bool is_hidden(uint32_t c)
{
	return (c >= 0x80 && c < 0xa0) || c == 0x61c ||
	       c == 0x200e || c == 0x200f ||
	       (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

/* One character of text as it is to be shown; *used is what it took of text. */
static size_t escape_one(char out[16], const char *text, size_t n, size_t *used)
{
	uint32_t c = 0;
	size_t len = ferry_utf8_decode(text, n, &c);

	*used = len ? len : 1;
	if (!len || c == 0x7f)
		return (size_t)snprintf(out, 16, "\\x%02X",
					(unsigned char)text[0]);
	if (c == '\n' || c == '\t' || c == '\\') {
		out[0] = '\\';
		out[1] = c == '\n' ? 'n' : c == '\t' ? 't' : '\\';
		return 2;
	}
	if (c < 0x20)
		return (size_t)snprintf(out, 16, "\\x%02X", (unsigned)c);
	if (is_hidden(c))
		return (size_t)snprintf(out, 16, "\\u{%04X}", (unsigned)c);
	memcpy(out, text, len);
	return len;
}

char *ferry_escape(char *out, size_t cap, const char *text, size_t n)
{
	char one[16];
	size_t used, len, at = 0, cut = 0;

	for (size_t i = 0; i < n; i += used) {
		len = escape_one(one, text + i, n - i, &used);
		if (at + len >= cap) {
			len = cap - 1 - cut < 3 ? cap - 1 - cut : 3;
			memcpy(out + cut, "...", len);
			at = cut + len;
			break;
		}
		memcpy(out + at, one, len);
		at += len;
		if (at + 3 < cap)
			cut = at;
	}
	out[at] = '\0';
	return out;
}

char *ferry_bytes_text(uint64_t nbytes, char out[32])
{
	static const char *const units[] = { "kB", "MB", "GB", "TB", "PB",
					     "EB" };
	double n = (double)nbytes / 1000;
	size_t i = 0;

	if (nbytes < 1000) {
		snprintf(out, 32, "%" PRIu64 " byte%s", nbytes,
			 nbytes == 1 ? "" : "s");
		return out;
	}
	for (; n >= 999.5 && i + 1 < sizeof(units) / sizeof(*units); i++)
		n /= 1000;
	snprintf(out, 32, n < 9.95 ? "%.1f %s" : "%.0f %s", n, units[i]);
	return out;
}
