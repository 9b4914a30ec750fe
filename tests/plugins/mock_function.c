/* The symbol is a function. */
#include "config.h"

#include "tests/plugins/mock.h"

FERRY_API int ferry_plugin_v1(void);

int ferry_plugin_v1(void)
{
	return 0;
}
