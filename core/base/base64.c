/* Base64. */
#include "config.h"

#include <ferry/sys/base64.h>

static const char digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void ferry_base64_add(struct ferry_buffer *out, const void *data, size_t n)
{
	const unsigned char *p = data;
	char *to = ferry_buffer_extend(out, n / 3 * 4 + (n % 3 ? 4 : 0));

	if (!to)
		return;
	for (; n; p += 3, to += 4) {
		uint32_t v = (uint32_t)p[0] << 16;

		if (n > 1)
			v |= (uint32_t)p[1] << 8;
		if (n > 2)
			v |= p[2];
		to[0] = digits[v >> 18];
		to[1] = digits[v >> 12 & 63];
		to[2] = n > 1 ? digits[v >> 6 & 63] : '=';
		to[3] = n > 2 ? digits[v & 63] : '=';
		n = n > 3 ? n - 3 : 0;
	}
}

int ferry_base64_value(char digit)
{
	if (digit >= 'A' && digit <= 'Z')
		return digit - 'A';
	if (digit >= 'a' && digit <= 'z')
		return digit - 'a' + 26;
	if (digit >= '0' && digit <= '9')
		return digit - '0' + 52;
	if (digit == '+')
		return 62;
	return digit == '/' ? 63 : -1;
}
