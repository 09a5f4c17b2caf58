/*
 * SPDX-License-Identifier: MIT
 *
 * Intrusive lists, in four families:
 *
 *   QSLIST    singly linked; insert and remove at the head; atomic push
 *   QLIST     doubly linked by the address of the link that points here;
 *             remove anywhere, insert at the head or beside an element
 *   QSIMPLEQ  singly linked queue; insert at both ends
 *   QTAILQ    doubly linked queue; all of it, in both directions
 *
 * A head is a variable of type XXX_HEAD(name, type), an element has a member
 * XXX_ENTRY(type).  FOREACH_SAFE allows the removal of the current element.
 */
#ifndef QEMU_QUEUE_H
#define QEMU_QUEUE_H

#include "qemu/atomic.h"

/* ---- QLIST ---- */

#define QLIST_HEAD(name, type) struct name { struct type *lh_first; }
#define QLIST_HEAD_INITIALIZER(head) { NULL }
/* le_prev: the pointer that points to this element; NULL: in no list. */
#define QLIST_ENTRY(type) \
    struct { struct type *le_next; struct type **le_prev; }

#define QLIST_INIT(head) ((void)((head)->lh_first = NULL))
#define QLIST_FIRST(head) ((head)->lh_first)
#define QLIST_EMPTY(head) (!(head)->lh_first)
#define QLIST_EMPTY_ATOMIC(head) (!atomic_read(&(head)->lh_first))
#define QLIST_NEXT(elm, field) ((elm)->field.le_next)
#define QLIST_IS_INSERTED(elm, field) ((elm)->field.le_prev != NULL)

/* Put @elm at *(link), before what is there now. */
#define QLIST_INSERT_LINK_(link, elm, field) do {                       \
        typeof(elm) *ql_link_ = (link);                                 \
        (elm)->field.le_next = *ql_link_;                               \
        if (*ql_link_) {                                                \
            (*ql_link_)->field.le_prev = &(elm)->field.le_next;         \
        }                                                               \
        *ql_link_ = (elm);                                              \
        (elm)->field.le_prev = ql_link_;                                \
    } while (0)
#define QLIST_INSERT_HEAD(head, elm, field) \
    QLIST_INSERT_LINK_(&(head)->lh_first, elm, field)
#define QLIST_INSERT_AFTER(listelm, elm, field) \
    QLIST_INSERT_LINK_(&(listelm)->field.le_next, elm, field)
#define QLIST_INSERT_BEFORE(listelm, elm, field) \
    QLIST_INSERT_LINK_((listelm)->field.le_prev, elm, field)

#define QLIST_REMOVE(elm, field) do {                                   \
        if ((elm)->field.le_next) {                                     \
            (elm)->field.le_next->field.le_prev = (elm)->field.le_prev; \
        }                                                               \
        *(elm)->field.le_prev = (elm)->field.le_next;                   \
        (elm)->field.le_next = NULL;                                    \
        (elm)->field.le_prev = NULL;                                    \
    } while (0)
#define QLIST_SAFE_REMOVE(elm, field) do {                              \
        if (QLIST_IS_INSERTED(elm, field)) {                            \
            QLIST_REMOVE(elm, field);                                   \
        }                                                               \
    } while (0)
/* Move all elements; @dst is overwritten. */
#define QLIST_MOVE(dst, src, field) do {                                \
        (dst)->lh_first = (src)->lh_first;                              \
        if ((dst)->lh_first) {                                          \
            (dst)->lh_first->field.le_prev = &(dst)->lh_first;          \
        }                                                               \
        QLIST_INIT(src);                                                \
    } while (0)
#define QLIST_SWAP(dst, src, field) do {                                \
        typeof((src)->lh_first) ql_swap_ = (src)->lh_first;             \
        QLIST_MOVE(src, dst, field);                                    \
        (dst)->lh_first = ql_swap_;                                     \
        if (ql_swap_) {                                                 \
            ql_swap_->field.le_prev = &(dst)->lh_first;                 \
        }                                                               \
    } while (0)
#define QLIST_FOREACH(var, head, field) \
    for ((var) = (head)->lh_first; (var); (var) = (var)->field.le_next)
