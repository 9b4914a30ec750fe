/*
 * Findings: what was noticed, in order, beside success or failure.
 *
 * Readers put warnings here, checks put violations, the planner puts losses.
 * Each has a level, a stable code word, a place and one sentence.
 */
#ifndef FERRY_FINDINGS_H
#define FERRY_FINDINGS_H

#include <stddef.h>
#include <stdint.h>

#include <ferry/api.h>
#include <ferry/error.h>

FERRY_BEGIN

enum ferry_level {
	FERRY_NOTE,
	FERRY_WARNING,
	FERRY_VIOLATION,
};

struct ferry_finding {
	enum ferry_level level;
	const char *code;	/* "crc-mismatch", "optimizer", ...: [a-z0-9-]+ */
	const char *path;	/* document path or file member; "" for all */
	uint64_t offset;	/* byte in the file, or FERRY_NO_OFFSET */
	const char *text;	/* one sentence, escaped for a terminal */
};

struct ferry_findings;

FERRY_API int ferry_findings_new(struct ferry_findings **out,
				 struct ferry_error *err);
FERRY_API void ferry_findings_free(struct ferry_findings *f);

/*
 * Append; strings are copied, path and text escaped (but for backslashes of the
 * text, which may quote what is escaped already) and cut at 1,023 bytes.  After
 * 10,000 findings the rest are only counted.  f may be NULL: nothing happens.
 * Returns 0 or FERRY_NOMEM.
 */
FERRY_API int ferry_findings_add(struct ferry_findings *f,
				 enum ferry_level level, const char *code,
				 const char *path, uint64_t offset,
				 const char *fmt, ...) FERRY_PRINTF(6, 7);

FERRY_API size_t ferry_findings_count(const struct ferry_findings *f);
FERRY_API size_t ferry_findings_count_level(const struct ferry_findings *f,
					    enum ferry_level level);
/* Borrowed until the next add; NULL past the kept ones. */
FERRY_API const struct ferry_finding *
ferry_findings_get(const struct ferry_findings *f, size_t i);

FERRY_END

#endif
