/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines for the operator, on standard error, one write each. Any thread. What a
 * guest or a front end can cause again and again is said once by the caller.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG, LOG_LEVELS };

extern const char *const log_names[LOG_LEVELS];

/* What each line begins with; name stays the caller's. */
void log_set_program(const char *name);
void log_set_level(enum log_level level);
bool log_wants(enum log_level level);

/* who: what it is about, NULL for the program. format has no newline. */
void log_line(enum log_level level, const char *who, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
