/* ferry migrate --slurm and --kubernetes. */
#include "config.h"

#include "cli/cluster.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/draft.h"
#include "cli/json_out.h"
#include "cli/memory.h"
#include "cli/report.h"
#include "cli/text.h"

enum {
	SLURM = 700,
	SUBMIT,
	SLURM_OPTION,
	KUBERNETES,
	IMAGE,
	CLAIM,
	FERRY,
};

const struct cli_option cli_cluster_options[] = {
	{ SLURM, "slurm", 0, NULL,
	  "freeze the work (-o, --shards) and write an array job for it beside "
	  "the manifest, with a job after it that verifies all; for a frozen "
	  "manifest, the jobs alone" },
	{ SUBMIT, "submit", 0, NULL, "with --slurm: submit both with sbatch" },
	{ SLURM_OPTION, "slurm-option", 0, "OPTION",
	  "an option of sbatch for both jobs: --slurm-option=--partition=cpu; "
	  "may be repeated" },
	{ KUBERNETES, "kubernetes", 0, NULL,
	  "likewise, an Indexed Job of Kubernetes; needs --image and --claim" },
	{ IMAGE, "image", 0, "IMAGE",
	  "with --kubernetes: the container image that has ferry" },
	{ CLAIM, "claim", 0, "NAME:PATH",
	  "with --kubernetes: mount this volume claim at PATH; may be "
	  "repeated" },
	{ FERRY, "ferry", 0, "COMMAND",
	  "with --slurm or --kubernetes: ferry as the nodes find it (else this "
	  "one, by its path; in a container: ferry)" },
	{ 0 },
};

static void add(struct cli_list *l, const char *item)
{
	l->items = cli_grow(l->items, l->n, &l->cap, sizeof(*l->items));
	l->items[l->n++] = item;
}

static bool has_break(const char *text)
{
	return strpbrk(text, "\n\r") != NULL;
}

static int take_slurm_option(struct cli *c, struct cli_cluster *k,
			     const char *arg)
{
	if (*arg != '-' || has_break(arg))
		return cli_usage(c, "--slurm-option takes one option of "
				 "sbatch, dashes included: "
				 "--slurm-option=--partition=cpu");
	add(&k->slurm_options, arg);
	return CLI_END;
}

static int take_claim(struct cli *c, struct cli_cluster *k, const char *arg)
{
	const char *colon = strchr(arg, ':');

	if (!colon || colon == arg || colon[1] != '/' || has_break(arg))
		return cli_usage(c, "--claim takes a volume claim and the "
				 "absolute path where it is mounted: "
				 "--claim=checkpoints:/data");
	add(&k->claims, arg);
	return CLI_END;
}

int cli_cluster_take(struct cli *c, struct cli_cluster *k, int id,
		     const char *arg)
{
	switch (id) {
	case SLURM:
		k->slurm = true;
		break;
	case SUBMIT:
		k->submit = true;
		break;
	case SLURM_OPTION:
		return take_slurm_option(c, k, arg);
	case KUBERNETES:
		k->kubernetes = true;
		break;
	case IMAGE:
		k->image = arg;
		break;
	case CLAIM:
		return take_claim(c, k, arg);
	case FERRY:
		k->ferry = arg;
		break;
	}
	return CLI_END;
}

int cli_cluster_check(struct cli *c, const struct cli_cluster *k)
{
	if (k->slurm && k->kubernetes)
		return cli_usage(c, "--slurm and --kubernetes exclude each "
				 "other");
	if (!k->slurm && (k->submit || k->slurm_options.n))
		return cli_usage(c, "--submit and --slurm-option need --slurm");
	if (!k->kubernetes && (k->image || k->claims.n))
		return cli_usage(c, "--image and --claim need --kubernetes");
	if (k->kubernetes && (!k->image || !k->claims.n))
		return cli_usage(c, "--kubernetes needs --image, and a --claim "
				 "of the volume with the checkpoints");
	if (k->ferry && !cli_cluster_wanted(k))
		return cli_usage(c, "--ferry needs --slurm or --kubernetes");
	return CLI_END;
}

void cli_cluster_pass(struct cli_cluster *k, const char *option)
{
	add(&k->pass, option);
}

void cli_cluster_release(struct cli_cluster *k)
{
	free(k->slurm_options.items);
	free(k->claims.items);
	free(k->pass.items);
}

static void word(struct cli_command *command, char *text)
{
	command->texts = cli_grow(command->texts, command->n_texts,
				  &command->texts_cap,
				  sizeof(*command->texts));
	command->texts[command->n_texts++] = text;
	add(&command->words, text);
}

static void command_release(struct cli_command *command)
{
	for (size_t i = 0; i < command->n_texts; i++)
		free(command->texts[i]);
	free(command->texts);
	free(command->words.items);
}

static char *own_path(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	return n > 0 ? cli_text("%.*s", (int)n, path) : cli_copy("ferry");
}

static char *command_name(const struct cli_cluster *k)
{
	if (k->ferry)
		return cli_copy(k->ferry);
	return k->kubernetes ? cli_copy("ferry") : own_path();
}

/* The shared options that the workers need as well. */
static void pass_shared(const struct cli *c, struct cli_command *command)
{
	if (c->plugin_path)
		word(command, cli_text("--plugin-path=%s", c->plugin_path));
	if (c->schema_path)
		word(command, cli_text("--schema-path=%s", c->schema_path));
	for (size_t i = 0; i < c->n_plugin_files; i++)
		word(command, cli_text("--plugin=%s", c->plugin_files[i]));
}

