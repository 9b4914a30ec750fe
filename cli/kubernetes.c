/*
 * Indexed Jobs of Kubernetes: batch/v1, backoffLimitPerIndex of 1.29
 * (kubernetes.io/docs/concepts/workloads/controllers/job).
 */
#include "config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli/cluster.h"
#include "cli/memory.h"

#define MIB (UINT64_C(1) << 20)
#define NAME_MOST 52		/* of 63, for the index that pods append */
#define RETRIES 6

/*
 * Arguments of jobs: $(NAME) stands for a variable, $$ for a dollar.  A JSON
 * string is one of YAML, too, as long as it escapes no surrogates.
 */
static char *quoted(const char *text, bool argument)
{
	char *plain = cli_array(2 * strlen(text) + 1, 1), *at = plain, *out;
	json_t *json;

	for (; *text; text++) {
		if (argument && *text == '$')
			*at++ = '$';
		*at++ = *text;
	}
	json = json_string(plain);
	out = json ? json_dumps(json, JSON_ENCODE_ANY) : cli_copy("\"\"");
	if (!out)
		cli_out_of_memory();
	json_decref(json);
	free(plain);
	return out;
}

static void put_text(FILE *f, const char *text, bool argument)
{
	char *shown = quoted(text, argument);

	fputs(shown, f);
	free(shown);
}

static bool is_utf8(const char *text)
{
	json_t *json = json_string(text);

	json_decref(json);
	return json != NULL;
}

/* A name of DNS: lower-case letters, digits and dashes between them. */
static char *job_name(const char *stem, const char *ending)
{
	char *name = cli_text("ferry-%s", stem), *out;
	size_t n = 0;

	for (size_t i = 0; name[i] && n < NAME_MOST; i++) {
		int c = tolower((unsigned char)name[i]);
		bool fits = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

		if (fits || name[n - 1] != '-')
			name[n++] = (char)(fits ? c : '-');
	}
	while (n && name[n - 1] == '-')
		n--;
	out = cli_text("%.*s%s", (int)n, name, ending);
	free(name);
	return out;
}

/* Lists in lists of the template, `depth` spaces in. */
static void put_command(FILE *f, const struct cli_command *command,
			const char *shard, int depth)
{
	fprintf(f, "%*scommand:\n", depth, "");
	for (size_t i = 0; i < command->words.n; i++) {
		fprintf(f, "%*s- ", depth, "");
		put_text(f, command->words.items[i], true);
		putc('\n', f);
	}
	if (shard)
		fprintf(f, "%*s- \"%s\"\n", depth, "", shard);
}

static void put_claims(FILE *f, const struct cli_jobs *j, int depth)
{
	const struct cli_list *claims = &j->cluster->claims;

	fprintf(f, "%*svolumeMounts:\n", depth, "");
	for (size_t i = 0; i < claims->n; i++) {
		fprintf(f, "%*s- name: claim-%zu\n%*s  mountPath: ", depth, "",
			i, depth, "");
		put_text(f, strchr(claims->items[i], ':') + 1, false);
		putc('\n', f);
	}
}

static void put_volumes(FILE *f, const struct cli_jobs *j)
{
	const struct cli_list *claims = &j->cluster->claims;

	fputs("      volumes:\n", f);
	for (size_t i = 0; i < claims->n; i++) {
		char *name = cli_text("%.*s",
				      (int)strcspn(claims->items[i], ":"),
				      claims->items[i]);

		fprintf(f, "      - name: claim-%zu\n"
			"        persistentVolumeClaim:\n"
			"          claimName: ", i);
		put_text(f, name, false);
		putc('\n', f);
		free(name);
	}
}

static void put_container(FILE *f, const struct cli_jobs *j, const char *name,
			  const struct cli_command *command, const char *shard)
{
	const struct cli_request *r = &j->request;
	unsigned long long memory = r->memory / MIB;

	fprintf(f, "      - name: %s\n        image: ", name);
	put_text(f, j->cluster->image, false);
	fputs("\n        workingDir: ", f);
	put_text(f, j->cwd, false);
	putc('\n', f);
	put_command(f, command, shard, 8);
	if (shard)
		fputs("        env:\n"
		      "        - name: FERRY_SHARD_INDEX\n"
		      "          valueFrom:\n"
		      "            fieldRef:\n"
		      "              fieldPath: metadata.annotations["
		      "'batch.kubernetes.io/job-completion-index']\n", f);
	fprintf(f, "        resources:\n"
		"          requests:\n"
		"            cpu: \"%u\"\n"
		"            memory: %lluMi\n"
		"          limits:\n"
		"            memory: %lluMi\n", r->cpus, memory, memory);
	put_claims(f, j, 8);
}

