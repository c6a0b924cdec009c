/* SPDX-License-Identifier: BSD-2-Clause */
/* The HAL functions in front of the port's: each notes, checks, and goes on. */
#include <string.h>

#include "watch_internal.h"

#define SAMPLE 16u              /* bytes looked at, at each end of a mapping */

static struct watch_state *const w = &watch_state;

static struct watched *of(void *ctx)
{
	return ctx;
}

/* --- the marker ----------------------------------------------------------- */

/* Where the back end has the marker mapped, or NULL. */
static void *marker_host(void)
{
	void *host = NULL;

	watch_lock();
	for (size_t i = 0; i < w->regions; i++) {
		const struct vblk_region *r = &w->region[i];

		if (w->marker >= r->gpa && w->marker - r->gpa < r->len)
			host = (uint8_t *)r->host + (w->marker - r->gpa);
	}
	watch_unlock();
	return host;
}

static bool mark(void)
{
	struct vblk_le32 *at;

	if (!w->mark)
		return false;
	at = marker_host();
	if (at)
		vblk_store32(at, vblk_le32_make(++w->mark_value));
	return at != NULL;
}

static void look_for_mark(const char *clause, const char *what)
{
	struct vblk_le32 v;

	if (w->f->guest_read(w->f, w->marker, &v, sizeof(v)) != FIXTURE_OK)
		return;
	w->marked++;
	if (vblk_le32_get(v) != w->mark_value)
		watch_break(clause,
			    "%s, and the guest reads 0x%x where 0x%x was "
			    "stored before",
			    what, vblk_le32_get(v), w->mark_value);
}

/* As an event comes in: is there what the guest stored before it? */
void watch_look_for_guest(void)
{
	const struct vblk_le32 *at;
	uint32_t v;

	if (!w->expect)
		return;
	at = marker_host();
	if (!at)
		return;
	w->expected++;
	for (unsigned i = 0; i < 4; i++) {
		v = vblk_le32_get(vblk_load32(at));
		if (v != w->expect_value)
			watch_break("EV-2",
				    "an event came in, and the back end reads "
				    "0x%x where the guest stored 0x%x before "
				    "it",
				    v, w->expect_value);
	}
	w->expect = false;
}

/* --- submit --------------------------------------------------------------- */

static void accept_one(const struct vblk_req *r)
{
	struct seen *s;

	watch_note((struct watch_entry){ WATCH_ACCEPTED, r->queue, r->tag,
					 r->op, r->sector, r->bytes });
	if (r->queue >= FIXTURE_QUEUES || r->tag >= WATCH_TAGS)
		return;
	watch_lock();
	s = &w->seen[r->queue][r->tag];
	if (!s->there)
		w->in_flight++;
	s->there = true;
	watch_unlock();
}

/* Before the port has it: it may be DONE before submit returns. */
static void remember(const struct vblk_req *r)
{
	struct seen *s;

	if (r->queue >= FIXTURE_QUEUES || r->tag >= WATCH_TAGS)
		return;
	watch_lock();
	s = &w->seen[r->queue][r->tag];
	if (!s->there) {
		uint16_t n = r->num_segs < SEGS ? r->num_segs : SEGS;

		s->req = *r;
		memcpy(s->seg, r->seg, n * sizeof(s->seg[0]));
		s->req.seg = s->seg;
		s->req.num_segs = n;
	}
	watch_unlock();
}

static int watch_submit(void *ctx, const struct vblk_req *req, size_t n)
{
	struct watched *l = of(ctx);
	unsigned before = watch_in_flight();
	int r;

	for (size_t i = 0; i < n; i++)
		remember(&req[i]);
	watch_inside++;
	r = l->hal->submit(l->ctx, req, n);
	watch_inside--;
	watch_note((struct watch_entry){
		.kind = WATCH_SUBMIT, .a = n, .b = (uint64_t)r });
	if (r > (int)n)
		watch_break("SUB-1", "submit says %d of %zu", r, n);
	if (r < 0)
		watch_break("SUB-1", "submit returns %d", r);
	if (r == 0 && n > 0 && before == 0)
		watch_break("SUB-1",
			    "submit takes none, while none is in flight");
	for (int i = 0; i < r && i < (int)n; i++)
		accept_one(&req[i]);
	return r;
}

