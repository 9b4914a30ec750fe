/*
 * Violations of one document: each with its path, put together from where the
 * check stands and a name.
 */
#ifndef PLUGINS_CAIMAN_REPORT_H
#define PLUGINS_CAIMAN_REPORT_H

#include <ferry/sys/plugin.h>

struct report {
	struct ferry_findings *findings;
	const char *path;	/* "" or "rnnt_config.rnnt" */
	bool failed;		/* memory is out */
};

/* A violation at path.name (name may be ""). */
void violate(struct report *r, const char *code, const char *name,
	     const char *fmt, ...) FERRY_PRINTF(4, 5);
/* A note: nothing is wrong with it, but a person wants to know. */
void remark(struct report *r, const char *code, const char *name,
	    const char *fmt, ...) FERRY_PRINTF(4, 5);
/* The same, at path.name[0..n) as a file has it. */
void violate_key(struct report *r, const char *code,
		 const struct ferry_value *key, const char *fmt, ...)
	FERRY_PRINTF(4, 5);

/* "text 'x'", "integer 8", "none": a value as a message names it, into out. */
#define SAID_CAP 64
const char *said(struct ferry_store *store, const struct ferry_value *v,
		 char out[SAID_CAP]);

/* MALFORMED: what, and all violations of f or, where there are more than the
 * text holds, the first.  All are added to `told`. */
int fail_violations(const struct ferry_findings *f, const char *what,
		    struct ferry_findings *told, struct ferry_error *err);

#endif
