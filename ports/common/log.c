/* SPDX-License-Identifier: BSD-2-Clause */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE 1024

const char *const log_names[LOG_LEVELS] = { "error", "warning", "info",
					    "debug" };

static enum log_level most = LOG_INFO; /* both set before threads exist */
static const char *program = "vblk";

void log_set_program(const char *name)
{
	program = name;
}

void log_set_level(enum log_level level)
{
	most = level;
}

bool log_wants(enum log_level level)
{
	return level <= most;
}

void log_line(enum log_level level, const char *who, const char *format, ...)
{
	char line[LINE];
	size_t len;
	va_list ap;

	if (!log_wants(level))
		return;
	(void)snprintf(line, sizeof(line), "%s: %s%s", program, who ? who : "",
		       who ? ": " : "");
	len = strlen(line);
	va_start(ap, format);
	(void)vsnprintf(line + len, sizeof(line) - len - 1u, format, ap);
	va_end(ap);
	len = strlen(line);
	line[len] = '\n';
	/* where it cannot be written nobody can be told */
	if (write(STDERR_FILENO, line, len + 1u) < 0)
		return;
}
