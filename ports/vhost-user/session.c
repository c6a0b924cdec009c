/* SPDX-License-Identifier: BSD-2-Clause */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

#define PROTOCOL \
	(PROTOCOL_MQ | PROTOCOL_LOG_SHMFD | PROTOCOL_REPLY_ACK | \
	 PROTOCOL_BACKEND_REQ | PROTOCOL_CONFIG | PROTOCOL_RESET_DEVICE | \
	 PROTOCOL_MEM_SLOTS | PROTOCOL_STATUS)

#define MESSAGES 64u            /* until other events have their turn */

enum outcome {
	DONE,                   /* acknowledged if that was asked for */
	REPLIED,
	REFUSED                 /* *why says why */
};

typedef enum outcome handler(struct session *s, struct message *m,
			     const char **why);

static enum outcome reply(struct session *s, const struct message *m,
			  const void *body, size_t size, int fd,
			  const char **why)
{
	if (channel_send(s->front.fd, m->head.request, MSG_VERSION | MSG_REPLY,
			 body, (uint32_t)size, fd))
		return REPLIED;
	*why = "the front end does not take the answer";
	return REFUSED;
}

static enum outcome reply64(struct session *s, const struct message *m,
			    uint64_t v, const char **why)
{
	return reply(s, m, &v, sizeof(v), -1, why);
}

/* --- features ------------------------------------------------------------- */

static enum outcome get_features(struct session *s, struct message *m,
				 const char **why)
{
	return reply64(s, m, disk_features(s->disk), why);
}

static void enable_all(struct disk *d)
{
	for (uint16_t q = 0; q < d->config.num_queues; q++)
		d->ring[q].enabled = true;
}

static enum outcome set_features(struct session *s, struct message *m,
				 const char **why)
{
	uint64_t f = m->body.u64;

	if (f & VBLK_F_ACCESS_PLATFORM &&
	    !(s->protocol & PROTOCOL_BACKEND_REQ)) {
		*why = "ACCESS_PLATFORM needs the BACKEND_REQ channel";
		return REFUSED;
	}
	disk_pause(s->disk);
	if (!disk_accept(s->disk, f)) {
		*why = "these features are not offered, or not together";
		return REFUSED;
	}
	if (!(f & VHOST_USER_F_PROTOCOL_FEATURES))
		enable_all(s->disk);
	return DONE;
}

static uint64_t protocol_features(const struct disk *d)
{
	return PROTOCOL | (d->options->inflight ? PROTOCOL_INFLIGHT_SHMFD : 0);
}

static enum outcome get_protocol_features(struct session *s, struct message *m,
					  const char **why)
{
	return reply64(s, m, protocol_features(s->disk), why);
}

static enum outcome set_protocol_features(struct session *s, struct message *m,
					  const char **why)
{
	if (m->body.u64 & ~protocol_features(s->disk)) {
		*why = "these protocol features are not offered";
		return REFUSED;
	}
	s->protocol = m->body.u64;
	return DONE;
}

static enum outcome nothing(struct session *s, struct message *m,
			    const char **why)
{
	(void)s;
	(void)m;
	(void)why;
	return DONE;
}

static enum outcome get_queue_num(struct session *s, struct message *m,
				  const char **why)
{
	return reply64(s, m, s->disk->config.num_queues, why);
}

/* --- memory --------------------------------------------------------------- */

static enum outcome set_mem_table(struct session *s, struct message *m,
				  const char **why)
{
	const struct msg_table *t = &m->body.table;
	struct disk *d = s->disk;

	if (t->n > TABLE_REGIONS || m->num_fds != t->n ||
	    m->head.size != 8u + t->n * sizeof(t->region[0])) {
		*why = "regions, descriptors and size do not match";
		return REFUSED;
	}
	disk_pause(d);
	iotlb_clear(&d->iotlb);
	memory_clear(&d->memory);
	for (unsigned i = 0; i < t->n; i++) {
		if (memory_add(&d->memory, &t->region[i], m->fds[i], why))
			continue;
		memory_clear(&d->memory);
		return REFUSED;
	}
	return DONE;
}

static enum outcome get_max_mem_slots(struct session *s, struct message *m,
				      const char **why)
{
	return reply64(s, m, MEMORY_SLOTS, why);
}