static void done(const struct vblk_event *e)
{
	uint16_t q = e->u.done.queue;
	vblk_tag tag = e->u.done.tag;
	struct seen *s;
	bool there;

	watch_note((struct watch_entry){ WATCH_DONE, q, tag, e->u.done.status,
					 0, e->u.done.bytes });
	if (q >= FIXTURE_QUEUES || tag >= WATCH_TAGS) {
		watch_break("SUB-3", "DONE of queue %u, tag %u: never accepted",
			    q, tag);
		return;
	}
	watch_lock();
	s = &w->seen[q][tag];
	there = s->there;
	if (there)
		w->in_flight--;
	s->there = false;
	watch_unlock();
	if (!there)
		watch_break("SUB-3",
			    "DONE of queue %u, tag %u, which is not in flight",
			    q, tag);
	else if (w->on_done)
		w->on_done(w->on_done_ctx, &s->req, e->u.done.status);
}

/* --- signal and reply ----------------------------------------------------- */

static void watch_signal(void *ctx, uint16_t source, bool up)
{
	struct watched *l = of(ctx);
	struct fixture_signals before, after;
	bool marked = up && mark();

	if (!up && source != VBLK_SOURCE_LINE)
		watch_break("SIG-3", "down comes for source %u, not the line",
			    source);
	if (!up && l->lane->mmio && vblk_mmio_line(l->lane->mmio))
		watch_break("SIG-3", "the line goes down while InterruptStatus "
				     "is not 0");
	if (marked && w->f->guest_signals(w->f, &before) != FIXTURE_OK)
		marked = false;
	watch_inside++;
	l->hal->signal(l->ctx, source, up);
	watch_inside--;
	watch_note((struct watch_entry){
		.kind = WATCH_SIGNAL, .queue = source, .a = up });
	if (marked && w->f->guest_signals(w->f, &after) == FIXTURE_OK &&
	    after.queues + after.config > before.queues + before.config)
		look_for_mark("SIG-1", "the guest was told");
}

static void watch_reply(void *ctx, const struct vblk_access *a, uint64_t value)
{
	struct watched *l = of(ctx);
	const struct vblk_access copy = *a;
	uint64_t mask = a->size >= 8 ? UINT64_MAX
				     : (UINT64_C(1) << 8 * a->size) - 1u;
	uint64_t got;
	bool marked = mark();

	watch_inside++;
	l->hal->reply(l->ctx, a, value);
	watch_inside--;
	watch_note((struct watch_entry){ .kind = WATCH_REPLY,
					 .op = copy.write,
					 .a = copy.offset,
					 .b = value });
	if (!marked || w->f->guest_access_poll(w->f, w->cpu, &got) != 1)
		return;
	look_for_mark("ACC-2", "an access was answered");
	if (!copy.write && (got & mask) != (value & mask))
		watch_break("ACC-2",
			    "a read of %u bytes at 0x%llx was answered with "
			    "0x%llx, and the guest got 0x%llx",
			    copy.size, (unsigned long long)copy.offset,
			    (unsigned long long)(value & mask),
			    (unsigned long long)got);
}

/* --- map and unmap -------------------------------------------------------- */

static bool in_ram(uint64_t gpa, uint64_t len)
{
	return gpa >= w->f->ram_gpa && gpa - w->f->ram_gpa <= w->f->ram_bytes &&
	       len <= w->f->ram_bytes - (gpa - w->f->ram_gpa);
}

static bool same_bytes(const struct vblk_region *r, uint64_t at)
{
	uint8_t guest[SAMPLE];

	return w->f->guest_read(w->f, r->gpa + at, guest, SAMPLE) !=
		       FIXTURE_OK ||
	       memcmp(guest, (const uint8_t *)r->host + at, SAMPLE) == 0;
}