#define QLIST_FOREACH_SAFE(var, head, field, next_var)                  \
    for ((var) = (head)->lh_first;                                      \
         (var) && ((next_var) = (var)->field.le_next, 1);               \
         (var) = (next_var))

/* ---- QSLIST ---- */

#define QSLIST_HEAD(name, type) struct name { struct type *slh_first; }
#define QSLIST_HEAD_INITIALIZER(head) { NULL }
#define QSLIST_ENTRY(type) struct { struct type *sle_next; }

#define QSLIST_INIT(head) ((void)((head)->slh_first = NULL))
#define QSLIST_FIRST(head) ((head)->slh_first)
#define QSLIST_EMPTY(head) (!(head)->slh_first)
#define QSLIST_NEXT(elm, field) ((elm)->field.sle_next)
#define QSLIST_INSERT_HEAD(head, elm, field) do {                       \
        (elm)->field.sle_next = (head)->slh_first;                      \
        (head)->slh_first = (elm);                                      \
    } while (0)
#define QSLIST_INSERT_AFTER(listelm, elm, field) do {                   \
        (elm)->field.sle_next = (listelm)->field.sle_next;              \
        (listelm)->field.sle_next = (elm);                              \
    } while (0)
/* Any thread; with _MOVE_ATOMIC it makes a stack for many producers. */
#define QSLIST_INSERT_HEAD_ATOMIC(head, elm, field) do {                \
        typeof(elm) qsl_old_ = atomic_read(&(head)->slh_first);         \
        for (;;) {                                                      \
            typeof(elm) qsl_seen_;                                      \
            (elm)->field.sle_next = qsl_old_;                           \
            qsl_seen_ = atomic_cmpxchg(&(head)->slh_first, qsl_old_,    \
                                       (elm));                          \
            if (qsl_seen_ == qsl_old_) {                                \
                break;                                                  \
            }                                                           \
            qsl_old_ = qsl_seen_;                                       \
        }                                                               \
    } while (0)
#define QSLIST_MOVE_ATOMIC(dest, src) \
    ((void)((dest)->slh_first = atomic_xchg(&(src)->slh_first, NULL)))
#define QSLIST_REMOVE_HEAD(head, field) do {                            \
        typeof((head)->slh_first) qsl_head_ = (head)->slh_first;        \
        (head)->slh_first = qsl_head_->field.sle_next;                  \
        qsl_head_->field.sle_next = NULL;                               \
    } while (0)
#define QSLIST_REMOVE_AFTER(slistelm, field) \
    ((void)((slistelm)->field.sle_next = \
            (slistelm)->field.sle_next->field.sle_next))
#define QSLIST_REMOVE(head, elm, type, field) do {                      \
        struct type **qsl_link_ = &(head)->slh_first;                   \
        while (*qsl_link_ != (elm)) {                                   \
            qsl_link_ = &(*qsl_link_)->field.sle_next;                  \
        }                                                               \
        *qsl_link_ = (elm)->field.sle_next;                             \
        (elm)->field.sle_next = NULL;                                   \
    } while (0)
#define QSLIST_FOREACH(var, head, field) \
    for ((var) = (head)->slh_first; (var); (var) = (var)->field.sle_next)
#define QSLIST_FOREACH_SAFE(var, head, field, tvar)                     \
    for ((var) = (head)->slh_first;                                     \
         (var) && ((tvar) = (var)->field.sle_next, 1);                  \
         (var) = (tvar))

/* ---- QSIMPLEQ ---- */

#define QSIMPLEQ_HEAD(name, type) \
    struct name { struct type *sqh_first; struct type **sqh_last; }
#define QSIMPLEQ_HEAD_INITIALIZER(head) { NULL, &(head).sqh_first }
#define QSIMPLEQ_ENTRY(type) struct { struct type *sqe_next; }

#define QSIMPLEQ_INIT(head) do {                                        \
        (head)->sqh_first = NULL;                                       \
        (head)->sqh_last = &(head)->sqh_first;                          \
    } while (0)