static void put_head(FILE *f, const struct cli_jobs *j, const char *ending)
{
	char *name = job_name(j->work.stem, ending);

	fputs("# ", f);
	cli_jobs_describe(j, f);
	fprintf(f, "\n# manifest %s\n"
		"apiVersion: batch/v1\n"
		"kind: Job\n"
		"metadata:\n"
		"  name: %s\n"
		"  labels:\n"
		"    app.kubernetes.io/name: ferry\n"
		"spec:\n", j->work.sum.digest, name);
	free(name);
}

static void put_pod(FILE *f, const struct cli_jobs *j)
{
	fprintf(f, "  template:\n"
		"    metadata:\n"
		"      labels:\n"
		"        app.kubernetes.io/name: ferry\n"
		"    spec:\n"
		"      restartPolicy: Never\n"
		"      terminationGracePeriodSeconds: %u\n", j->request.grace);
	put_volumes(f, j);
}

/* An index is retried when its pod was taken away, not when its items can't be
 * migrated (5) or the command is wrong (2). */
static void put_shards(FILE *f, const struct cli_jobs *j)
{
	char shard[64];

	put_head(f, j, "");
	fprintf(f, "  completionMode: Indexed\n"
		"  completions: %u\n"
		"  parallelism: %u\n"
		"  backoffLimitPerIndex: %d\n"
		"  maxFailedIndexes: %u\n"
		"  podReplacementPolicy: Failed\n"
		"  podFailurePolicy:\n"
		"    rules:\n"
		"    - action: Ignore\n"
		"      onPodConditions:\n"
		"      - type: DisruptionTarget\n"
		"        status: \"True\"\n"
		"    - action: FailIndex\n"
		"      onExitCodes:\n"
		"        containerName: ferry\n"
		"        operator: In\n"
		"        values: [2, 5]\n", j->work.sum.n_shards, j->work.sum.n_shards,
		RETRIES, j->work.sum.n_shards);
	put_pod(f, j);
	fputs("      containers:\n", f);
	snprintf(shard, sizeof(shard), "--shard=$(FERRY_SHARD_INDEX)/%u",
		 j->work.sum.n_shards);
	put_container(f, j, "ferry", &j->whole, shard);
}

static void put_verification(FILE *f, const struct cli_jobs *j)
{
	char name[32];

	put_head(f, j, "-verify");
	fprintf(f, "  backoffLimit: %d\n", RETRIES);
	put_pod(f, j);
	fputs("      initContainers:\n", f);
	put_container(f, j, "make-missing", &j->whole, NULL);
	for (size_t i = 0; i < j->n_verify; i++) {
		if (i + 1 == j->n_verify)
			fputs("      containers:\n", f);
		snprintf(name, sizeof(name), "verify-%zu", i);
		put_container(f, j, name, &j->verify[i], NULL);
	}
}

static int check_texts(const struct cli_jobs *j, struct ferry_error *err)
{
	bool fits = is_utf8(j->cwd) && is_utf8(j->cluster->image);

	for (size_t i = 0; i < j->whole.words.n; i++)
		fits = fits && is_utf8(j->whole.words.items[i]);
	for (size_t i = 0; i < j->cluster->claims.n; i++)
		fits = fits && is_utf8(j->cluster->claims.items[i]);
	if (fits)
		return 0;
	return ferry_fail(err, FERRY_UNSUPPORTED, "kubernetes",
			  FERRY_NO_OFFSET, "Kubernetes takes no path or option "
			  "that is not UTF-8: rename it");
}

int cli_kubernetes_write(struct cli_jobs *j, struct ferry_error *err)
{
	const struct cli_workload *w = &j->work;
	int rc = check_texts(j, err);

	if (rc)
		return rc;
	j->script = cli_text("%s%s.job.yaml", w->folder, w->stem);
	j->verify_script = cli_text("%s%s-verify.job.yaml", w->folder,
				    w->stem);
	rc = cli_jobs_write(j, j->script, put_shards, err);
	if (!rc)
		rc = cli_jobs_write(j, j->verify_script, put_verification, err);
	return rc;
}
