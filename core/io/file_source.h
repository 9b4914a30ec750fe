/* Keeping the ends of a file while its index is read. */
#ifndef FERRY_IO_FILE_SOURCE_H
#define FERRY_IO_FILE_SOURCE_H

#include <ferry/sys/source.h>

/*
 * From now on src, if it is a file, reads its ends once and gives what lies in
 * them from memory; until it is let go, which comes before data is read, so
 * that a file which changes under that is noticed.  Both while no other thread
 * reads.
 */
void ferry_source_hold(struct ferry_source *src);
void ferry_source_let_go(struct ferry_source *src);

#endif
