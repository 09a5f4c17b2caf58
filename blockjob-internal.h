/*
 * SPDX-License-Identifier: MIT
 *
 * What the two halves of the job core, blockjob.c and blockjob-txn.c, and its
 * QMP side share.
 */
#ifndef BLOCKJOB_INTERNAL_H
#define BLOCKJOB_INTERNAL_H

#include "block/blockjob_int.h"

/* The only writer of job->status. */
void block_job_set_status(BlockJob *job, BlockJobStatus to);
/* 0, or -EPERM with @errp if the job's state does not accept @verb. */
int block_job_apply_verb(BlockJob *job, BlockJobVerb verb, Error **errp);
bool block_job_started(BlockJob *job);
/* Take back the user's reason to be paused, if there is one; no wake-up. */
void block_job_drop_user_pause(BlockJob *job);
/* Bytes of data copied per second in the last seconds (units of progress, if
 * the class does not count them); 0 while it is parked. */
int64_t block_job_rate(BlockJob *job);
/* Does the job sleep off its speed limit? */
bool block_job_throttled(BlockJob *job);
/* Kick the job and wait for its requests: one step of waiting for it. */
void block_job_drain(BlockJob *job);
/* Does it send events on what it does, besides that of its state? */
bool block_job_sends_events(BlockJob *job);
/* For queries; NULL if it did not fail. */
const char *block_job_error_text(BlockJob *job);
/* Join @txn, or a new one if it is NULL. */
void block_job_txn_join_or_make(BlockJobTxn *txn, BlockJob *job);

#endif
