/* SPDX-License-Identifier: BSD-2-Clause */
/* Between session.c (messages) and session_make.c (memory and queues). */
#ifndef SESSION_INTERNAL_H
#define SESSION_INTERNAL_H

#include "session.h"

/* Leaves the sentence in s->why and returns error. */
int session_fail(struct session *s, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
