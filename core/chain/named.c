/* Files that a document names: where they lie here, each opened once. */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "core/chain/call.h"

static size_t without_slashes(const char *text, size_t n)
{
	while (n > 1 && text[n - 1] == '/')
		n--;
	return n;
}

int ferry__check_maps(const struct ferry_plan *p, struct ferry_error *err)
{
	const char *map, *equals;
	char shown[160];

	for (size_t i = 0; i < p->job.n_map_paths; i++) {
		map = p->job.map_paths[i];
		equals = strchr(map, '=');
		if (equals && equals != map && equals[1])
			continue;
		ferry_escape(shown, sizeof(shown), map, strlen(map));
		return ferry_fail(err, FERRY_MISUSE, "plan", FERRY_NO_OFFSET,
				  "--map-path %s: FROM=TO is expected, such as "
				  "/cluster/data=./data", shown);
	}
	return 0;
}

/* Bytes of the path that FROM takes, by whole components; 0: none. */
static size_t leads(const char *map, const char *path)
{
	size_t n = without_slashes(map, strcspn(map, "="));

	if (strncmp(path, map, n))
		return 0;
	return map[n - 1] == '/' || !path[n] || path[n] == '/' ? n : 0;
}

/* By the longest FROM; the path itself when none leads it.  In the store. */
static char *mapped(struct ferry_plan *p, const char *path)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	const char *best = NULL, *to, *rest;
	size_t most = 0, n;
	char *out;

	for (size_t i = 0; i < p->job.n_map_paths; i++) {
		n = leads(p->job.map_paths[i], path);
		if (n > most) {
			most = n;
			best = p->job.map_paths[i];
		}
	}
	if (!best)
		return ferry_store_strndup(p->store, path, strlen(path));
	to = strchr(best, '=') + 1;
	rest = path + most;
	rest += strspn(rest, "/");
	n = without_slashes(to, strlen(to));
	ferry_buffer_printf(&b, "%.*s%s%s", (int)n, to,
			    *rest && to[n - 1] != '/' ? "/" : "", rest);
	out = b.failed ? NULL : ferry_store_strndup(p->store, b.data, b.n);
	ferry_buffer_release(&b);
	return out;
}

/* The path beside the main input, in the store. */
static char *beside(struct ferry_plan *p, const char *path)
{
	const char *main = p->job.inputs[0];
	size_t dir = without_slashes(main, strlen(main));
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	char *out;

	while (dir && main[dir - 1] != '/')
		dir--;
	ferry_buffer_printf(&b, "%.*s%s", (int)dir, main, path);
	out = b.failed ? NULL : ferry_store_strndup(p->store, b.data, b.n);
	ferry_buffer_release(&b);
	return out;
}

/* 1, 0, or an error. */
static int exists(const char *path, struct ferry_error *err)
{
	struct stat st;
	char shown[256];

	if (!stat(path, &st))
		return 1;
	if (errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG)
		return 0;
	ferry_escape(shown, sizeof(shown), path, strlen(path));
	return ferry_fail_errno(err, errno, "%s: can't look it up", shown);
}

/* Where a path of a document is sought: `first`, then `second` if not NULL. */
struct places {
	char *first, *second;
};

static int find_places(struct ferry_plan *p, const char *path,
		       struct places *out)
{
	char *here = mapped(p, path);

	*out = (struct places){ here, NULL };
	if (!here || *here == '/')
		return here ? 0 : FERRY_NOMEM;
	out->first = beside(p, here);
	if (out->first && strcmp(out->first, here))
		out->second = here;
	return out->first ? 0 : FERRY_NOMEM;
}

/* 1 and the path there is, or 0. */
static int locate(struct ferry_plan *p, const char *path, struct places *where,
		  char **out, struct ferry_error *err)
{
	int rc;

	if (find_places(p, path, where))
		return ferry_fail_nomem(err, "a file name");
	*out = where->first;
	rc = exists(where->first, err);
	if (rc || !where->second)
		return rc;
	rc = exists(where->second, err);
	if (rc == 1)
		*out = where->second;
	return rc;
}

/* "--with config=FILE, " for every role that nobody gave. */
static void list_roles(const struct ferry__call *call, struct ferry_buffer *out)
{
	const struct ferry_role *roles = call->conversion->conversion->roles;

	for (size_t i = 1; i < call->n_roles; i++)
		if (!call->taken[i])
			ferry_buffer_printf(out, ", or give it with --with "
					    "%s=FILE", roles[i].name);
}