static enum outcome add_mem_reg(struct session *s, struct message *m,
				const char **why)
{
	disk_pause(s->disk);
	return memory_add(&s->disk->memory, &m->body.slot.region, m->fds[0],
			  why)
		       ? DONE
		       : REFUSED;
}

static enum outcome rem_mem_reg(struct session *s, struct message *m,
				const char **why)
{
	disk_pause(s->disk);
	iotlb_clear(&s->disk->iotlb);
	if (memory_remove(&s->disk->memory, &m->body.slot.region))
		return DONE;
	*why = "there is no such region";
	return REFUSED;
}

/* --- dirty pages ---------------------------------------------------------- */

static enum outcome set_log_base(struct session *s, struct message *m,
				 const char **why)
{
	struct disk *d = s->disk;
	struct shared log;

	if (!shared_map(&log, m->fds[0], m->body.log.offset, m->body.log.size,
			d->event, why))
		return REFUSED;
	disk_pause(d);
	shared_unmap(&d->log);
	d->log = log;
	return reply64(s, m, 0, why);
}

/* --- rings ---------------------------------------------------------------- */

static struct ring *ring_of(struct session *s, uint32_t index,
			    const char **why)
{
	if (index < s->disk->config.num_queues)
		return &s->disk->ring[index];
	*why = "there is no such queue (see --num-queues)";
	return NULL;
}

static enum outcome set_vring_num(struct session *s, struct message *m,
				  const char **why)
{
	struct ring *r = ring_of(s, m->body.state.index, why);
	uint32_t n = m->body.state.num;

	if (!r)
		return REFUSED;
	/* packed rings may have any size, 2.8 */
	if (n == 0 || n > s->disk->config.queue_size ||
	    ((n & (n - 1u)) && !disk_packed(s->disk))) {
		*why = "its size is not a power of two up to --queue-size";
		return REFUSED;
	}
	disk_pause(s->disk);
	r->size = n;
	return DONE;
}

static enum outcome set_vring_addr(struct session *s, struct message *m,
				   const char **why)
{
	struct ring *r = ring_of(s, m->body.addr.index, why);

	if (!r)
		return REFUSED;
	disk_pause(s->disk);
	r->addr = m->body.addr;
	r->has_addr = true;
	return DONE;
}

static enum outcome set_vring_base(struct session *s, struct message *m,
				   const char **why)
{
	struct ring *r = ring_of(s, m->body.state.index, why);

	if (!r)
		return REFUSED;
	if (m->body.state.num > UINT16_MAX && !disk_packed(s->disk)) {
		*why = "its base is not an index of a split ring";
		return REFUSED;
	}
	disk_pause(s->disk);
	r->base = m->body.state.num;
	r->has_pos = false;
	return DONE;
}

static enum outcome get_vring_base(struct session *s, struct message *m,
				   const char **why)
{
	struct ring *r = ring_of(s, m->body.state.index, why);
	struct msg_vring_state at = m->body.state;

	if (!r)
		return REFUSED;
	disk_pause(s->disk);
	at.num = disk_stop_ring(s->disk, (uint16_t)at.index);
	ring_exchange(&r->kick, -1);
	ring_exchange(&r->call, -1);
	return reply(s, m, &at, sizeof(at), -1, why);
}

static enum outcome set_vring_enable(struct session *s, struct message *m,
				     const char **why)
{
	struct ring *r = ring_of(s, m->body.state.index, why);

	if (!r)
		return REFUSED;
	if (m->body.state.num > 1) {
		*why = "it is neither enabled nor disabled";
		return REFUSED;
	}
	disk_pause(s->disk);
	r->enabled = m->body.state.num;
	return DONE;
}

/*
 * Only an eventfd takes 8 bytes of 0. Anything else may not be what can be
 * waited for, or be more than it looks: the front end's end of this connection,
 * which held by us would never end.
 */
static bool is_eventfd(int fd)
{
	const uint64_t zero = 0;
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	return flags >= 0 && fstat(fd, &st) == 0 &&
	       (st.st_mode & S_IFMT) == 0 &&
	       fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
	       (write(fd, &zero, sizeof(zero)) == (ssize_t)sizeof(zero) ||
		errno == EAGAIN);
}