#define QSIMPLEQ_FIRST(head) ((head)->sqh_first)
#define QSIMPLEQ_EMPTY(head) (!(head)->sqh_first)
#define QSIMPLEQ_EMPTY_ATOMIC(head) (!atomic_read(&(head)->sqh_first))
#define QSIMPLEQ_NEXT(elm, field) ((elm)->field.sqe_next)
#define QSIMPLEQ_INSERT_HEAD(head, elm, field) do {                     \
        (elm)->field.sqe_next = (head)->sqh_first;                      \
        if (!(elm)->field.sqe_next) {                                   \
            (head)->sqh_last = &(elm)->field.sqe_next;                  \
        }                                                               \
        (head)->sqh_first = (elm);                                      \
    } while (0)
#define QSIMPLEQ_INSERT_TAIL(head, elm, field) do {                     \
        (elm)->field.sqe_next = NULL;                                   \
        *(head)->sqh_last = (elm);                                      \
        (head)->sqh_last = &(elm)->field.sqe_next;                      \
    } while (0)
#define QSIMPLEQ_INSERT_AFTER(head, listelm, elm, field) do {           \
        (elm)->field.sqe_next = (listelm)->field.sqe_next;              \
        if (!(elm)->field.sqe_next) {                                   \
            (head)->sqh_last = &(elm)->field.sqe_next;                  \
        }                                                               \
        (listelm)->field.sqe_next = (elm);                              \
    } while (0)
#define QSIMPLEQ_REMOVE_HEAD(head, field) do {                          \
        typeof((head)->sqh_first) qsq_elm_ = (head)->sqh_first;         \
        (head)->sqh_first = qsq_elm_->field.sqe_next;                   \
        if (!(head)->sqh_first) {                                       \
            (head)->sqh_last = &(head)->sqh_first;                      \
        }                                                               \
        qsq_elm_->field.sqe_next = NULL;                                \
    } while (0)
#define QSIMPLEQ_REMOVE(head, elm, type, field) do {                    \
        struct type **qsq_link_ = &(head)->sqh_first;                   \
        while (*qsq_link_ != (elm)) {                                   \
            qsq_link_ = &(*qsq_link_)->field.sqe_next;                  \
        }                                                               \
        *qsq_link_ = (elm)->field.sqe_next;                             \
        if (!*qsq_link_) {                                              \
            (head)->sqh_last = qsq_link_;                               \
        }                                                               \
        (elm)->field.sqe_next = NULL;                                   \
    } while (0)
/* Append @head2, which is empty then. */
#define QSIMPLEQ_CONCAT(head1, head2) do {                              \
        if (!QSIMPLEQ_EMPTY(head2)) {                                   \
            *(head1)->sqh_last = (head2)->sqh_first;                    \
            (head1)->sqh_last = (head2)->sqh_last;                      \
            QSIMPLEQ_INIT(head2);                                       \
        }                                                               \
    } while (0)
/* Put @head2 before @head1; @head2 is empty then. */
#define QSIMPLEQ_PREPEND(head1, head2) do {                             \
        if (!QSIMPLEQ_EMPTY(head2)) {                                   \
            *(head2)->sqh_last = (head1)->sqh_first;                    \
            if (QSIMPLEQ_EMPTY(head1)) {                                \
                (head1)->sqh_last = (head2)->sqh_last;                  \
            }                                                           \
            (head1)->sqh_first = (head2)->sqh_first;                    \
            QSIMPLEQ_INIT(head2);                                       \
        }                                                               \
    } while (0)
#define QSIMPLEQ_FOREACH(var, head, field) \
    for ((var) = (head)->sqh_first; (var); (var) = (var)->field.sqe_next)
#define QSIMPLEQ_FOREACH_SAFE(var, head, field, next)                   \
    for ((var) = (head)->sqh_first;                                     \
         (var) && ((next) = (var)->field.sqe_next, 1);                  \
         (var) = (next))

/* ---- QTAILQ ---- */

/* tqh_last and tqe_prev: the pointer that points to (behind) the element.
 * The head begins like an entry, so that the element before can be found by
 * looking at an entry as a head. */
#define QTAILQ_HEAD(name, type) \
    struct name { struct type *tqh_first; struct type **tqh_last; }
#define QTAILQ_HEAD_INITIALIZER(head) { NULL, &(head).tqh_first }
#define QTAILQ_ENTRY(type) \
    struct { struct type *tqe_next; struct type **tqe_prev; }

