/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A timeline in the trace-event JSON that Perfetto and chrome://tracing open: a
 * process a disk, a span a request, an instant for all else. Virtual time.
 */
#include <inttypes.h>

#include "sim.h"

static const char *const op_name[] = {
	"read", "write", "flush", "discard", "write zeroes", "secure erase"
};

static void line(struct world *w, unsigned disk, const char *name, char kind,
		 uint64_t id, const char *key, uint64_t value)
{
	fprintf(w->trace,
		"%s{\"name\":\"%s\",\"cat\":\"vblk\",\"ph\":\"%c\","
		"\"ts\":%" PRIu64 ".%03u,\"pid\":%u,\"tid\":%" PRIu64
		",\"id\":%" PRIu64 ",\"args\":{\"%s\":%" PRIu64 "}%s}",
		w->trace_more ? ",\n" : "[\n", name, kind, w->now / 1000u,
		(unsigned)(w->now % 1000u), disk, id >> 16, id, key, value,
		kind == 'i' ? ",\"s\":\"p\"" : "");
	w->trace_more = true;
}

void trace_event(struct world *w, unsigned disk, unsigned id, uint64_t a,
		 uint64_t b)
{
	switch ((enum vblk_trace)id) {
	case VBLK_TRACE_ACCESS:
		line(w, disk, b >> 63 ? "register write" : "register read", 'i',
		     0, "offset", a);
		break;
	case VBLK_TRACE_SUBMIT:
		line(w, disk, op_name[b >> 56], 'b', a, "sector",
		     b & ((UINT64_C(1) << 56) - 1u));
		break;
	case VBLK_TRACE_DONE:
		line(w, disk, "request", 'e', a, "status", b);
		break;
	case VBLK_TRACE_SIGNAL:
		line(w, disk, b ? "signal" : "signal down", 'i', 0, "source",
		     a);
		break;
	case VBLK_TRACE_MAP: line(w, disk, "map", 'i', 0, "gpa", a); break;
	case VBLK_TRACE_UNMAP: line(w, disk, "unmap", 'i', 0, "gpa", a); break;
	case VBLK_TRACE_FAULT:
		line(w, disk, "queue faulted", 'i', 0, "queue", a);
		break;
	}
}

void trace_end(struct world *w)
{
	fputs(w->trace_more ? "\n]\n" : "[]\n", w->trace);
}
