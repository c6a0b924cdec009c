/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Other names for what the core exports, so that test_access.c can hold a
 * second core of its own beside the one that every test program is linked
 * with. Made by tools/probe-names.
 */
#ifndef VBLK_PROBE_NAMES_H
#define VBLK_PROBE_NAMES_H

#define vblk_absent p_absent
#define vblk_accept p_accept
#define vblk_accepted p_accepted
#define vblk_chain_add p_chain_add
#define vblk_chain_begin p_chain_begin
#define vblk_chain_parse p_chain_parse
#define vblk_chain_table p_chain_table
#define vblk_complete p_complete
#define vblk_config_default p_config_default
#define vblk_config_read p_config_read
#define vblk_config_write p_config_write
#define vblk_configuration p_configuration
#define vblk_distrust p_distrust
#define vblk_features p_features
#define vblk_full p_full
#define vblk_guest_fault p_guest_fault
#define vblk_idle p_idle
#define vblk_in_flight p_in_flight
#define vblk_inflight_empty p_inflight_empty
#define vblk_inflight_reset p_inflight_reset
#define vblk_inflight_size p_inflight_size
#define vblk_init p_init
#define vblk_irq p_irq
#define vblk_kick p_kick
#define vblk_le16_get p_le16_get
#define vblk_le16_make p_le16_make
#define vblk_le32_make p_le32_make
#define vblk_load16 p_load16
#define vblk_log_begin p_log_begin
#define vblk_log_count p_log_count
#define vblk_log_fits p_log_fits
#define vblk_log_fresh_start p_log_fresh_start
#define vblk_log_next p_log_next
#define vblk_log_published p_log_published
#define vblk_log_recover p_log_recover
#define vblk_log_taken p_log_taken
#define vblk_log_used p_log_used
#define vblk_mem_add p_mem_add
#define vblk_mem_attach p_mem_attach
#define vblk_mem_detach p_mem_detach
#define vblk_mem_dirty p_mem_dirty
#define vblk_mem_evict p_mem_evict
#define vblk_mem_full p_mem_full
#define vblk_mem_idle p_mem_idle
#define vblk_mem_reap p_mem_reap
#define vblk_mem_revoke p_mem_revoke
#define vblk_mem_search p_mem_search
#define vblk_mem_snapshot p_mem_snapshot
#define vblk_mem_status p_mem_status
#define vblk_mem_translate p_mem_translate
#define vblk_mem_unpromise p_mem_unpromise
#define vblk_missing p_missing
#define vblk_needs_reset p_needs_reset
#define vblk_packed_arm p_packed_arm
#define vblk_packed_begin p_packed_begin
#define vblk_packed_fetch p_packed_fetch
#define vblk_packed_publish p_packed_publish
#define vblk_packed_put p_packed_put
#define vblk_packed_quiet p_packed_quiet
#define vblk_packed_take p_packed_take
#define vblk_packed_valid p_packed_valid
#define vblk_plog_begin p_plog_begin
#define vblk_plog_free p_plog_free
#define vblk_plog_length p_plog_length
#define vblk_plog_note p_plog_note
#define vblk_plog_publish p_plog_publish
#define vblk_plog_published p_plog_published
#define vblk_plog_put p_plog_put
#define vblk_plog_read p_plog_read
#define vblk_plog_recover p_plog_recover
#define vblk_plog_taken p_plog_taken
#define vblk_plog_used p_plog_used
#define vblk_poll p_poll
#define vblk_poll_idle p_poll_idle
#define vblk_queue_check p_queue_check
#define vblk_queue_fault p_queue_fault
#define vblk_queue_idle p_queue_idle
#define vblk_queue_start p_queue_start
#define vblk_queue_started p_queue_started
#define vblk_queue_stop p_queue_stop
#define vblk_request_finish p_request_finish
#define vblk_request_ready p_request_ready
#define vblk_reset p_reset
#define vblk_resize p_resize
#define vblk_ring_at p_ring_at
#define vblk_ring_desc p_ring_desc
#define vblk_ring_load16 p_ring_load16
#define vblk_ring_store16 p_ring_store16
#define vblk_ring_store32 p_ring_store32
#define vblk_ring_wrote p_ring_wrote
#define vblk_sizeof p_sizeof
#define vblk_snapshot p_snapshot
#define vblk_split_arm p_split_arm
#define vblk_split_begin p_split_begin
#define vblk_split_fetch p_split_fetch
#define vblk_split_publish p_split_publish
#define vblk_split_put p_split_put
#define vblk_split_quiet p_split_quiet
#define vblk_split_take p_split_take
#define vblk_stats p_stats
#define vblk_store16 p_store16
#define vblk_store32 p_store32
#define vblk_strerror p_strerror
#define vblk_unfetch p_unfetch
#define vblk_write_back p_write_back

#endif
