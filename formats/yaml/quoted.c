/* Strings that OmegaConf quotes so that no reader takes them for a value. */
#include "config.h"

#include <string.h>

#include <ferry/sys/alloc.h>

#include "formats/yaml/emit.h"
#include "formats/yaml/scalar.h"

/* The first of each ten decimal digits of Unicode 14, but for ASCII's. */
static const uint32_t zeros[] = {
	0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66,
	0xce6, 0xd66, 0xde6, 0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0,
	0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40,
	0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0,
	0xff10, 0x104a0, 0x10d30, 0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0,
	0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950,
	0x11c50, 0x11d50, 0x11da0, 0x16a60, 0x16ac0, 0x16b50, 0x1d7ce,
	0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e950,
	0x1fbf0,
};

static bool is_space(uint32_t c)
{
	return c == ' ' || (c >= 0x09 && c <= 0x0d) ||
	       (c >= 0x1c && c <= 0x1f) || c == 0x85 || c == 0xa0 ||
	       c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
	       c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static char to_ascii(uint32_t c)
{
	size_t low = 0, high = sizeof(zeros) / sizeof(*zeros);

	if (is_space(c))
		return ' ';
	if (c < 0x80)
		return (char)c;
	while (high - low > 1) {
		size_t mid = (low + high) / 2;

		if (zeros[mid] <= c)
			low = mid;
		else
			high = mid;
	}
	return c - zeros[low] < 10 ? (char)('0' + (c - zeros[low])) : '?';
}

static bool is_bool_word(const char *text, size_t n)
{
	static const char words[] =
		" y Y yes Yes YES n N no No NO true True TRUE false False FALSE"
		" on On ON off Off OFF ";
	char spaced[8] = " ";

	if (!n || n > 5 || memchr(text, ' ', n) || memchr(text, 0, n))
		return false;
	memcpy(spaced + 1, text, n);
	memcpy(spaced + 1 + n, " ", 2);
	return strstr(words, spaced);
}

/* As Python has it: any decimal digits, any white space around. */
static int is_number(const char *text, size_t n)
{
	char *ascii = ferry_alloc(n + 1);
	size_t made = 0, len;
	double f;
	int rc = FERRY_MALFORMED;

	if (!ascii)
		return FERRY_NOMEM;
	for (size_t i = 0; i < n; i += len) {
		ascii[made] = to_ascii(yaml_char(text + i, n - i, &len));
		if (ascii[made++] == '?')
			goto out;
	}
	rc = yaml_python_float(ascii, made, &f);
out:
	ferry_alloc_free(ascii);
	return rc == FERRY_NOMEM ? rc : !rc;
}

/* No number begins so; spares most strings the copy. */
static bool may_be_number(const char *text, size_t n)
{
	unsigned char c = n ? (unsigned char)*text : 'x';

	return c >= 0x80 || c <= ' ' || strchr("+-.0123456789iInN", c);
}

int yaml_is_quoted_word(const char *text, size_t n)
{
	if (is_bool_word(text, n))
		return 1;
	return may_be_number(text, n) ? is_number(text, n) : 0;
}
