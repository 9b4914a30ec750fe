/* Check that stdin is JSON as ferry writes it, and print what stands at a path.
 *
 *	json_value [-l] [PATH]
 *
 * PATH is keys and indices joined by "/".  -l: one value on each line; PATH is
 * looked up in the first.  ASCII without control characters is demanded. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

static char *read_all(FILE *f, size_t *n)
{
	size_t cap = 1 << 16;
	char *text = malloc(cap + 1);

	*n = 0;
	while (text) {
		*n += fread(text + *n, 1, cap - *n, f);
		if (*n < cap)
			break;
		cap *= 2;
		text = realloc(text, cap + 1);
	}
	if (text)
		text[*n] = 0;
	return text;
}

static int check_bytes(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c != '\n' && (c < 0x20 || c > 0x7e)) {
			fprintf(stderr, "byte 0x%02x at %zu\n", c, i);
			return -1;
		}
	}
	return 0;
}

static json_t *at(json_t *json, char *path)
{
	for (char *key = strtok(path, "/"); key && json;
	     key = strtok(NULL, "/"))
		json = json_is_array(json) ?
			       json_array_get(json, strtoul(key, NULL, 10)) :
			       json_object_get(json, key);
	return json;
}

static int print_at(json_t *json, char *path)
{
	json = at(json, path);
	if (!json) {
		puts("(absent)");
		return 1;
	}
	if (json_is_string(json))
		puts(json_string_value(json));
	else if (json_is_array(json) && !json_array_size(json))
		puts("[]");
	else if (!json_dumpf(json, stdout, JSON_ENCODE_ANY | JSON_COMPACT))
		putchar('\n');
	return 0;
}

/* Parse one value that ends at `end`. */
static json_t *parse(const char *text, size_t n)
{
	json_error_t err;
	json_t *json = json_loadb(text, n, JSON_DECODE_ANY | JSON_ALLOW_NUL |
				  JSON_REJECT_DUPLICATES, &err);

	if (!json)
		fprintf(stderr, "line %d: %s\n", err.line, err.text);
	return json;
}

static json_t *parse_lines(char *text)
{
	json_t *first = NULL, *json;

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		json = parse(line, strlen(line));
		if (!json) {
			json_decref(first);
			return NULL;
		}
		if (!first)
			first = json;
		else
			json_decref(json);
	}
	return first;
}

int main(int argc, char **argv)
{
	int lines = argc > 1 && !strcmp(argv[1], "-l");
	char *path = argc > 1 + lines ? argv[1 + lines] : NULL, *text;
	json_t *json;
	int status = 0;
	size_t n;

	text = read_all(stdin, &n);
	if (!text || check_bytes(text, n))
		return 1;
	json = lines ? parse_lines(text) : parse(text, n);
	free(text);
	if (!json)
		return 1;
	if (path)
		status = print_at(json, path);
	json_decref(json);
	return status;
}
