/* A shared object that is no ferry plugin. */
#include "config.h"

#include "tests/plugins/mock.h"

extern const int mock_something_else;
FERRY_API const int mock_something_else = 1;
