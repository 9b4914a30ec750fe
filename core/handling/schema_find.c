/* Where schema files are. */
#include "config.h"

#include "core/handling/schema.h"

#include <stdlib.h>
#include <string.h>

#include <ferry/sys/buffer.h>

static int open_below(const char *dirs, const char *name,
		      struct ferry_source **out, struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	int rc = FERRY_NOTFOUND;
	size_t n;

	for (; *dirs && rc == FERRY_NOTFOUND; dirs += n + (dirs[n] == ':')) {
		n = strcspn(dirs, ":");
		path.n = 0;
		ferry_buffer_add(&path, dirs, n);
		ferry_buffer_printf(&path, "/%s", name);
		ferry_error_clear(&why);
		if (n)
			rc = path.failed ? ferry_fail_nomem(&why, "a path") :
			     ferry_source_open_file(out, path.data, &why);
	}
	ferry_buffer_release(&path);
	return rc ? ferry_fail(err, rc, "schema", FERRY_NO_OFFSET, "%s",
			       why.text) : 0;
}

static int open_named(const struct ferry_store *store, const char *name,
		      struct ferry_source **out, struct ferry_error *err)
{
	const char *given = secure_getenv("FERRY_SCHEMA_PATH");
	struct ferry_error why = FERRY_ERROR_INIT;
	int rc = FERRY_NOTFOUND;

	(void)store;
	if (given)
		rc = open_below(given, name, out, &why);
	if (rc == FERRY_NOTFOUND) {
		ferry_error_clear(&why);
		rc = open_below(SCHEMADIR, name, out, &why);
	}
	if (rc == FERRY_NOTFOUND)
		return ferry_fail(err, rc, "schema", FERRY_NO_OFFSET,
				  "%s: no schema directory has this file",
				  name);
	return rc ? ferry_fail(err, rc, "schema", FERRY_NO_OFFSET, "%s",
			       why.text) : 0;
}

int ferry__schema_open(const struct ferry_store *store, const char *name,
		       bool named, struct ferry_source **out,
		       struct ferry_error *err)
{
	return named ? open_named(store, name, out, err) :
		       ferry_source_open_file(out, name, err);
}

int ferry_tensor_schema_load(struct ferry_tensor_schema **out,
			     const char *path, const char *const *dims,
			     size_t n_dims, struct ferry_error *err)
{
	return ferry__schema_load(out, NULL, path, false, dims, n_dims, err);
}

/* "a/b" is a/tensors/b.yaml, or a/b.yaml. */
static void put_file(struct ferry_buffer *b, const char *name, bool folder)
{
	const char *slash = strrchr(name, '/');
	size_t n = slash ? (size_t)(slash - name) + 1 : 0;

	b->n = 0;
	ferry_buffer_add(b, name, n);
	ferry_buffer_printf(b, "%s%s.yaml", folder ? "tensors/" : "",
			    name + n);
}

static bool is_below(const char *name)
{
	const char *at = name;
	size_t n;

	if (*name == '/')
		return false;
	for (; *at; at += n + (at[n] == '/')) {
		n = strcspn(at, "/");
		if (!n || *at == '.')
			return false;
	}
	return *name;
}

int ferry_tensor_schema_find(struct ferry_tensor_schema **out,
			     const struct ferry_store *store, const char *name,
			     const char *const *dims, size_t n_dims,
			     struct ferry_error *err)
{
	struct ferry_buffer file = FERRY_BUFFER_INIT;
	struct ferry_source *src = NULL;
	char shown[200];
	bool found = false;
	int rc = 0;

	for (int folder = 1; folder >= 0 && !found && is_below(name) && !rc;
	     folder--) {
		put_file(&file, name, folder);
		rc = file.failed ? ferry_fail_nomem(err, "a path") :
		     ferry__schema_open(store, file.data, true, &src, NULL);
		found = !rc;
		if (rc == FERRY_NOTFOUND)
			rc = 0;
	}
	ferry_source_unref(src);
	if (found || (rc && rc != FERRY_NOMEM))
		rc = ferry__schema_load(out, store, file.data, true, dims,
					n_dims, err);
	else if (!rc)
		rc = ferry_fail(err, FERRY_NOTFOUND, "schema", FERRY_NO_OFFSET,
				"tensor schema %s is not known: no schema "
				"directory has it; to use a file, give its "
				"path", ferry_escape(shown, sizeof(shown), name,
						     strlen(name)));
	ferry_buffer_release(&file);
	return rc;
}
