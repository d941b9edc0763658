/*
 * Stands in for libFuzzer: hands every file of a target's corpus to it once and prints TAP. The
 * corpus of fuzz_NAME is $TESTS_DIR/fuzz/corpus/NAME; files named on the command line replace it. A
 * crash or an input that takes 20 s ends the program before its plan is full, which is a failure.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define SECONDS_EACH 20
#define FILE_MAX     (16u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input is copied to a block of exactly its size, so that ASan sees a read past its end. */
static int replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct stat st;
	uint8_t *data;
	size_t n;

	if (!f || fstat(fileno(f), &st) < 0 || st.st_size > FILE_MAX) {
		fprintf(stderr, "%s: %s\n", path, f ? "too large" : strerror(errno));
		if (f)
			fclose(f);
		return -1;
	}
	data = mem_zero((size_t)st.st_size);
	n = fread(data, 1, (size_t)st.st_size, f);
	fclose(f);
	alarm(SECONDS_EACH);
	LLVMFuzzerTestOneInput(data, n);
	alarm(0);
	free(data);
	return 0;
}

static int replay_all(char *const *paths, int count)
{
	int failed = 0;

	printf("1..%d\n", count);
	for (int i = 0; i < count; i++) {
		const char *base = strrchr(paths[i], '/');
		int bad = replay_file(paths[i]) < 0;

		printf("%sok %d - %s\n", bad ? "not " : "", i + 1, base ? base + 1 : paths[i]);
		fflush(stdout);
		failed |= bad;
	}
	return failed;
}

static int is_seed(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static int replay_corpus(const char *name)
{
	const char *tests = getenv("TESTS_DIR");
	struct dirent **seeds;
	char **paths;
	char *dir;
	int n, failed;

	dir = mem_printf("%s/fuzz/corpus/%s", tests ? tests : "tests", name);
	n = scandir(dir, &seeds, is_seed, alphasort);
	if (n <= 0) {
		printf("1..1\nnot ok 1 - %s has no seed\n", dir);
		free(dir);
		return 1;
	}
	paths = mem_array((size_t)n, sizeof(*paths));
	for (int i = 0; i < n; i++) {
		paths[i] = mem_printf("%s/%s", dir, seeds[i]->d_name);
		free(seeds[i]);
	}
	failed = replay_all(paths, n);
	for (int i = 0; i < n; i++)
		free(paths[i]);
	free(paths);
	free(seeds);
	free(dir);
	return failed;
}

int main(int argc, char **argv)
{
	const char *prefix = "fuzz_";
	const char *name = program_invocation_short_name;

	if (argc > 1)
		return replay_all(argv + 1, argc - 1);
	if (strncmp(name, prefix, strlen(prefix)) == 0)
		name += strlen(prefix);
	return replay_corpus(name);
}
