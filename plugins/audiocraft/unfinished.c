/*
 * Saves that were cut off in the middle of a zip archive: no reader can take
 * them, so that what there is to say is said here.
 */
#include "config.h"

#include "plugins/audiocraft/audiocraft.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A zip archive ends in its directory. */
static bool has_directory(const struct ferry_probe *p)
{
	return p->ntail >= 22 &&
	       memmem(p->tail, p->ntail, "PK\5\6", 4) != NULL;
}

static int probe(const struct ferry_probe *p)
{
	struct file_name name;

	if (p->names || !parse_file_name(base_name(p->name), &name))
		return 0;
	if (name.stage == STAGE_TOKEN)
		return 100;
	if (name.stage == STAGE_FINAL || has_directory(p))
		return 0;
	return p->nhead >= 4 && memcmp(p->head, "PK\3\4", 4) ? 0 : 100;
}

static int read_unfinished(const struct ferry_input *in,
			   struct ferry_document *doc, struct ferry_error *err)
{
	const char *base = base_name(in->path);
	struct file_name name;
	char text[300];

	(void)doc;
	if (parse_file_name(base, &name) && name.stage == STAGE_TOKEN)
		return ferry_fail(err, FERRY_MALFORMED, "audiocraft",
				  FERRY_NO_OFFSET, "the file is a token: it "
				  "says that %.*s.tmp was written to its end, "
				  "and holds nothing", (int)name.nfinal, base);
	if (judge_save(in->path, text) == SAVE_COMPLETE)
		snprintf(text, sizeof(text), "it is damaged, though %.*s"
			 ".tmp.done says that all of it was written; delete "
			 "the token, or AudioCraft puts the file in the place "
			 "of %.*s when a run resumes", (int)name.nrank0, base,
			 (int)name.nfinal, base);
	return ferry_fail(err, FERRY_MALFORMED, "audiocraft",
			  in->source->nbytes, "the file ends after %" PRIu64
			  " bytes without the directory of its zip archive: %s",
			  in->source->nbytes, *text ? text :
			  "a save that was cut off");
}

static const char *const suffixes[] = { ".th.tmp", ".th.tmp.done", NULL };

const struct ferry_format unfinished_format = {
	.struct_size = sizeof(struct ferry_format),
	.name = "audiocraft-unfinished",
	.title = "an AudioCraft checkpoint whose saving was cut off",
	.suffixes = suffixes,
	.probe = probe,
	.read = read_unfinished,
};
