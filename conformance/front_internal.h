/* SPDX-License-Identifier: BSD-2-Clause */
/* Between front.c and front_calls.c. */
#ifndef FRONT_INTERNAL_H
#define FRONT_INTERNAL_H

#include "front.h"

/* Leaves the sentence in f->why and returns error. */
int front_fail(struct front *f, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
