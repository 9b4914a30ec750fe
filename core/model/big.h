/* Inside of the model: integers of any size, in little-endian bytes. */
#ifndef CORE_MODEL_BIG_H
#define CORE_MODEL_BIG_H

#include <stddef.h>
#include <stdint.h>

#include <ferry/value.h>

/* Bytes that an integral double can take. */
enum { BIG_DOUBLE = 136 };

/* Bytes left when those that only repeat the sign are dropped; at least 1,
 * unless n is 0. */
size_t ferry_big_trim(const uint8_t *le, size_t n);

/* The integer f is exactly (it is integral and finite), trimmed. */
size_t ferry_big_from_double(double f, uint8_t le[BIG_DOUBLE]);

/* The text of an INT of FERRY_BIG of n bytes, written to the end of room
 * (3 * n + 8 bytes); NULL when memory is out. */
char *ferry_big_format(const struct ferry_value *v, char *room);

#endif
