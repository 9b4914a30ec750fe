/* A YAML text to a value. */
#include "config.h"

#include <inttypes.h>

#include <ferry/sys/alloc.h>

#include "formats/yaml/node.h"

/* OmegaConf makes a DictConfig of nothing and of a lone string. */
static int wrap_root(struct yaml_load *y, const struct node *node,
		     struct ferry_value **root)
{
	struct ferry_value *dict;

	if ((*root)->kind == FERRY_LIST || (*root)->kind == FERRY_DICT)
		return 0;
	if ((*root)->kind != FERRY_NONE && (*root)->kind != FERRY_STRING)
		return yaml_fail_at(y, node, FERRY_MALFORMED,
				    "a configuration is a mapping, a list or "
				    "a string, not a %s",
				    ferry_kind_name((*root)->kind));
	dict = ferry_dict(y->store, 1);
	if (!dict || ((*root)->kind == FERRY_STRING &&
		      ferry_dict_set(y->store, dict, *root, ferry_none())))
		return ferry_fail_nomem(y->err, "a YAML document");
	*root = dict;
	return 0;
}

static int load(struct yaml_load *y, struct ferry_value **out)
{
	struct ferry_value *root = ferry_none();
	struct node *node;
	int rc = yaml_compose(y, &node);

	if (!rc && node)
		rc = yaml_construct(y, node, 0, &root);
	if (!rc && y->options->schema == YAML_OMEGACONF)
		rc = wrap_root(y, node, &root);
	if (!rc)
		*out = root;
	return rc;
}

int yaml_read(const char *text, size_t n, struct ferry_store *store,
	      const struct yaml_reader *reader, struct ferry_value **out,
	      struct ferry_error *err)
{
	static const struct yaml_reader defaults = { .schema = YAML_PYYAML };
	struct yaml_load y = {
		.text = text, .n = n, .store = store, .err = err,
		.options = reader ? reader : &defaults,
	};
	uint64_t most = y.options->max_nbytes;
	int rc;

	if (!most)
		most = YAML_MAX_NBYTES;
	if (n > most || n > UINT32_MAX)
		return ferry_fail(err, FERRY_LIMIT, "yaml", FERRY_NO_OFFSET,
				  "text has %zu bytes, the limit is %" PRIu64,
				  n, most < UINT32_MAX ? most : UINT32_MAX);
	rc = ferry_store_new(&y.scratch, err);
	if (rc)
		return rc;
	rc = load(&y, out);
	ferry_store_unref(y.scratch);
	return rc;
}

int yaml_read_source(struct ferry_source *src, struct ferry_store *store,
		     const struct yaml_reader *reader,
		     struct ferry_value **out, struct ferry_error *err)
{
	uint64_t most = reader && reader->max_nbytes ? reader->max_nbytes :
						       YAML_MAX_NBYTES;
	char *text;
	int rc;

	if (src->nbytes > most)
		return ferry_fail(err, FERRY_LIMIT, "yaml", FERRY_NO_OFFSET,
				  "file has %" PRIu64 " bytes, the limit is %"
				  PRIu64, src->nbytes, most);
	text = ferry_alloc((size_t)src->nbytes);
	if (!text)
		return ferry_fail_nomem(err, "a YAML file");
	rc = ferry_source_read(src, text, 0, (size_t)src->nbytes, err);
	if (!rc)
		rc = yaml_read(text, (size_t)src->nbytes, store, reader, out,
			       err);
	ferry_alloc_free(text);
	return rc;
}