static int fail_absent(const struct ferry__call *call, const char *path,
		       const struct places *where, struct ferry_error *err)
{
	struct ferry_buffer roles = FERRY_BUFFER_INIT;
	char shown[200], first[200], second[160];

	ferry_escape(shown, sizeof(shown), path, strlen(path));
	ferry_escape(first, sizeof(first), where->first, strlen(where->first));
	ferry_escape(second, sizeof(second), where->second ? where->second : "",
		     where->second ? strlen(where->second) : 0);
	list_roles(call, &roles);
	if (!strcmp(shown, first) && !*second)
		ferry_fail(err, FERRY_NOTFOUND, "open", FERRY_NO_OFFSET,
			   "file %s, which the input names, is not there: say "
			   "where it lies here with --map-path FROM=TO%s",
			   shown, roles.data ? roles.data : "");
	else
		ferry_fail(err, FERRY_NOTFOUND, "open", FERRY_NO_OFFSET,
			   "file '%s', which the input names, is not there "
			   "(sought as %s%s%s): say where it lies here with "
			   "--map-path FROM=TO%s", shown, first,
			   *second ? " and " : "", second,
			   roles.data ? roles.data : "");
	ferry_buffer_release(&roles);
	return FERRY_NOTFOUND;
}

/* ---- each once ----------------------------------------------------------- */

static struct ferry__input *find_open(const struct ferry_plan *p,
				      const char *path)
{
	for (size_t i = 0; i < p->n_inputs; i++)
		if (!strcmp(p->inputs[i].path, path))
			return &p->inputs[i];
	for (size_t i = 0; i < p->n_named; i++)
		if (!strcmp(p->named[i]->path, path))
			return p->named[i];
	return NULL;
}

static int add_named(struct ferry_plan *p, struct ferry__input ***list,
		     size_t *n, size_t *cap, struct ferry__input *in,
		     struct ferry_error *err)
{
	size_t more = *cap ? 2 * *cap : 8;
	void *grown;

	if (*n == *cap) {
		grown = ferry_store_array(p->store, more, sizeof(**list));
		if (!grown)
			return ferry_fail_nomem(err, "a plan");
		if (*n)
			memcpy(grown, *list, *n * sizeof(**list));
		*list = grown;
		*cap = more;
	}
	(*list)[(*n)++] = in;
	return 0;
}

/* The input for a path that is there, noted as the call's. */
static int find_named(struct ferry__call *call, char *path,
		      struct ferry__input **out, struct ferry_error *err)
{
	struct ferry_plan *p = call->p;
	struct ferry__input *in = find_open(p, path);
	int rc = 0;

	if (!in) {
		in = ferry_store_alloc(p->store, sizeof(*in));
		if (!in)
			return ferry_fail_nomem(err, "a plan");
		*in = (struct ferry__input){ .path = path, .used = true };
		rc = add_named(p, &p->named, &p->n_named, &p->cap_named, in,
			       err);
	}
	*out = in;
	for (size_t i = 0; i < call->n_named && !rc; i++)
		if (call->named[i] == in)
			return 0;
	return rc ? rc : add_named(p, &call->named, &call->n_named,
				   &call->cap_named, in, err);
}

static int seek(const struct ferry_conversion_args *args, const char *path,
		struct ferry__input **out, struct ferry_error *err)
{
	struct ferry__call *call = args->priv;
	struct places where;
	char *found;
	int rc;

	if (!call)
		return ferry_fail(err, FERRY_MISUSE, "plan", FERRY_NO_OFFSET,
				  "files that a document names are opened by "
				  "conversions of a plan only");
	if (!*path)
		return ferry_fail(err, FERRY_NOTFOUND, "open", FERRY_NO_OFFSET,
				  "the input names a file by an empty path");
	rc = locate(call->p, path, &where, &found, err);
	if (rc < 0)
		return rc;
	return rc ? find_named(call, found, out, err) :
	       fail_absent(call, path, &where, err);
}

/* ---- what conversions call ----------------------------------------------- */

int ferry_args_open(const struct ferry_conversion_args *args, const char *path,
		    const struct ferry_source **out, struct ferry_error *err)
{
	struct ferry__input *in;
	int rc = seek(args, path, &in, err);

	if (!rc)
		rc = ferry__open_role(((struct ferry__call *)args->priv)->p,
				      in, err);
	if (!rc)
		*out = in->source;
	return rc;
}

int ferry_args_read(const struct ferry_conversion_args *args, const char *path,
		    const char *type, struct ferry_document **out,
		    struct ferry_error *err)
{
	struct ferry__input *in;
	int rc = seek(args, path, &in, err);

	if (!rc)
		rc = ferry__read_named(((struct ferry__call *)args->priv)->p,
				       in, type, err);
	if (!rc)
		*out = in->doc;
	return rc;
}

int ferry_args_exists(const struct ferry_conversion_args *args,
		      const char *path, struct ferry_error *err)
{
	struct ferry__call *call = args->priv;
	struct places where;
	char *found;

	if (!call || !*path)
		return 0;
	return locate(call->p, path, &where, &found, err);
}

char *ferry_args_map(const struct ferry_conversion_args *args,
		     const char *path)
{
	struct ferry__call *call = args->priv;
	struct places where;
	char *found;

	if (!call)
		return ferry_store_strndup(args->store, path, strlen(path));
	return locate(call->p, path, &where, &found, NULL) == FERRY_NOMEM ?
	       NULL : found;
}
