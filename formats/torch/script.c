/* What a TorchScript archive has beside data.pkl: constants, and the code that
 * tells parameters from buffers. */
#include "config.h"

#include "formats/torch/reader.h"

#include <stdio.h>
#include <string.h>

#include <ferry/sys/alloc.h>

/* Code only tells parameters from buffers: where reading or searching it would
 * take more than this many bytes in all, the rest goes untold. */
#define CODE_BYTES_MAX (64 << 20)
#define SEARCH_BYTES_MAX (128 << 20)
#define PATH_BYTES_MAX (64 << 10)

/* ---- constants --------------------------------------------------------- */

static struct ferry_value *attributes(const struct ferry_value *v)
{
	if (v->kind != FERRY_OBJECT || !v->u.object->state ||
	    v->u.object->state->kind != FERRY_DICT)
		return NULL;
	return v->u.object->state;
}

static int add_constants(struct torch_reader *rd,
			 const struct ferry_value *list,
			 struct ferry_error *err)
{
	struct ferry_value *state = attributes(rd->doc->root), *dict;
	struct ferry_store *s = rd->doc->store;
	char name[16];

	if (!list->u.list.n)
		return 0;
	if (!state)
		return ferry_fail(err, FERRY_MALFORMED, "torchscript",
				  FERRY_NO_OFFSET,
				  "data.pkl is not a module with attributes");
	dict = ferry_dict(s, list->u.list.n);
	for (uint32_t i = 0; dict && i < list->u.list.n; i++) {
		snprintf(name, sizeof(name), "c%u", i);
		if (ferry_dict_set_str(s, dict, name, list->u.list.items[i]))
			return ferry_fail_nomem(err, "constants");
	}
	if (!dict || ferry_dict_set_str(s, state, "CONSTANTS", dict))
		return ferry_fail_nomem(err, "constants");
	return 0;
}

static int read_constants(struct torch_reader *rd, struct ferry_error *err)
{
	struct ferry_value *list = NULL;
	unsigned protocol;
	int r;

	/* Their storages are numbered apart from those of data.pkl. */
	ferry_map_release(&rd->storages);
	rd->storages = (struct ferry_map)FERRY_MAP_INIT;
	rd->folder = "constants/";
	r = torch_reader_pickle(rd, "constants.pkl", &list, &protocol, err);
	if (r)
		return r;
	if (list->kind != FERRY_TUPLE)
		return ferry_fail(err, FERRY_MALFORMED, "torchscript",
				  FERRY_NO_OFFSET,
				  "constants.pkl is not a tuple");
	return add_constants(rd, list, err);
}

/* ---- code -------------------------------------------------------------- */

struct code {
	const char *text;	/* NUL-terminated; NULL: there is none */
	size_t n;
};

struct coder {
	struct torch_reader *rd;
	struct ferry_map files;		/* module -> struct code */
	uint64_t n_read, n_searched;
	struct ferry_marks marks;
	struct ferry_buffer path;
	struct ferry_value *parameters, *buffers;
	struct ferry_error *err;
};

static int fail_nomem(struct coder *c)
{
	return ferry_fail_nomem(c->err, "TorchScript attributes");
}

static const struct zip_member *find_code(struct coder *c, const char *module)
{
	struct ferry_buffer name = FERRY_BUFFER_INIT;
	const struct zip_member *m = NULL;

	ferry_buffer_add_str(&name, module);
	for (size_t i = 0; !name.failed && i < name.n; i++) {
		if (name.data[i] == '.')
			name.data[i] = '/';
	}
	ferry_buffer_add_str(&name, ".py");
	if (!name.failed)
		m = torch_archive_find(&c->rd->archive, "code/", name.data,
				       name.n);
	ferry_buffer_release(&name);
	return m;
}

static int load_code(struct coder *c, const char *module, struct code *out)
{
	const struct zip_member *m = find_code(c, module);
	struct ferry_source *src = NULL;
	char *text;
	int r;

	if (!m || m->nbytes > CODE_BYTES_MAX - c->n_read)
		return 0;
	c->n_read += m->nbytes;
	text = ferry_store_alloc(c->rd->doc->store, (size_t)m->nbytes + 1);
	if (!text)
		return fail_nomem(c);
	r = zip_member_source(c->rd->archive.zip, m, &src, c->err);
	if (!r)
		r = ferry_source_read(src, text, 0, (size_t)m->nbytes, c->err);
	ferry_source_unref(src);
	text[m->nbytes] = '\0';
	out->text = text;
	out->n = (size_t)m->nbytes;
	return r;
}

static int code_of(struct coder *c, const struct ferry_value *class,
		   const struct code **out)
{
	const char *module = class->u.global.module;
	struct code *code;
	uint64_t known;
	int r;

	if (ferry_map_get(&c->files, module, class->u.global.module_len,
			  &known)) {
		*out = (const struct code *)(uintptr_t)known;
		return 0;
	}
	code = ferry_store_alloc(c->rd->doc->store, sizeof(*code));
	if (!code)
		return fail_nomem(c);
	*code = (struct code){ 0 };
	r = load_code(c, module, code);
	if (r)
		return r;
	if (ferry_map_put(&c->files, module, class->u.global.module_len,
			  (uint64_t)(uintptr_t)code))
		return fail_nomem(c);
	*out = code;
	return 0;
}

