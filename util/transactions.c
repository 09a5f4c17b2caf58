/*
 * SPDX-License-Identifier: MIT
 *
 * Changes that happen wholly or not at all.
 *
 * Invariant: steps[] is in the order of tran_add(); hooks must not add more.
 */
#include "qemu/osdep.h"
#include "qemu/transactions.h"

typedef struct TransactionStep {
    const TransactionActionDrv *drv;
    void *opaque;
} TransactionStep;

struct Transaction {
    GArray *steps;
};

Transaction *tran_new(void)
{
    Transaction *tran = g_new(Transaction, 1);

    tran->steps = g_array_new(FALSE, FALSE, sizeof(TransactionStep));
    return tran;
}

void tran_add(Transaction *tran, const TransactionActionDrv *drv, void *opaque)
{
    TransactionStep step = { drv, opaque };

    g_array_append_val(tran->steps, step);
}

/* The last step first: later ones may rely on earlier ones. */
static void tran_end(Transaction *tran, bool commit)
{
    guint i;

    for (i = tran->steps->len; i-- > 0; ) {
        TransactionStep *s = &g_array_index(tran->steps, TransactionStep, i);
        void (*hook)(void *) = commit ? s->drv->commit : s->drv->abort;

        if (hook) {
            hook(s->opaque);
        }
    }
    for (i = tran->steps->len; i-- > 0; ) {
        TransactionStep *s = &g_array_index(tran->steps, TransactionStep, i);

        if (s->drv->clean) {
            s->drv->clean(s->opaque);
        }
    }
    g_array_free(tran->steps, TRUE);
    g_free(tran);
}

void tran_abort(Transaction *tran)
{
    tran_end(tran, false);
}

void tran_commit(Transaction *tran)
{
    tran_end(tran, true);
}
