/* Replay a fuzz target over files and directories, without a fuzzer. */
#include "config.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long replayed;

static int replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = NULL;
	struct stat st;
	int result = -1;

	if (!file || fstat(fileno(file), &st))
		goto out;
	/* exactly the file's size, so that a read past it is seen */
	data = malloc(st.st_size ? (size_t)st.st_size : 1);
	if (!data || fread(data, 1, (size_t)st.st_size, file) !=
			     (size_t)st.st_size)
		goto out;
	LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
	replayed++;
	result = 0;
out:
	if (result)
		perror(path);
	free(data);
	if (file)
		fclose(file);
	return result;
}

static int replay(const char *path)
{
	struct dirent *entry;
	struct stat st;
	int result = 0;
	DIR *dir;

	if (stat(path, &st)) {
		perror(path);
		return -1;
	}
	if (!S_ISDIR(st.st_mode))
		return replay_file(path);
	dir = opendir(path);
	if (!dir) {
		perror(path);
		return -1;
	}
	while (!result && (entry = readdir(dir))) {
		char below[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		result = replay(below);
	}
	closedir(dir);
	return result;
}

/* "replay_json" replays $FERRY_CORPUS/fuzz/json when no path is given. */
static int replay_default(const char *self)
{
	const char *corpus = getenv("FERRY_CORPUS");
	const char *name = strstr(self, "replay_");
	char path[4096];

	if (!corpus || !name) {
		fprintf(stderr, "%s: name files or set FERRY_CORPUS\n", self);
		return -1;
	}
	snprintf(path, sizeof(path), "%s/fuzz/%s", corpus,
		 name + strlen("replay_"));
	return replay(path);
}

int main(int argc, char **argv)
{
	int result = 0;

	if (argc < 2)
		result = replay_default(argv[0]);
	for (int i = 1; i < argc && !result; i++)
		result = replay(argv[i]);
	printf("%lu inputs replayed\n", replayed);
	return result || !replayed;
}
