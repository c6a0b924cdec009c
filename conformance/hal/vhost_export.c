/* SPDX-License-Identifier: BSD-2-Clause */
/* See vhost_export.h. */
#include "vhost_export.h"

#include "../../ports/vhost-user/export.h"
#include "../../ports/vhost-user/guard.h"
#include "log.h"

#define QUEUE_SIZE 256u
#define QUEUES     2u

static struct disk_options options;
static struct export *export;

bool vhost_export_install(void)
{
	log_set_level(LOG_ERROR);
	return guard_install() && notify_install();
}

int vhost_export_start(int socket, const char *image, bool iommu, char *why,
		       size_t why_size)
{
	options = (struct disk_options){ .fd = socket,
					 .blk_file = image,
					 .block_size = 512,
					 .num_queues = QUEUES,
					 .queue_size = QUEUE_SIZE,
					 .threads = 1,
					 .cache = CACHE_WRITEBACK,
					 .aio = STORE_THREADS,
					 .iommu = iommu };
	export = export_listen(&options, why, why_size);
	if (!export)
		return -1;
	if (export_open(export, why, why_size))
		return -1;
	return export_run(export, why, why_size);
}

void vhost_export_end(void)
{
	if (export)
		export_end(export);
	export = NULL;
}
