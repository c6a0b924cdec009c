/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer on the device-tree parser: any bytes are a blob. The script run
 * begins with the trees of the tests.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz/dt_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *blob = malloc(size ? size : 1); /* aligned, and of this size */
	const char *wrong;

	if (!blob)
		return 0;
	memcpy(blob, data, size);
	wrong = dt_check(blob, size);
	free(blob);
	if (wrong) {
		fprintf(stderr, "expected: %s\n", wrong);
		abort();
	}
	return 0;
}
