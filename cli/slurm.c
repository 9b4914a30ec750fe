/* Array jobs of Slurm; facts: sbatch(1), scontrol(1), as of 22.05. */
#include "config.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cluster.h"
#include "cli/memory.h"
#include "cli/text.h"

#define MIB (UINT64_C(1) << 20)

extern char **environ;

/* 'it'\''s' */
static void put_quoted(FILE *f, const char *text)
{
	putc('\'', f);
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", f);
		else
			putc(*text, f);
	}
	putc('\'', f);
}

static bool is_bare(const char *text)
{
	return *text && !text[strspn(text, "abcdefghijklmnopqrstuvwxyz"
				     "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789_-+=./:,@")];
}

static void put_command(FILE *f, const struct cli_command *command)
{
	for (size_t i = 0; i < command->words.n; i++) {
		if (i)
			putc(' ', f);
		if (is_bare(command->words.items[i]))
			fputs(command->words.items[i], f);
		else
			put_quoted(f, command->words.items[i]);
	}
}

/* A value in double quotes, as sbatch reads those; in file names % begins a
 * pattern, and %% is one. */
static void put_value(FILE *f, const char *text, bool pattern)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', f);
		if (pattern && *text == '%')
			putc('%', f);
		putc(*text, f);
	}
}

static void put_directives(FILE *f, const struct cli_jobs *j, bool verify)
{
	const struct cli_request *r = &j->request;
	const struct cli_list *own = &j->cluster->slurm_options;

	fprintf(f, "#SBATCH --job-name=ferry%s\n", verify ? "-verify" : "");
	if (!verify)
		fprintf(f, "#SBATCH --array=0-%u\n", j->work.sum.n_shards - 1);
	fprintf(f, "#SBATCH --nodes=1\n#SBATCH --ntasks=1\n"
		"#SBATCH --cpus-per-task=%u\n#SBATCH --mem=%lluM\n"
		"#SBATCH --time=%u\n", r->cpus,
		(unsigned long long)(r->memory / MIB),
		verify ? r->verify_minutes : r->minutes);
	fprintf(f, "#SBATCH --requeue\n#SBATCH --open-mode=append\n"
		"#SBATCH --signal=B:TERM@%u\n", r->grace);
	fputs("#SBATCH --chdir=\"", f);
	put_value(f, j->cwd, false);
	fputs("\"\n#SBATCH --output=\"", f);
	put_value(f, j->work.folder, true);
	put_value(f, j->work.stem, true);
	fputs(verify ? ".slurm-%j.log\"\n" : ".slurm-%A_%a.log\"\n", f);
	for (size_t i = 0; i < own->n; i++)
		fprintf(f, "#SBATCH %s\n", own->items[i]);
}

/* A shell handles a signal at once only while it waits for a child. */
static const char protocol[] =
	"\n"
	"# Run \"$@\"; at SIGTERM let it finish the items at hand, and come back\n"
	"# for the others.\n"
	"child= stopped= early=\n"
	"stop() {\n"
	"\tstopped=yes\n"
	"\tif [ -n \"$child\" ]; then kill -TERM \"$child\"; else early=yes; fi\n"
	"}\n"
	"trap stop TERM\n"
	"work() {\n"
	"\t[ -z \"$stopped\" ] || come_back\n"
	"\t\"$@\" &\n"
	"\tchild=$!\n"
	"\tif [ -n \"$early\" ]; then\n"
	"\t\tkill -TERM \"$child\"\n"
	"\t\tsleep 1 # a child that is still this shell's copy misses the first\n"
	"\t\tkill -TERM \"$child\" 2>/dev/null\n"
	"\tfi\n"
	"\twait \"$child\"\n"
	"\tstatus=$?\n"
	"\twhile kill -0 \"$child\" 2>/dev/null; do\n"
	"\t\twait \"$child\"\n"
	"\t\tstatus=$?\n"
	"\tdone\n"
	"\tchild=\n"
	"\tcase $stopped$status in\n"
	"\tyes75 | yes143) come_back ;;\n"
	"\tesac\n"
	"}\n"
	"\n"
	"# Exit 75 is enough where the site has RequeueExit=75. Elsewhere Slurm is\n"
	"# asked, unless it is ending the job by itself (preempted, cancelled).\n"
	"come_back() {\n"
	"\tif [ \"$(squeue -h -j \"$me\" -o %T 2>/dev/null)\" = RUNNING ] &&\n"
	"\t\t[ \"${SLURM_RESTART_COUNT:-0}\" -lt 100 ]; then\n"
	"\t\tscontrol requeue \"$me\"\n"
	"\tfi\n"
	"\texit 75\n"
	"}\n"
	"\n";

