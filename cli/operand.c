/* Operands that are not what they stand for. */
#include "config.h"

#include "cli/operand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ferry/abilities.h>

#include "cli/memory.h"
#include "cli/text.h"

/* What a file is, or NULL. */
static const char *type_of(const struct cli *c, const char *path,
			   const char *format, const char *type)
{
	struct ferry_open_options how = { .format = format };
	struct ferry_recognised what = { .type = NULL };
	struct ferry_document *doc;

	if (ferry_open(c->session, path, &how, &doc, NULL))
		return NULL;
	if (ferry_recognise(c->session, doc, path, type, &what, NULL))
		what.type = NULL;
	ferry_document_free(doc);
	return what.type ? what.type->name : NULL;
}

static const struct ferry_role *role_of(const struct ferry_abilities *can,
					const char *type)
{
	const struct ferry_role *role = can->roles + 1;

	while (role->name && (!role->type || strcmp(role->type, type)))
		role++;
	return role->name ? role : NULL;
}

/* What a conversion from `main` that takes `second` makes; NULL: none does. */
static const char *made_of(const struct cli *c, const struct ferry_job *job,
			   const char *main, const char *second)
{
	const struct ferry_known *row;
	struct ferry_abilities can;

	for (size_t i = 0; (row = ferry_session_get(
			    c->session, FERRY_KNOWN_CONVERSIONS, i)); i++) {
		ferry_known_abilities(row, &can);
		if (!strcmp(can.roles->type, main) &&
		    strcmp(can.output, main) && role_of(&can, second) &&
		    (!job->to || !strcmp(job->to, can.output)))
			return can.output;
	}
	return NULL;
}

bool cli_hint_operand(const struct cli *c, const struct ferry_job *job)
{
	const char *main, *second, *made;

	if (!job->output || job->average)
		return false;
	second = type_of(c, job->output, NULL, NULL);
	main = second ? type_of(c, job->inputs[0], job->from_format,
				job->from) : NULL;
	made = main ? made_of(c, job, main, second) : NULL;
	if (!made)
		return false;
	fputs("hint: ", stderr);
	cli_puts(stderr, job->output);
	fprintf(stderr, " is a '%s', and the last operand is the output: "
		"ferry %s ", second, c->verb->name);
	for (size_t i = 0; i < job->n_inputs; i++) {
		cli_puts(stderr, job->inputs[i]);
		fputc(' ', stderr);
	}
	cli_puts(stderr, job->output);
	fprintf(stderr, " OUT --to %s takes it as an input; --default-name in "
		"the place of OUT names the output\n", made);
	return true;
}

/* ---- shards for their index ---------------------------------------------- */

/* "model-00001-of-00003.safetensors": the length before "-00001", and the rest
 * from "-of-" on; NULL: no name of a shard. */
static const char *shard_name(const char *path, size_t *stem)
{
	const char *of = strstr(path, "-of-"), *next, *at;
	size_t digits;

	while (of && (next = strstr(of + 1, "-of-")))
		of = next;
	if (!of)
		return NULL;
	for (at = of; at > path && at[-1] >= '0' && at[-1] <= '9'; at--)
		;
	digits = strspn(of + 4, "0123456789");
	if (at == of || at == path || at[-1] != '-' || !digits ||
	    of[4 + digits] != '.')
		return NULL;
	*stem = (size_t)(at - 1 - path);
	return of;
}

bool cli_hint_shards(const struct ferry_job *job)
{
	const char *first = job->inputs[0], *of, *other;
	size_t stem, n;
	char *index;

	of = shard_name(first, &stem);
	if (!of || job->n_inputs < 2)
		return false;
	for (size_t i = 1; i < job->n_inputs; i++) {
		other = shard_name(job->inputs[i], &n);
		if (!other || n != stem || strcmp(other, of) ||
		    strncmp(first, job->inputs[i], n))
			return false;
	}
	index = cli_text("%.*s%s.index.json", (int)stem, first,
			 strchr(of, '.'));
	fputs("hint: these are shards of one checkpoint: name their index, ",
	      stderr);
	cli_puts(stderr, index);
	fprintf(stderr, ", in the place of all of them%s\n",
		access(index, F_OK) ? " (it is missing)" : "");
	free(index);
	return true;
}
