/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The operations of a dut that is reached through virtio-mmio registers, in
 * terms of its reg_read and reg_write: an attachment puts them into its
 * struct dut_ops. Written from 4.2.2 and shared with no device.
 */
#ifndef MMIO_DRIVER_H
#define MMIO_DRIVER_H

#include "dut.h"

enum mmio_register {
	REG_MAGIC = 0x000, REG_VERSION = 0x004, REG_DEVICE = 0x008,
	REG_VENDOR = 0x00c, REG_FEATURES = 0x010, REG_FEATURES_SEL = 0x014,
	REG_ACCEPT = 0x020, REG_ACCEPT_SEL = 0x024, REG_QUEUE_SEL = 0x030,
	REG_QUEUE_MAX = 0x034, REG_QUEUE_SIZE = 0x038, REG_QUEUE_READY = 0x044,
	REG_NOTIFY = 0x050, REG_IRQ_STATUS = 0x060, REG_IRQ_ACK = 0x064,
	REG_STATUS = 0x070, REG_DESC = 0x080, REG_DRIVER = 0x090,
	REG_DEVICE_AREA = 0x0a0, REG_SHM_SEL = 0x0ac, REG_SHM_LEN = 0x0b0,
	REG_SHM_BASE = 0x0b8, REG_QUEUE_RESET = 0x0c0, REG_GENERATION = 0x0fc,
	REG_CONFIG = 0x100
};

#define REG_MAGIC_VALUE 0x74726976u
#define REG_IRQ_USED    1u
#define REG_IRQ_CONFIG  2u

int mmio_status_read(struct dut *d, uint32_t *status);
int mmio_status_write(struct dut *d, uint32_t status);
int mmio_features_read(struct dut *d, uint64_t *bits);
int mmio_features_write(struct dut *d, uint64_t bits);
int mmio_config_read(struct dut *d, uint32_t offset, void *to, uint32_t n);
int mmio_config_write(struct dut *d, uint32_t offset, const void *from,
		      uint32_t n);
int mmio_config_generation(struct dut *d, uint32_t *generation);
int mmio_queue_max(struct dut *d, uint32_t queue, uint32_t *size);
int mmio_queue_set(struct dut *d, uint32_t queue, const struct dut_queue *q);
int mmio_queue_enable(struct dut *d, uint32_t queue);
int mmio_queue_ready(struct dut *d, uint32_t queue, bool *ready);
int mmio_queue_reset(struct dut *d, uint32_t queue);
int mmio_queue_resetting(struct dut *d, uint32_t queue, bool *ongoing);
int mmio_notify(struct dut *d, uint32_t queue);
int mmio_notify_data(struct dut *d, uint32_t queue, uint32_t data);
int mmio_irq_take(struct dut *d, struct dut_irq *irq);

#endif
