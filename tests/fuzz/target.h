/* What fuzz targets of files that are read by path share. */
#ifndef TESTS_FUZZ_TARGET_H
#define TESTS_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A path of a file with these bytes; the next call changes it.  NULL when
 * there is no room. */
const char *fuzz_file(const uint8_t *data, size_t size);

/* What must hold of every input: or the target aborts, saying where. */
#define require(truth) \
	((truth) ? (void)0 : fuzz_give_up(__FILE__, __LINE__, #truth))
_Noreturn void fuzz_give_up(const char *file, int line, const char *truth);

#endif