#define QTAILQ_INIT(head) do {                                          \
        (head)->tqh_first = NULL;                                       \
        (head)->tqh_last = &(head)->tqh_first;                          \
    } while (0)
#define QTAILQ_FIRST(head) ((head)->tqh_first)
#define QTAILQ_EMPTY(head) (!(head)->tqh_first)
#define QTAILQ_NEXT(elm, field) ((elm)->field.tqe_next)
#define QTAILQ_IN_USE(elm, field) ((elm)->field.tqe_prev != NULL)
/* The entry around link @link as {next, prev}: its prev is the link to it. */
#define QTAILQ_BEFORE_(link, type) \
    (*(((struct { type *next; type **prev; } *)(link))->prev))
#define QTAILQ_LAST(head)                                               \
    (QTAILQ_EMPTY(head) ? NULL                                          \
     : QTAILQ_BEFORE_((head)->tqh_last, typeof(*(head)->tqh_first)))
#define QTAILQ_PREV(elm, field)                                         \
    QTAILQ_BEFORE_((elm)->field.tqe_prev, typeof(*(elm)))

#define QTAILQ_INSERT_HEAD(head, elm, field) do {                       \
        (elm)->field.tqe_next = (head)->tqh_first;                      \
        *((elm)->field.tqe_next ? &(elm)->field.tqe_next->field.tqe_prev \
                                : &(head)->tqh_last) =                  \
            &(elm)->field.tqe_next;                                     \
        (head)->tqh_first = (elm);                                      \
        (elm)->field.tqe_prev = &(head)->tqh_first;                     \
    } while (0)
#define QTAILQ_INSERT_TAIL(head, elm, field) do {                       \
        (elm)->field.tqe_next = NULL;                                   \
        (elm)->field.tqe_prev = (head)->tqh_last;                       \
        *(head)->tqh_last = (elm);                                      \
        (head)->tqh_last = &(elm)->field.tqe_next;                      \
    } while (0)
#define QTAILQ_INSERT_AFTER(head, listelm, elm, field) do {             \
        (elm)->field.tqe_next = (listelm)->field.tqe_next;              \
        *((elm)->field.tqe_next ? &(elm)->field.tqe_next->field.tqe_prev \
                                : &(head)->tqh_last) =                  \
            &(elm)->field.tqe_next;                                     \
        (listelm)->field.tqe_next = (elm);                              \
        (elm)->field.tqe_prev = &(listelm)->field.tqe_next;             \
    } while (0)
#define QTAILQ_INSERT_BEFORE(listelm, elm, field) do {                  \
        (elm)->field.tqe_prev = (listelm)->field.tqe_prev;              \
        (elm)->field.tqe_next = (listelm);                              \
        *(listelm)->field.tqe_prev = (elm);                             \
        (listelm)->field.tqe_prev = &(elm)->field.tqe_next;             \
    } while (0)
#define QTAILQ_REMOVE(head, elm, field) do {                            \
        *((elm)->field.tqe_next ? &(elm)->field.tqe_next->field.tqe_prev \
                                : &(head)->tqh_last) =                  \
            (elm)->field.tqe_prev;                                      \
        *(elm)->field.tqe_prev = (elm)->field.tqe_next;                 \
        (elm)->field.tqe_prev = NULL;                                   \
        (elm)->field.tqe_next = NULL;                                   \
    } while (0)
#define QTAILQ_FOREACH(var, head, field) \
    for ((var) = (head)->tqh_first; (var); (var) = (var)->field.tqe_next)
#define QTAILQ_FOREACH_SAFE(var, head, field, next_var)                 \
    for ((var) = (head)->tqh_first;                                     \
         (var) && ((next_var) = (var)->field.tqe_next, 1);              \
         (var) = (next_var))
#define QTAILQ_FOREACH_REVERSE(var, head, field) \
    for ((var) = QTAILQ_LAST(head); (var); (var) = QTAILQ_PREV(var, field))
#define QTAILQ_FOREACH_REVERSE_SAFE(var, head, field, prev_var)         \
    for ((var) = QTAILQ_LAST(head);                                     \
         (var) && ((prev_var) = QTAILQ_PREV(var, field), 1);            \
         (var) = (prev_var))

#endif