/* Behind "class NAME(", within code; NULL when it is not there. */
static const char *find_class(const char *code, const char *name)
{
	size_t n = strlen(name);

	for (; code; code = strstr(code, "\nclass ")) {
		if (*code == '\n')
			code++;
		if (!strncmp(code, "class ", 6) &&
		    !strncmp(code + 6, name, n) && code[6 + n] == '(')
			return code + 6 + n;
		if (!strncmp(code, "class ", 6))
			code += 6;
	}
	return NULL;
}

/* Each quoted name of `  <list> = ["a", "b", ]` in the class that begins at
 * code, appended to the path and added to out. */
static int add_names(struct coder *c, const char *code, const char *list,
		     const struct ferry_value *state, struct ferry_value *out)
{
	struct ferry_store *s = c->rd->doc->store;
	const char *end = strstr(code, "\nclass "), *p, *q;
	uint32_t left = state->u.dict.n;
	struct ferry_value *v;
	size_t n = c->path.n;
	const char *stop;

	p = strstr(code, list);
	if (!p || (end && p > end))
		return 0;
	stop = p + strcspn(p, "]\n");
	for (p = strchr(p, '"'); p && p < stop && left--;
	     p = strchr(q + 1, '"')) {
		q = strchr(p + 1, '"');
		if (!q || q > stop)
			break;
		ferry_buffer_add(&c->path, p + 1, (size_t)(q - p - 1));
		if (c->path.failed)
			return fail_nomem(c);
		v = ferry_dict_get(state, c->path.data + n);
		if (v && v->kind == FERRY_TENSOR) {
			v = ferry_string(s, c->path.data, c->path.n);
			if (!v || ferry_list_add(s, out, v))
				return fail_nomem(c);
		}
		c->path.n = n;
	}
	return 0;
}

static int list_attributes(struct coder *c, const struct ferry_value *class,
			   const struct ferry_value *state)
{
	const struct code *code = NULL;
	const char *text;
	int r;

	r = code_of(c, class, &code);
	if (r || !code->text)
		return r;
	c->n_searched += 3 * code->n + c->path.n * state->u.dict.n;
	if (c->n_searched > SEARCH_BYTES_MAX)
		return 0;
	text = find_class(code->text, class->u.global.name);
	if (!text)
		return 0;
	r = add_names(c, text, "__parameters__ = [", state, c->parameters);
	if (!r)
		r = add_names(c, text, "__buffers__ = [", state, c->buffers);
	return r;
}

static int walk(struct coder *c, const struct ferry_value *object,
		unsigned depth)
{
	struct ferry_value *state = attributes(object);
	const struct ferry_value *class = object->u.object->callable;
	size_t n = c->path.n;
	int r;

	if (!state || !class || class->kind != FERRY_GLOBAL ||
	    depth > FERRY_MAX_DEPTH || c->path.n > PATH_BYTES_MAX ||
	    ferry_mark(&c->marks, object))
		return 0;
	r = list_attributes(c, class, state);
	for (uint32_t i = 0; !r && i < state->u.dict.n; i++) {
		const struct ferry_pair *p = &state->u.dict.pairs[i];

		if (p->value->kind != FERRY_OBJECT ||
		    p->key->kind != FERRY_STRING)
			continue;
		ferry_buffer_add(&c->path, p->key->u.s.data,
				 (size_t)p->key->u.s.nbytes);
		ferry_buffer_add(&c->path, ".", 1);
		r = c->path.failed ? fail_nomem(c) :
			walk(c, p->value, depth + 1);
		c->path.n = n;
	}
	return r;
}

static int read_code(struct torch_reader *rd, struct ferry_error *err)
{
	struct ferry_document *doc = rd->doc;
	struct coder c = { .rd = rd, .err = err };
	int r;

	if (doc->root->kind != FERRY_OBJECT)
		return 0;
	c.parameters = ferry_sequence(doc->store, FERRY_LIST, 16);
	c.buffers = ferry_sequence(doc->store, FERRY_LIST, 16);
	r = c.parameters && c.buffers && !ferry_marks_init(&c.marks,
							   doc->store) ?
		0 : fail_nomem(&c);
	if (!r)
		r = walk(&c, doc->root, 0);
	if (!r && (ferry_dict_set_str(doc->store, doc->about, "parameters",
				      c.parameters) ||
		   ferry_dict_set_str(doc->store, doc->about, "buffers",
				      c.buffers)))
		r = fail_nomem(&c);
	ferry_marks_release(&c.marks);
	ferry_map_release(&c.files);
	ferry_buffer_release(&c.path);
	return r;
}

int torch_script_complete(struct torch_reader *rd, struct ferry_error *err)
{
	int r = read_constants(rd, err);

	return r ? r : read_code(rd, err);
}