static void check_mapped(const struct vblk_range *want,
			 const struct vblk_region *r)
{
	const char *what = NULL;

	if (r->len == 0 ||
	    (r->gpa | r->len | (uintptr_t)r->host) % VBLK_REGION_ALIGN)
		what = "is empty, or not aligned to 16 bytes";
	else if (r->gpa > want->gpa || want->gpa - r->gpa >= r->len)
		what = "does not cover the beginning of what was asked for";
	else if ((r->perm & want->perm & VBLK_RW) != (want->perm & VBLK_RW))
		what = "lacks a permission that was asked for";
	else if (!in_ram(r->gpa, r->len))
		what = "goes beyond the guest's memory";
	else if ((r->perm & VBLK_RW) != VBLK_RW)
		what = "lacks a permission that the guest gives";
	else if (!same_bytes(r, 0) || !same_bytes(r, r->len - SAMPLE))
		what = "does not hold what the guest has there";
	for (size_t i = 0; !what && i < w->regions; i++)
		if (w->region[i].gpa < r->gpa + r->len &&
		    r->gpa < w->region[i].gpa + w->region[i].len)
			what = "overlaps what is mapped";
	if (what)
		watch_break("MAP-1",
			    "asked for 0x%llx+0x%llx: the mapping "
			    "0x%llx+0x%llx %s",
			    (unsigned long long)want->gpa,
			    (unsigned long long)want->len,
			    (unsigned long long)r->gpa,
			    (unsigned long long)r->len, what);
}

static int watch_map(void *ctx, const struct vblk_range *want,
		     struct vblk_region *out)
{
	struct watched *l = of(ctx);
	int r;

	watch_inside++;
	r = l->hal->map(l->ctx, want, out);
	watch_inside--;
	watch_note((struct watch_entry){
		.kind = WATCH_MAP,
		.op = (uint8_t)-r,
		.a = r == VBLK_OK ? out->gpa : want->gpa,
		.b = r == VBLK_OK ? out->len : want->len });
	if (r == VBLK_OK)
		check_mapped(want, out);
	else if (r == VBLK_EGUEST && in_ram(want->gpa, want->len))
		watch_break("MAP-2",
			    "EGUEST for 0x%llx+0x%llx, which the guest has",
			    (unsigned long long)want->gpa,
			    (unsigned long long)want->len);
	else if (r == VBLK_EBUSY && w->regions == 0)
		watch_break("MAP-2", "EBUSY with nothing mapped");
	else if (r != VBLK_EGUEST && r != VBLK_EBUSY && r != VBLK_EUNMAPPED)
		watch_break("MAP-2", "map returns %d", r);
	return r;
}

static void watch_unmap(void *ctx, const struct vblk_region *r)
{
	struct watched *l = of(ctx);

	/* still mapped: the port has not been told */
	if (in_ram(r->gpa, r->len) &&
	    (!same_bytes(r, 0) || !same_bytes(r, r->len - SAMPLE)))
		watch_break("MAP-3",
			    "0x%llx+0x%llx was mapped, and is not what the "
			    "guest has there when it is unmapped",
			    (unsigned long long)r->gpa,
			    (unsigned long long)r->len);
	watch_inside++;
	l->hal->unmap(l->ctx, r);
	watch_inside--;
	watch_note((struct watch_entry){
		.kind = WATCH_UNMAP, .a = r->gpa, .b = r->len });
}

/* --- the rest ------------------------------------------------------------- */

static void watch_cancel(void *ctx, uint16_t queue, vblk_tag tag)
{
	struct watched *l = of(ctx);

	watch_note((struct watch_entry){
		.kind = WATCH_CANCEL, .queue = queue, .tag = tag });
	watch_inside++;
	l->hal->cancel(l->ctx, queue, tag);
	watch_inside--;
}

static void watch_save(void *ctx)
{
	struct watched *l = of(ctx);

	watch_inside++;
	l->hal->save(l->ctx);
	watch_inside--;
	watch_note((struct watch_entry){ .kind = WATCH_SAVE });
}

