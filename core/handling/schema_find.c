/* Where schema files are. */
#include "config.h"

#include "core/handling/schema.h"

#include <string.h>

#include <ferry/sys/buffer.h>
#include <ferry/sys/plugin.h>

#include "core/registry/registry.h"

int ferry__schema_open(const struct ferry_store *store, const char *name,
		       bool named, struct ferry_source **out,
		       struct ferry_error *err)
{
	return named ? ferry_schema_open(store, name, out, err) :
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

/* 1: there is such a file; 0: not, or the name could be none's. */
static int exists(const struct ferry_store *store, const char *file,
		  struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry_source *src;
	int rc = ferry__schema_open(store, file, true, &src, &why);

	if (!rc) {
		ferry_source_unref(src);
		return 1;
	}
	if (rc == FERRY_NOTFOUND || rc == FERRY_MISUSE)
		return 0;
	return ferry_fail(err, rc, why.origin, why.offset, "%s", why.text);
}

static int fail_unknown(const struct ferry_store *store, const char *name,
			struct ferry_error *err)
{
	char shown[200], near[300];

	ferry__nearest_schema(store, name, near, sizeof(near));
	return ferry_fail(err, FERRY_NOTFOUND, "schema", FERRY_NO_OFFSET,
			  "tensor schema %s is not known%s: no schema "
			  "directory has it; to use a file, give its path",
			  ferry_escape(shown, sizeof(shown), name,
				       strlen(name)), near);
}

int ferry_tensor_schema_find(struct ferry_tensor_schema **out,
			     const struct ferry_store *store, const char *name,
			     const char *const *dims, size_t n_dims,
			     struct ferry_error *err)
{
	struct ferry_buffer file = FERRY_BUFFER_INIT;
	int rc = 0;

	for (int folder = 1; folder >= 0 && !rc; folder--) {
		put_file(&file, name, folder);
		rc = file.failed ? ferry_fail_nomem(err, "a path") :
		     exists(store, file.data, err);
	}
	if (rc > 0)
		rc = ferry__schema_load(out, store, file.data, true, dims,
					n_dims, err);
	else if (!rc)
		rc = fail_unknown(store, name, err);
	ferry_buffer_release(&file);
	return rc;
}

bool ferry_tensor_schema_is_file(const char *what)
{
	return ferry__ends_with(what, ".yaml") || ferry__ends_with(what, ".yml");
}

int ferry_tensor_schema_open(struct ferry_tensor_schema **out,
			     const struct ferry_store *store, const char *what,
			     const char *const *dims, size_t n_dims,
			     struct ferry_error *err)
{
	return ferry_tensor_schema_is_file(what) ?
	       ferry_tensor_schema_load(out, what, dims, n_dims, err) :
	       ferry_tensor_schema_find(out, store, what, dims, n_dims, err);
}
