/* File names of checkpoints, and what lies beside them. */
#include "config.h"

#include "plugins/audiocraft/audiocraft.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <ferry/sys/buffer.h>

#define RANK_DIGITS 6

const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool is_end(const char *text, const char *end)
{
	return !strcmp(text, end);
}

/* ".RANK" of a shard; *at is left after it. */
static void parse_rank(const char **at, struct file_name *out)
{
	size_t n;

	if (**at != '.')
		return;
	n = strspn(*at + 1, "0123456789");
	if (!n || n > RANK_DIGITS)
		return;
	out->has_rank = true;
	for (size_t i = 1; i <= n; i++)
		out->rank = 10 * out->rank + (unsigned)((*at)[i] - '0');
	*at += n + 1;
}

static bool parse_stage(const char *text, enum stage *out)
{
	*out = is_end(text, ".tmp") ? STAGE_TMP :
	       is_end(text, ".tmp.done") ? STAGE_TOKEN :
	       is_end(text, ".old") ? STAGE_OLD : STAGE_FINAL;
	return *out != STAGE_FINAL || !*text;
}

bool parse_file_name(const char *base, struct file_name *out)
{
	const char *at = base, *th;

	memset(out, 0, sizeof(*out));
	if (strncmp(at, "checkpoint", 10))
		return false;
	at += 10;
	th = strstr(at, ".th");
	if (!th || (*at != '_' && at != th))
		return false;
	if (*at == '_') {
		out->name = at + 1;
		out->nname = (size_t)(th - at - 1);
		if (!out->nname)
			return false;
	}
	at = th + 3;
	out->nrank0 = (size_t)(at - base);
	parse_rank(&at, out);
	out->nfinal = (size_t)(at - base);
	return parse_stage(at, &out->stage);
}

/* ---- beside it ------------------------------------------------------------------ */

/* Whether a file lies where `path` is, its last part cut to n bytes and ended
 * so. */
static bool lies_beside(const char *path, size_t n, const char *end)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	size_t dir = (size_t)(base_name(path) - path);
	bool found;

	ferry_buffer_add(&b, path, dir + n);
	ferry_buffer_add_str(&b, end);
	found = !b.failed && !access(b.data, F_OK);
	ferry_buffer_release(&b);
	return found;
}

static enum save judge_tmp(const char *path, const struct file_name *name,
			   char text[300])
{
	const char *base = base_name(path);
	bool before = lies_beside(path, name->nfinal, "");

	if (lies_beside(path, name->nrank0, ".tmp.done")) {
		snprintf(text, 300, "a whole save that was not renamed: "
			 "%.*s.tmp.done says that all of it was written; "
			 "rename it to %.*s, then delete the token",
			 (int)name->nrank0, base, (int)name->nfinal, base);
		return SAVE_COMPLETE;
	}
	snprintf(text, 300, "a save that was cut off: without %.*s.tmp.done "
		 "nothing says that it is whole, and AudioCraft ignores it; "
		 "%s%.*s%s", (int)name->nrank0, base,
		 before ? "the good one is " : "", (int)name->nfinal, base,
		 before ? "" : ", which it was to become, is not there either");
	return SAVE_UNMARKED;
}

enum save judge_save(const char *path, char text[300])
{
	struct file_name name;
	const char *base = base_name(path ? path : "");

	*text = '\0';
	if (!parse_file_name(base, &name))
		return SAVE_GOOD;
	if (name.stage == STAGE_TMP)
		return judge_tmp(path, &name, text);
	if (name.stage == STAGE_OLD) {
		snprintf(text, 300, "what a save that was cut off put aside: "
			 "AudioCraft resumes no sharded run beside it; rename "
			 "it to %.*s if that is missing, else delete it",
			 (int)name.nfinal, base);
		return SAVE_OLD;
	}
	if (name.stage == STAGE_FINAL && lies_beside(path, name.nfinal,
						     ".old")) {
		snprintf(text, 300, "%s.old lies beside it: AudioCraft resumes "
			 "no sharded run so; delete one of the two", base);
		return SAVE_BLOCKED;
	}
	if (name.stage == STAGE_FINAL &&
	    lies_beside(path, name.nfinal, ".tmp") &&
	    lies_beside(path, name.nrank0, ".tmp.done")) {
		snprintf(text, 300, "%s.tmp beside it is newer and whole: "
			 "AudioCraft puts it in its place when it resumes",
			 base);
		return SAVE_OVERTAKEN;
	}
	return SAVE_GOOD;
}