static int watch_events(void *ctx, struct vblk_event *out, size_t max,
			uint64_t wait_ns)
{
	struct watched *l = of(ctx);
	/* one more than is asked for: a port that fills it in is caught */
	struct vblk_event e[VBLK_BATCH + 1u];
	size_t ask = max < VBLK_BATCH ? max : VBLK_BATCH;
	int r;

	watch_inside++;
	r = l->hal->events(l->ctx, e, ask, wait_ns);
	watch_inside--;
	watch_note((struct watch_entry){
		.kind = WATCH_EVENTS, .a = ask, .b = (uint64_t)r });
	if (r > (int)ask) {
		watch_break("EV-1", "events: %d of at most %zu", r, ask);
		r = (int)ask;
	}
	for (int i = 0; i < r; i++) {
		out[i] = e[i];
		watch_event_in(l->lane, &e[i]);
	}
	return r;
}

void watch_event_in(struct vblk_lane *lane, const struct vblk_event *e)
{
	(void)lane;
	if (watch_inside > 0)
		watch_break("SUB-3", "a HAL function calls the lane");
	switch (e->kind) {
	case VBLK_EV_ACCESS:
		watch_note((struct watch_entry){ .kind = WATCH_ACCESS,
						 .op = e->u.access.write,
						 .a = e->u.access.offset,
						 .b = e->u.access.value });
		watch_look_for_guest();
		watch_die_if(WATCH_AT_ACCESS);
		return;
	case VBLK_EV_KICK:
		watch_note((struct watch_entry){ .kind = WATCH_KICK,
						 .queue = e->u.kick.queue });
		watch_look_for_guest();
		return;
	case VBLK_EV_DONE: done(e); return;
	case VBLK_EV_UNMAP:
		watch_note((struct watch_entry){ .kind = WATCH_EV_UNMAP,
						 .a = e->u.unmap.gpa,
						 .b = e->u.unmap.len });
		return;
	case VBLK_EV_STOP:
		watch_note((struct watch_entry){ .kind = WATCH_STOP });
		return;
	}
}

const struct vblk_hal *watch_lane(struct vblk_lane *lane, uint64_t *ctx)
{
	const struct vblk_hal *hal = lane->hal;
	struct watched *l = NULL;

	watch_lock();
	for (unsigned i = 0; i < w->lanes; i++)
		if (w->lane[i].lane == lane)
			l = &w->lane[i];
	if (!l && w->lanes < LANES)
		l = &w->lane[w->lanes++];
	watch_unlock();
	if (!l)
		return NULL;
	*l = (struct watched){ .lane = lane, .hal = hal, .ctx = lane->ctx };
	l->mine = (struct vblk_hal){
		.submit = watch_submit,
		.signal = watch_signal,
		.reply = hal->reply ? watch_reply : NULL,
		.map = hal->map ? watch_map : NULL,
		.unmap = hal->unmap ? watch_unmap : NULL,
		.cancel = hal->cancel ? watch_cancel : NULL,
		.save = hal->save ? watch_save : NULL,
		.events = hal->events ? watch_events : NULL,
		.trace = NULL
	};
	*ctx = (uint64_t)(uintptr_t)l;
	return &l->mine;
}

void watch_mapped(const struct vblk_region *r)
{
	watch_lock();
	if (w->regions < WATCH_REGIONS)
		w->region[w->regions++] = *r;
	watch_unlock();
}

void watch_unmapped(const struct vblk_region *r)
{
	watch_note((struct watch_entry){
		.kind = WATCH_GONE, .a = r->gpa, .b = r->len });
	watch_lock();
	for (size_t i = 0; i < w->regions; i++) {
		if (w->region[i].gpa != r->gpa)
			continue;
		w->regions--;
		memmove(&w->region[i], &w->region[i + 1],
			(w->regions - i) * sizeof(w->region[0]));
		break;
	}
	watch_unlock();
}

bool watch_in_save(uint8_t *out, size_t size, const uint8_t *blob, int n)
{
	static unsigned quarter;
	size_t most = (size_t)n * (quarter++ % 3u + 1u) / 4u;
	bool die;

	watch_lock();
	die = w->death == WATCH_IN_SAVE && w->death_in == 1;
	watch_unlock();
	if (die)
		memcpy(out, blob, most < size ? most : size);
	watch_die_if(WATCH_IN_SAVE);
	return !die;
}

