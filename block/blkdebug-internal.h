/*
 * SPDX-License-Identifier: MIT
 *
 * The rules of a blkdebug node, between blkdebug-config.c, which reads them,
 * and blkdebug.c, which follows them.
 */
#ifndef BLOCK_BLKDEBUG_INTERNAL_H
#define BLOCK_BLKDEBUG_INTERNAL_H

#include "block/block_int.h"

typedef struct BlkdebugPark BlkdebugPark;

typedef enum BlkdebugRuleKind {
    BLKDEBUG_RULE_INJECT_ERROR,
    BLKDEBUG_RULE_SET_STATE,
    BLKDEBUG_RULE_BREAK,
} BlkdebugRuleKind;

/*
 * Something that happens at an event while the node is in ->state.
 *
 * A rule is in the list of its event; an inject-error rule whose event came
 * is in the list of active rules, too; a break rule whose event came is in
 * the list of suspended requests instead.
 */
typedef struct BlkdebugRule {
    BlkdebugRuleKind kind;
    BlkdebugEvent event;
    int state;              /* 0: any */
    QTAILQ_ENTRY(BlkdebugRule) next;

    /* inject-error */
    uint64_t iotypes;       /* bit mask of BlkdebugIOType */
    int error;              /* errno value */
    int64_t offset;         /* byte that the request touches; -1: any */
    bool once;
    bool immediately;       /* without a trip through the event loop */
    bool active;
    QTAILQ_ENTRY(BlkdebugRule) next_active;

    /* set-state */
    int new_state;

    /* break */
    char *tag;
    BlkdebugPark *park;     /* the request that waits */
} BlkdebugRule;

typedef QTAILQ_HEAD(, BlkdebugRule) BlkdebugRuleList;

/*
 * Rules from @options, out of which they are taken, and from the file
 * @filename (NULL: none), appended to @rules in this order: file, options;
 * inject-error, set-state.  0 or -errno with nothing appended.  Main thread.
 */
int blkdebug_read_config(const char *filename, QDict *options,
                         BlkdebugRuleList *rules, Error **errp);
void blkdebug_rule_free(BlkdebugRule *rule);

#endif
