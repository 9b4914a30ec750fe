/* UTF-8 (RFC 3629). */
#include "config.h"

#include "core/base/utf8.h"

#include <stdbool.h>

static bool is_tail(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

size_t ferry_utf8_decode(const char *text, size_t n, uint32_t *code)
{
	static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char c = (unsigned char)text[0];
	size_t len;

	if (c < 0x80) {
		*code = c;
		return 1;
	}
	if (c < 0xc2 || c > 0xf4)
		return 0;
	len = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	if (len > n)
		return 0;
	*code = c & (0x7f >> len);
	for (size_t i = 1; i < len; i++) {
		if (!is_tail(text[i]))
			return 0;
		*code = *code << 6 | ((unsigned char)text[i] & 0x3f);
	}
	if (*code < least[len] || *code > 0x10ffff ||
	    (*code >= 0xd800 && *code < 0xe000))
		return 0;
	return len;
}

size_t ferry_utf8_cut(const char *text, size_t at)
{
	size_t start = at;

	while (start && at - start < 3 && is_tail(text[start]))
		start--;
	return is_tail(text[start]) ? at : start;
}
