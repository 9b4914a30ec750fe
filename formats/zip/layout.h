/*
 * The records of a zip archive: signatures, sizes, saturated values.
 *
 * Source: APPNOTE 6.3.10, sections 4.3 and 4.5.
 */
#ifndef FORMATS_ZIP_LAYOUT_H
#define FORMATS_ZIP_LAYOUT_H

#include <stdint.h>

#define ZIP_LOCAL_SIGNATURE UINT32_C(0x04034b50)
#define ZIP_ENTRY_SIGNATURE UINT32_C(0x02014b50)
#define ZIP_END_SIGNATURE UINT32_C(0x06054b50)
#define ZIP_END64_SIGNATURE UINT32_C(0x06064b50)
#define ZIP_LOCATOR_SIGNATURE UINT32_C(0x07064b50)

enum {
	ZIP_LOCAL_BYTES = 30,	/* without name and extra */
	ZIP_ENTRY_BYTES = 46,	/* without name, extra and comment */
	ZIP_END_BYTES = 22,	/* without comment */
	ZIP_END64_BYTES = 56,
	ZIP_LOCATOR_BYTES = 20,
	ZIP_COMMENT_MAX = 65535,
};

/* Fields with these values continue in the zip64 extra field or record. */
#define ZIP_FULL16 UINT16_C(0xffff)
#define ZIP_FULL32 UINT32_C(0xffffffff)

enum {
	ZIP_EXTRA_ZIP64 = 0x0001,
	ZIP_EXTRA_PADDING = 0x4246,	/* "FB": what torch pads with */
};

enum {
	ZIP_FLAG_ENCRYPTED = 1 << 0,
	ZIP_FLAG_STRONG = 1 << 6,
	ZIP_FLAG_UTF8 = 1 << 11,
	ZIP_FLAG_MASKED = 1 << 13,
};

enum {
	ZIP_STORED = 0,
	ZIP_DEFLATED = 8,
};

#endif
