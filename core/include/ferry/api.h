/*
 * Symbol visibility.  libferry is built with hidden visibility; what carries
 * FERRY_API is the library's interface.
 */
#ifndef FERRY_API_H
#define FERRY_API_H

/* atomic_bool and atomic_int, which the interface uses, in both languages. */
#ifdef __cplusplus
#include <atomic>
using std::atomic_bool;
using std::atomic_int;
#else
#include <stdatomic.h>
#endif

#if defined(__GNUC__)
#define FERRY_API __attribute__((visibility("default")))
#define FERRY_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define FERRY_API
#define FERRY_PRINTF(fmt, args)
#endif

#ifdef __cplusplus
#define FERRY_BEGIN extern "C" {
#define FERRY_END }
#else
#define FERRY_BEGIN
#define FERRY_END
#endif

#endif