/* The descriptor of SET_VRING_KICK, _CALL or _ERR. */
static struct ring *ring_fd(struct session *s, struct message *m, int *fd,
			    const char **why)
{
	bool none = m->body.u64 & NO_FD;

	*fd = -1;
	if (none != (m->num_fds == 0) || m->body.u64 & ~(uint64_t)0x1ff) {
		*why = "its descriptor and its flag contradict each other";
		return NULL;
	}
	if (!none && !is_eventfd(m->fds[0])) {
		*why = "its descriptor is no eventfd";
		return NULL;
	}
	disk_pause(s->disk);
	if (!none)
		*fd = message_take_fd(m, 0);
	return ring_of(s, m->body.u64 & VRING_INDEX, why);
}

static void drop(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

static enum outcome set_vring_kick(struct session *s, struct message *m,
				   const char **why)
{
	int fd;
	struct ring *r = ring_fd(s, m, &fd, why);

	if (!r) {
		drop(fd);
		return REFUSED;
	}
	ring_exchange(&r->kick, fd);
	r->started = true;
	return DONE;
}

/* What was signalled to the old one is signalled again. */
static enum outcome set_vring_call(struct session *s, struct message *m,
				   const char **why)
{
	int fd;
	struct ring *r = ring_fd(s, m, &fd, why);

	if (!r) {
		drop(fd);
		return REFUSED;
	}
	ring_exchange(&r->call, fd);
	if (r->started)
		notify(&s->disk->notify, fd);
	return DONE;
}

static enum outcome set_vring_err(struct session *s, struct message *m,
				  const char **why)
{
	int fd;
	struct ring *r = ring_fd(s, m, &fd, why);

	if (!r) {
		drop(fd);
		return REFUSED;
	}
	ring_exchange(&r->err, fd);
	return DONE;
}

/* --- configuration and status --------------------------------------------- */

static bool config_fits(const struct message *m)
{
	const struct msg_config *c = &m->body.config;

	return m->head.size >= CONFIG_HEAD && c->size <= CONFIG_BYTES &&
	       c->offset <= CONFIG_BYTES - c->size &&
	       m->head.size == CONFIG_HEAD + c->size;
}

/* 5.2.4. A length of 0 in the answer is the protocol's way to say no. */
static enum outcome get_config(struct session *s, struct message *m,
			       const char **why)
{
	struct msg_config *c = &m->body.config;

	if (!config_fits(m))
		return reply(s, m, NULL, 0, -1, why);
	vblk_config_read(s->disk->dev, c->offset, c->payload, c->size);
	return reply(s, m, c, CONFIG_HEAD + c->size, -1, why);
}

static enum outcome set_config(struct session *s, struct message *m,
			       const char **why)
{
	const struct msg_config *c = &m->body.config;

	if (!config_fits(m)) {
		*why = "offset and size do not match";
		return REFUSED;
	}
	disk_pause(s->disk);
	vblk_config_write(s->disk->dev, c->offset, c->payload, c->size);
	return DONE;
}

static enum outcome reset_device(struct session *s, struct message *m,
				 const char **why)
{
	(void)m;
	(void)why;
	disk_pause(s->disk);
	disk_reset(s->disk);
	s->status = 0;
	return DONE;
}

static enum outcome set_status(struct session *s, struct message *m,
			       const char **why)
{
	if (m->body.u64 > UINT8_MAX) {
		*why = "a device status has 8 bits";
		return REFUSED;
	}
	if (m->body.u64 == 0)
		return reset_device(s, m, why);
	/* NEEDS_RESET is ours to set; SUSPEND is not offered */
	s->status = (uint8_t)(m->body.u64 & VBLK_STATUS_SETTABLE);
	return DONE;
}

static enum outcome get_status(struct session *s, struct message *m,
			       const char **why)
{
	uint64_t v = s->status;

	if (disk_needs_reset(s->disk))
		v |= VBLK_STATUS_NEEDS_RESET;
	return reply64(s, m, v, why);
}

/* --- in flight ------------------------------------------------------------ */

static enum outcome get_inflight_fd(struct session *s, struct message *m,
				    const char **why)
{
	struct msg_inflight *f = &m->body.inflight;
	enum outcome r;
	int fd;

	if (f->num_queues == 0 || f->num_queues > s->disk->config.num_queues ||
	    f->queue_size == 0 || f->queue_size > s->disk->config.queue_size) {
		*why = "it is for more or larger queues than there are";
		return REFUSED;
	}
	f->offset = 0;
	/* before features are accepted it has room for either ring's log */
	f->size = f->num_queues *
		  disk_inflight_stride(disk_features(s->disk), f->queue_size);
	fd = memfd_create("vblk-inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, (off_t)f->size) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW)) {
		drop(fd);
		*why = "there is no memory for the in-flight log";
		return REFUSED;
	}
	r = reply(s, m, f, m->head.size, fd, why);
	drop(fd);
	return r;
}

static enum outcome set_inflight_fd(struct session *s, struct message *m,
				    const char **why)
{
	const struct msg_inflight *f = &m->body.inflight;
	struct disk *d = s->disk;
	struct shared map;

	if (f->num_queues == 0 || f->queue_size == 0 || f->offset % 8u ||
	    f->size < f->num_queues * disk_inflight_stride(d->features,
							   f->queue_size)) {
		*why = "its size does not suffice for its queues";
		return REFUSED;
	}
	if (!shared_map(&map, m->fds[0], f->offset, f->size, d->event, why))
		return REFUSED;
	disk_pause(d);
	shared_unmap(&d->inflight);
	d->inflight = map;
	d->inflight_queues = f->num_queues;
	d->inflight_size = f->queue_size;
	return DONE;
}

/* --- the back-end channel and the IOMMU ----------------------------------- */

static enum outcome set_backend_fd(struct session *s, struct message *m,
				   const char **why)
{
	(void)why;
	disk_pause(s->disk);    /* the lane may be asking through the old one */
	channel_close(&s->back);
	channel_open(&s->back, message_take_fd(m, 0));
	return DONE;
}

static enum outcome iotlb_msg(struct session *s, struct message *m,
			      const char **why)
{
	const struct msg_iotlb *u = &m->body.iotlb;
	struct disk *d = s->disk;

	switch (u->type) {
	case IOTLB_UPDATE:
		if (disk_translate(d, u))
			return DONE;
		*why = "it translates to no memory, or not in pages";
		return REFUSED;
	case IOTLB_INVALIDATE:
		disk_pause(d);
		iotlb_invalidate(&d->iotlb, u->iova, u->size);
		return DONE;
	default: *why = "it is neither UPDATE nor INVALIDATE"; return REFUSED;
	}
}

/* From the lane. The answer says whether the driver gave any such memory. */
static void ask(void *ctx, uint64_t iova, uint32_t perm)
{
	struct session *s = ctx;
	struct msg_iotlb u = { .iova = iova,
			       .size = 4096,
			       .perm = (uint8_t)perm,
			       .type = IOTLB_MISS };
	uint32_t need = s->protocol & PROTOCOL_REPLY_ACK ? MSG_NEED_REPLY : 0;

	if (s->back.fd >= 0 &&
	    !channel_send(s->back.fd, BACKEND_IOTLB, MSG_VERSION | need, &u,
			  sizeof(u), -1))
		log_line(LOG_WARNING, s->disk->name,
			 "the front end does not take questions about its "
			 "IOMMU");
}

void session_back(struct session *s)
{
	const char *why = "";
	enum channel_result r = CHANNEL_MORE;

	for (unsigned i = 0; i < MESSAGES; i++) {
		const struct message *m = &s->back.in;

		r = channel_receive(&s->back, &why);
		if (r != CHANNEL_MESSAGE)
			break;

		if (m->head.request == BACKEND_IOTLB &&
		    m->head.flags & MSG_REPLY && m->head.size == 8)
			disk_translated(s->disk, m->body.u64 != 0);
		channel_next(&s->back);
	}
	if (r != CHANNEL_CLOSED && r != CHANNEL_BROKEN)
		return;
	disk_pause(s->disk);    /* the lane may be asking */
	channel_close(&s->back);
	disk_go(s->disk);
}

void session_config_changed(struct session *s)
{
	if (s->back.fd >= 0 && s->protocol & PROTOCOL_CONFIG)
		(void)channel_send(s->back.fd, BACKEND_CONFIG_CHANGE,
				   MSG_VERSION, NULL, 0, -1);
}

/* --- dispatch ------------------------------------------------------------- */

#define ANY UINT32_MAX
#define IN(member) sizeof(((union payload *)NULL)->member)

static const struct rule {
	const char *name;
	handler *handle;
	uint32_t size, or_size; /* bytes of payload; ANY: the handler looks */
	uint8_t  min_fds, max_fds;
	uint64_t needs;         /* a protocol feature */
} rules[REQUESTS] = {
	[GET_FEATURES] = { "GET_FEATURES", get_features, 0, 0, 0, 0, 0 },
	[SET_FEATURES] = { "SET_FEATURES", set_features, 8, 8, 0, 0, 0 },
	[SET_OWNER] = { "SET_OWNER", nothing, 0, 0, 0, 0, 0 },
	[RESET_OWNER] = { "RESET_OWNER", nothing, 0, 0, 0, 0, 0 },
	[SET_MEM_TABLE] = { "SET_MEM_TABLE", set_mem_table, ANY, ANY, 0,
			    MESSAGE_FDS, 0 },
	[SET_LOG_BASE] = { "SET_LOG_BASE", set_log_base, IN(log), IN(log), 1,
			   1, PROTOCOL_LOG_SHMFD },
	[SET_VRING_NUM] = { "SET_VRING_NUM", set_vring_num, IN(state),
			    IN(state), 0, 0, 0 },
	[SET_VRING_ADDR] = { "SET_VRING_ADDR", set_vring_addr, IN(addr),
			     IN(addr), 0, 0, 0 },
	[SET_VRING_BASE] = { "SET_VRING_BASE", set_vring_base, IN(state),
			     IN(state), 0, 0, 0 },
	[GET_VRING_BASE] = { "GET_VRING_BASE", get_vring_base, IN(state),
			     IN(state), 0, 0, 0 },
	[SET_VRING_KICK] = { "SET_VRING_KICK", set_vring_kick, 8, 8, 0, 1, 0 },
	[SET_VRING_CALL] = { "SET_VRING_CALL", set_vring_call, 8, 8, 0, 1, 0 },
	[SET_VRING_ERR] = { "SET_VRING_ERR", set_vring_err, 8, 8, 0, 1, 0 },
	[GET_PROTOCOL_FEATURES] = { "GET_PROTOCOL_FEATURES",
				    get_protocol_features, 0, 0, 0, 0, 0 },
	[SET_PROTOCOL_FEATURES] = { "SET_PROTOCOL_FEATURES",
				    set_protocol_features, 8, 8, 0, 0, 0 },
	[GET_QUEUE_NUM] = { "GET_QUEUE_NUM", get_queue_num, 0, 0, 0, 0,
			    PROTOCOL_MQ },
	[SET_VRING_ENABLE] = { "SET_VRING_ENABLE", set_vring_enable, IN(state),
			       IN(state), 0, 0, 0 },
	[SET_BACKEND_REQ_FD] = { "SET_BACKEND_REQ_FD", set_backend_fd, 0, 8, 1,
				 1, PROTOCOL_BACKEND_REQ },
	[IOTLB_MSG] = { "IOTLB_MSG", iotlb_msg, IN(iotlb), IN(iotlb), 0, 0,
			PROTOCOL_BACKEND_REQ },
	[GET_CONFIG] = { "GET_CONFIG", get_config, ANY, ANY, 0, 0,
			 PROTOCOL_CONFIG },
	[SET_CONFIG] = { "SET_CONFIG", set_config, ANY, ANY, 0, 0,
			 PROTOCOL_CONFIG },
	[GET_INFLIGHT_FD] = { "GET_INFLIGHT_FD", get_inflight_fd,
			      INFLIGHT_BYTES, IN(inflight), 0, 0,
			      PROTOCOL_INFLIGHT_SHMFD },
	[SET_INFLIGHT_FD] = { "SET_INFLIGHT_FD", set_inflight_fd,
			      INFLIGHT_BYTES, IN(inflight), 1, 1,
			      PROTOCOL_INFLIGHT_SHMFD },
	[RESET_DEVICE] = { "RESET_DEVICE", reset_device, 0, 0, 0, 0,
			   PROTOCOL_RESET_DEVICE },
	[GET_MAX_MEM_SLOTS] = { "GET_MAX_MEM_SLOTS", get_max_mem_slots, 0, 0,
				0, 0, PROTOCOL_MEM_SLOTS },
	[ADD_MEM_REG] = { "ADD_MEM_REG", add_mem_reg, IN(slot), IN(slot), 1, 1,
			  PROTOCOL_MEM_SLOTS },
	[REM_MEM_REG] = { "REM_MEM_REG", rem_mem_reg, IN(slot), IN(slot), 0, 1,
			  PROTOCOL_MEM_SLOTS },
	[SET_STATUS] = { "SET_STATUS", set_status, 8, 8, 0, 0,
			 PROTOCOL_STATUS },
	[GET_STATUS] = { "GET_STATUS", get_status, 0, 0, 0, 0,
			 PROTOCOL_STATUS }
};

static const char *improper(const struct session *s, const struct message *m,
			    const struct rule *rule)
{
	if ((m->head.flags & MSG_VERSION_MASK) != MSG_VERSION ||
	    m->head.flags & MSG_REPLY)
		return "its flags are not those of a request of version 1";
	if (!rule)
		return "a block device has no such request";
	if (rule->size != ANY && m->head.size != rule->size &&
	    m->head.size != rule->or_size)
		return "its size is wrong";
	if (m->num_fds < rule->min_fds || m->num_fds > rule->max_fds)
		return "it has too few or too many descriptors";
	if (rule->needs & ~s->protocol)
		return "its protocol feature was not negotiated";
	return NULL;
}

/* False: the connection cannot go on. */
static bool dispatch(struct session *s, struct message *m)
{
	uint32_t id = m->head.request;
	const struct rule *rule = id < REQUESTS && rules[id].handle ? &rules[id]
								    : NULL;
	const char *why = improper(s, m, rule);
	enum outcome r = why || !rule ? REFUSED : rule->handle(s, m, &why);
	bool asked = m->head.flags & MSG_NEED_REPLY &&
		     s->protocol & PROTOCOL_REPLY_ACK;

	log_line(LOG_DEBUG, s->disk->name, "%s (%u), %u bytes, %u fds%s%s",
		 rule ? rule->name : "?", id, m->head.size, m->num_fds,
		 why ? ": " : "", why ? why : "");
	disk_go(s->disk);
	if (r == REFUSED) {
		log_line(LOG_WARNING, s->disk->name,
			 "refused %s (%u) of the front end: %s",
			 rule ? rule->name : "request", id, why);
		if (!asked)
			return false;
	}
	if (r == REPLIED || !asked)
		return true;
	return reply64(s, m, r == REFUSED, &why) == REPLIED;
}

bool session_front(struct session *s)
{
	const char *why = "";
	enum channel_result r = CHANNEL_MORE;

	for (unsigned i = 0; i < MESSAGES; i++) {
		bool goes_on;

		r = channel_receive(&s->front, &why);
		if (r != CHANNEL_MESSAGE)
			break;
		goes_on = dispatch(s, &s->front.in);
		channel_next(&s->front);
		if (!goes_on)
			return false;
	}
	if (r == CHANNEL_BROKEN)
		log_line(LOG_WARNING, s->disk->name,
			 "the front end's connection broke: %s", why);
	return r == CHANNEL_MORE || r == CHANNEL_MESSAGE;
}

void session_open(struct session *s, struct disk *d, int fd)
{
	memset(s, 0, sizeof(*s));
	s->disk = d;
	channel_open(&s->front, fd);
	channel_open(&s->back, -1);
	d->ask = ask;
	d->ask_ctx = s;
	log_line(LOG_INFO, d->name, "a front end connected");
}

void session_close(struct session *s)
{
	disk_forget(s->disk);
	channel_close(&s->front);
	channel_close(&s->back);
	log_line(LOG_INFO, s->disk->name, "the front end is gone");
}
