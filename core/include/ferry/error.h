/*
 * What went wrong, where, and what to do.
 *
 * Every function that can fail returns 0 or a negative ferry_code and takes a
 * caller-owned `struct ferry_error *` as its last argument; NULL is allowed.
 * Whoever detects the failure fills it; everyone above only returns the code.
 * The first error wins: filling a filled error changes nothing.  Filling one
 * allocates nothing.
 *
 * MALFORMED (the file is wrong), UNSUPPORTED (ferry is), LIMIT (refused on
 * purpose) and IO (the system said no) are never mixed.
 *
 * Text: lower case, no full stop, subject first, numbers with units, ends in
 * what to do where that is not obvious.  Bytes from a file are escaped with
 * ferry_escape() before they are quoted.
 */
#ifndef FERRY_ERROR_H
#define FERRY_ERROR_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <ferry/api.h>

FERRY_BEGIN

enum ferry_code {
	FERRY_OK = 0,
	FERRY_NOMEM = -1,	/* an allocation failed */
	FERRY_IO = -2,		/* the system refused: errno text is quoted */
	FERRY_NOTFOUND = -3,	/* a file, path, name or plugin is absent */
	FERRY_EXISTS = -4,	/* an output exists and may not be replaced */
	FERRY_MALFORMED = -5,	/* the input breaks its own format */
	FERRY_UNSUPPORTED = -6,	/* the input is lawful, ferry can't do it */
	FERRY_LIMIT = -7,	/* refused on purpose: a resource limit */
	FERRY_AMBIGUOUS = -8,	/* two answers are equally good */
	FERRY_LOSSY = -9,	/* would lose something not allowed to be lost */
	FERRY_MISUSE = -10,	/* the caller broke a contract; state unchanged */
	FERRY_CANCELLED = -11,	/* a signal or the caller's cancel flag */
	FERRY_PLUGIN = -12,	/* a plugin was refused or broke its contract */
};

#define FERRY_NO_OFFSET UINT64_MAX

struct ferry_error {
	int code;		/* enum ferry_code */
	char origin[32];	/* format or room: "torch", "plan"; may be "" */
	uint64_t offset;	/* byte in the input, or FERRY_NO_OFFSET */
	char text[736];		/* one sentence, NUL-terminated, UTF-8 */
};

#define FERRY_ERROR_INIT { .offset = FERRY_NO_OFFSET }

/*
 * Fill *err unless it is NULL or already filled.  Text that does not fit is
 * cut in the middle of nothing: at a UTF-8 boundary, ending in "...".
 *
 * Returns code, so that `return ferry_fail(err, ...)` reads well.
 */
FERRY_API int ferry_fail(struct ferry_error *err, enum ferry_code code,
			 const char *origin, uint64_t offset,
			 const char *fmt, ...) FERRY_PRINTF(5, 6);

/* FERRY_NOMEM, saying what was being allocated. */
FERRY_API int ferry_fail_nomem(struct ferry_error *err, const char *what);

/* FERRY_IO from errno `e`: "<what>: <strerror(e)>". */
FERRY_API int ferry_fail_errno(struct ferry_error *err, int e,
			       const char *fmt, ...) FERRY_PRINTF(3, 4);

/* Back to FERRY_ERROR_INIT. */
FERRY_API void ferry_error_clear(struct ferry_error *err);

/* "malformed", "limit", ...: stable lower-case words, used in JSON. */
FERRY_API const char *ferry_code_name(int code);

/*
 * Copy text[0..n) into out (capacity cap > 0), NUL-terminated, with control
 * characters, invalid UTF-8, DEL and C1 controls, bidirectional controls and
 * backslashes written as \n, \t, \xNN, \u{NNNN} or \\.  What does not fit ends
 * in "...".  Returns out.
 */
FERRY_API char *ferry_escape(char *out, size_t cap, const char *text, size_t n);

/* "1 byte", "999 bytes", "1.4 GB" (powers of 1000).  Returns out. */
FERRY_API char *ferry_bytes_text(uint64_t nbytes, char out[32]);

FERRY_END

#endif