static void build_whole(const struct cli *c, struct cli_jobs *j)
{
	const struct cli_cluster *k = j->cluster;

	word(&j->whole, command_name(k));
	word(&j->whole, cli_copy("migrate"));
	word(&j->whole, cli_copy(j->work.manifest));
	word(&j->whole, cli_text("--threads=%u", j->request.cpus));
	if (k->max_memory)
		word(&j->whole, cli_text("--max-memory=%llu",
					 (unsigned long long)k->max_memory));
	for (size_t i = 0; i < k->pass.n; i++)
		word(&j->whole, cli_copy(k->pass.items[i]));
	pass_shared(c, &j->whole);
}

static void build_verify(const struct cli *c, struct cli_jobs *j)
{
	j->verify = cli_array(j->work.n_outputs, sizeof(*j->verify));
	j->n_verify = j->work.n_outputs;
	for (size_t i = 0; i < j->n_verify; i++) {
		word(&j->verify[i], command_name(j->cluster));
		word(&j->verify[i], cli_copy("verify"));
		word(&j->verify[i], cli_copy("--ledger"));
		pass_shared(c, &j->verify[i]);
		word(&j->verify[i], cli_copy("--"));
		word(&j->verify[i], cli_copy(j->work.outputs[i]));
	}
}

static void jobs_release(struct cli_jobs *j)
{
	for (size_t i = 0; i < j->n_verify; i++)
		command_release(&j->verify[i]);
	command_release(&j->whole);
	cli_workload_release(&j->work);
	free(j->verify);
	free(j->cwd);
	free(j->script);
	free(j->verify_script);
	free(j->job);
	free(j->verify_job);
}

int cli_jobs_write(const struct cli_jobs *j, const char *path,
		   void (*put)(FILE *f, const struct cli_jobs *j),
		   struct ferry_error *err)
{
	struct cli_draft d;
	int rc = cli_draft_open(&d, path, err);

	if (rc)
		return rc;
	put(d.f, j);
	return cli_draft_close(&d, true, err);
}

void cli_jobs_describe(const struct cli_jobs *j, FILE *f)
{
	char items[CLI_NUMBER_CAP], shards[CLI_NUMBER_CAP], all[32], most[32];

	fprintf(f, "%s item%s, %s, in %s part%s of at most %s",
		cli_count(items, j->work.sum.n_items), cli_plural(j->work.sum.n_items),
		ferry_bytes_text(j->work.sum.nbytes, all),
		cli_count(shards, j->work.sum.n_shards),
		cli_plural(j->work.sum.n_shards),
		ferry_bytes_text(j->work.sum.largest_shard, most));
}

static void print_json(const struct cli_jobs *j)
{
	json_t *json = json_object();

	cli_json_set(json, "manifest", cli_json_text(j->work.manifest));
	cli_json_set(json, "digest", cli_json_text(j->work.sum.digest));
	cli_json_set(json, "shards", cli_json_uint(j->work.sum.n_shards));
	cli_json_set(json, "items", cli_json_uint(j->work.sum.n_items));
	cli_json_set(json, "nbytes", cli_json_uint(j->work.sum.nbytes));
	cli_json_set(json, "cpus", cli_json_uint(j->request.cpus));
	cli_json_set(json, "memory", cli_json_uint(j->request.memory));
	cli_json_set(json, "minutes", cli_json_uint(j->request.minutes));
	cli_json_set(json, "script", cli_json_text(j->script));
	cli_json_set(json, "verify_script", cli_json_text(j->verify_script));
	cli_json_set(json, "job", cli_json_text(j->job));
	cli_json_set(json, "verify_job", cli_json_text(j->verify_job));
	cli_json_print(json);
}

static void say(const char *what, const char *value)
{
	printf("%-14s", what);
	cli_puts(stdout, value);
	putchar('\n');
}

static void print_text(const struct cli_jobs *j)
{
	printf("%-14s", "work");
	cli_jobs_describe(j, stdout);
	putchar('\n');
	say("job", j->script);
	say("verification", j->verify_script);
	if (j->job) {
		say("submitted", j->job);
		say("then", j->verify_job);
	}
}

static int write_jobs(struct cli *c, struct cli_jobs *j, const char *manifest,
		      struct ferry_error *err)
{
	const struct cli_cluster *k = j->cluster;
	int rc;

	rc = cli_workload_read(&j->work, manifest, err);
	if (rc)
		return rc;
	j->cwd = getcwd(NULL, 0);
	if (!j->cwd)
		return ferry_fail_errno(err, errno, "the working directory");
	cli_workload_request(&j->work, k->workers, k->max_memory, &j->request);
	build_whole(c, j);
	build_verify(c, j);
	if (k->kubernetes)
		return cli_kubernetes_write(j, err);
	rc = cli_slurm_write(j, err);
	if (!rc && k->submit)
		rc = cli_slurm_submit(j, err);
	return rc;
}

int cli_cluster_write(struct cli *c, struct cli_cluster *k,
		      const char *manifest)
{
	struct cli_jobs j = { .cluster = k };
	struct ferry_error err = FERRY_ERROR_INIT;
	int status = CLI_DONE;

	if (write_jobs(c, &j, manifest, &err))
		status = cli_failed(c, NULL, &err);
	else if (c->json)
		print_json(&j);
	else if (!c->quiet)
		print_text(&j);
	jobs_release(&j);
	return status;
}