static void put_script(FILE *f, const struct cli_jobs *j)
{
	fputs("#!/bin/sh\n", f);
	put_directives(f, j, false);
	fputs("#\n# ", f);
	cli_jobs_describe(j, f);
	fprintf(f, "\n# manifest %s\n"
		"# Parts that failed, alone: sbatch --array=3,17 with this "
		"script.\n", j->work.sum.digest);
	fputs("me=${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}\n", f);
	fputs(protocol, f);
	fputs("work ", f);
	put_command(f, &j->whole);
	fprintf(f, " \\\n\t--shard=\"$SLURM_ARRAY_TASK_ID/%u\"\n"
		"exit \"$status\"\n", j->work.sum.n_shards);
}

static void put_verify_script(FILE *f, const struct cli_jobs *j)
{
	fputs("#!/bin/sh\n", f);
	put_directives(f, j, true);
	fprintf(f, "#\n# manifest %s\n"
		"# Makes what is missing, whichever part it was in, and reads "
		"all of it again.\n"
		"me=$SLURM_JOB_ID\n", j->work.sum.digest);
	fputs(protocol, f);
	fputs("work ", f);
	put_command(f, &j->whole);
	fputs("\nmade=$status\n", f);
	for (size_t i = 0; i < j->n_verify; i++) {
		fputs("work ", f);
		put_command(f, &j->verify[i]);
		fputs("\n[ \"$status\" = 0 ] || exit \"$status\"\n", f);
	}
	fputs("exit \"$made\"\n", f);
}

int cli_slurm_write(struct cli_jobs *j, struct ferry_error *err)
{
	const struct cli_workload *w = &j->work;
	int rc;

	if (strpbrk(w->manifest, "\n\r") || strpbrk(j->cwd, "\n\r"))
		return ferry_fail(err, FERRY_UNSUPPORTED, "slurm",
				  FERRY_NO_OFFSET, "sbatch takes no path with "
				  "a line break: keep the manifest elsewhere");
	j->script = cli_text("%s%s.sbatch", w->folder, w->stem);
	j->verify_script = cli_text("%s%s-verify.sbatch", w->folder, w->stem);
	rc = cli_jobs_write(j, j->script, put_script, err);
	if (!rc)
		rc = cli_jobs_write(j, j->verify_script, put_verify_script, err);
	return rc;
}

/* Read up to cap - 1 bytes and the rest away. */
static void drain(int fd, char *out, size_t cap)
{
	size_t n = 0;
	ssize_t got;
	char rest[256];

	for (;;) {
		bool full = n + 1 >= cap;

		got = read(fd, full ? rest : out + n,
			   full ? sizeof(rest) : cap - 1 - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		if (!full)
			n += (size_t)got;
	}
	out[n] = 0;
}

static int spawn(char *const *argv, int *fd, pid_t *child)
{
	posix_spawn_file_actions_t actions;
	int ends[2], rc;

	if (pipe(ends))
		return errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	posix_spawn_file_actions_addclose(&actions, ends[0]);
	posix_spawn_file_actions_addclose(&actions, ends[1]);
	rc = posix_spawnp(child, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (rc)
		close(ends[0]);
	else
		*fd = ends[0];
	return rc;
}

/* sbatch --parsable prints "ID" or "ID;CLUSTER". */
static int sbatch(char *const *argv, char **id, struct ferry_error *err)
{
	char out[256];
	pid_t child;
	int fd = -1, rc, status = 0;

	rc = spawn(argv, &fd, &child);
	if (rc)
		return ferry_fail_errno(err, rc, "sbatch cannot be run");
	drain(fd, out, sizeof(out));
	close(fd);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status) ||
	    !strspn(out, "0123456789"))
		return ferry_fail(err, FERRY_IO, "slurm", FERRY_NO_OFFSET,
				  "sbatch refused the job: see its message "
				  "above");
	*id = cli_text("%.*s", (int)strcspn(out, ";\n"), out);
	return 0;
}

static int submit(const char *script, const char *after, char **id,
		  struct ferry_error *err)
{
	char *dependency = cli_text("--dependency=afterany:%s",
				    after ? after : "");
	char *path = cli_copy(script);
	char *argv[5] = { (char[]){ "sbatch" }, (char[]){ "--parsable" } };
	size_t n = 2;
	int rc;

	if (after)
		argv[n++] = dependency;
	argv[n++] = path;
	rc = sbatch(argv, id, err);
	free(dependency);
	free(path);
	return rc;
}

int cli_slurm_submit(struct cli_jobs *j, struct ferry_error *err)
{
	int rc = submit(j->script, NULL, &j->job, err);

	if (!rc)
		rc = submit(j->verify_script, j->job, &j->verify_job, err);
	return rc;
}
