/*
 * SPDX-License-Identifier: MIT
 *
 * Intrusive lists: the same steps on each kind, by the order that they have
 * afterwards.
 */
#include "qemu/osdep.h"
#include "qemu/queue.h"

typedef struct Item {
    char name;
    QLIST_ENTRY(Item) l;
    QSLIST_ENTRY(Item) s;
    QSIMPLEQ_ENTRY(Item) q;
    QTAILQ_ENTRY(Item) t;
} Item;

static Item item[5] = { { 'a' }, { 'b' }, { 'c' }, { 'd' }, { 'e' } };

#define A (&item[0])
#define B (&item[1])
#define C (&item[2])
#define D (&item[3])
#define E (&item[4])

#define ASSERT_ORDER(foreach, head, field, expected)    \
    do {                                                \
        char got_[10] = "";                             \
        Item *i_;                                       \
        foreach(i_, head, field) {                      \
            strncat(got_, &i_->name, 1);                \
        }                                               \
        g_assert_cmpstr(got_, ==, expected);            \
    } while (0)

/* Removes each item on the way. */
#define DRAIN(foreach_safe, remove_item, head, field)   \
    do {                                                \
        Item *i_, *n_;                                  \
        foreach_safe(i_, head, field, n_) {             \
            remove_item;                                \
            memset(&i_->field, 0xee, sizeof(i_->field));\
        }                                               \
    } while (0)

static void test_list(void)
{
    QLIST_HEAD(, Item) head = QLIST_HEAD_INITIALIZER(head), other;

    memset(&E->l, 0, sizeof(E->l));
    g_assert_true(QLIST_EMPTY(&head));
    QLIST_INSERT_HEAD(&head, B, l);
    QLIST_INSERT_BEFORE(B, A, l);
    QLIST_INSERT_AFTER(B, C, l);
    QLIST_INSERT_BEFORE(C, D, l);
    ASSERT_ORDER(QLIST_FOREACH, &head, l, "abdc");
    g_assert_true(QLIST_FIRST(&head) == A);
    g_assert_true(QLIST_NEXT(A, l) == B);
    g_assert_null(QLIST_NEXT(C, l));
    QLIST_REMOVE(B, l);
    QLIST_REMOVE(A, l);
    ASSERT_ORDER(QLIST_FOREACH, &head, l, "dc");

    g_assert_false(QLIST_IS_INSERTED(E, l));
    QLIST_INSERT_HEAD(&head, E, l);
    g_assert_true(QLIST_IS_INSERTED(E, l));
    QLIST_SAFE_REMOVE(E, l);
    QLIST_SAFE_REMOVE(E, l);
    g_assert_false(QLIST_IS_INSERTED(E, l));

    QLIST_INIT(&other);
    QLIST_INSERT_HEAD(&other, A, l);
    QLIST_SWAP(&head, &other, l);
    ASSERT_ORDER(QLIST_FOREACH, &head, l, "a");
    ASSERT_ORDER(QLIST_FOREACH, &other, l, "dc");
    QLIST_REMOVE(A, l);
    DRAIN(QLIST_FOREACH_SAFE, QLIST_REMOVE(i_, l), &other, l);
    g_assert_true(QLIST_EMPTY(&head) && QLIST_EMPTY(&other));
}

static void test_single_list(void)
{
    QSLIST_HEAD(, Item) head = QSLIST_HEAD_INITIALIZER(head), other;

    QSLIST_INSERT_HEAD(&head, C, s);
    QSLIST_INSERT_HEAD(&head, A, s);
    QSLIST_INSERT_AFTER(A, B, s);
    QSLIST_INSERT_HEAD_ATOMIC(&head, D, s);
    ASSERT_ORDER(QSLIST_FOREACH, &head, s, "dabc");
    QSLIST_REMOVE(&head, B, Item, s);
    QSLIST_REMOVE_HEAD(&head, s);
    ASSERT_ORDER(QSLIST_FOREACH, &head, s, "ac");
    QSLIST_REMOVE_AFTER(A, s);
    ASSERT_ORDER(QSLIST_FOREACH, &head, s, "a");
    g_assert_null(QSLIST_NEXT(A, s));

    QSLIST_INIT(&other);
    QSLIST_MOVE_ATOMIC(&other, &head);
    g_assert_true(QSLIST_EMPTY(&head));
    g_assert_true(QSLIST_FIRST(&other) == A);
    QSLIST_REMOVE(&other, A, Item, s);
    g_assert_true(QSLIST_EMPTY(&other));
}

static void test_simple_queue(void)
{
    QSIMPLEQ_HEAD(, Item) head = QSIMPLEQ_HEAD_INITIALIZER(head), other;

    QSIMPLEQ_INIT(&other);
    QSIMPLEQ_INSERT_TAIL(&head, B, q);
    QSIMPLEQ_INSERT_HEAD(&head, A, q);
    QSIMPLEQ_INSERT_AFTER(&head, B, D, q);
    QSIMPLEQ_INSERT_AFTER(&head, B, C, q);
    QSIMPLEQ_INSERT_TAIL(&head, E, q);
    ASSERT_ORDER(QSIMPLEQ_FOREACH, &head, q, "abcde");
    QSIMPLEQ_REMOVE(&head, E, Item, q);
    QSIMPLEQ_REMOVE(&head, B, Item, q);
    QSIMPLEQ_INSERT_TAIL(&head, B, q);
    ASSERT_ORDER(QSIMPLEQ_FOREACH, &head, q, "acdb");
    QSIMPLEQ_REMOVE_HEAD(&head, q);
    ASSERT_ORDER(QSIMPLEQ_FOREACH, &head, q, "cdb");

    QSIMPLEQ_INSERT_TAIL(&other, A, q);
    QSIMPLEQ_CONCAT(&head, &other);
    g_assert_true(QSIMPLEQ_EMPTY(&other));
    QSIMPLEQ_INSERT_TAIL(&other, E, q);
    QSIMPLEQ_PREPEND(&head, &other);
    ASSERT_ORDER(QSIMPLEQ_FOREACH, &head, q, "ecdba");
    g_assert_true(QSIMPLEQ_NEXT(B, q) == A);
    DRAIN(QSIMPLEQ_FOREACH_SAFE, QSIMPLEQ_REMOVE_HEAD(&head, q), &head, q);
    QSIMPLEQ_INSERT_TAIL(&head, C, q);
    ASSERT_ORDER(QSIMPLEQ_FOREACH, &head, q, "c");
}

static void test_tail_queue(void)
{
    QTAILQ_HEAD(Items, Item) head = QTAILQ_HEAD_INITIALIZER(head);

    memset(&E->t, 0, sizeof(E->t));
    g_assert_null(QTAILQ_LAST(&head));
    QTAILQ_INSERT_TAIL(&head, C, t);
    QTAILQ_INSERT_HEAD(&head, A, t);
    QTAILQ_INSERT_AFTER(&head, A, B, t);
    QTAILQ_INSERT_AFTER(&head, C, D, t);
    g_assert_false(QTAILQ_IN_USE(E, t));
    QTAILQ_INSERT_BEFORE(A, E, t);
    g_assert_true(QTAILQ_IN_USE(E, t));
    ASSERT_ORDER(QTAILQ_FOREACH, &head, t, "eabcd");
    ASSERT_ORDER(QTAILQ_FOREACH_REVERSE, &head, t, "dcbae");
    g_assert_true(QTAILQ_LAST(&head) == D);
    g_assert_true(QTAILQ_PREV(A, t) == E);
    g_assert_null(QTAILQ_PREV(E, t));
    g_assert_null(QTAILQ_NEXT(D, t));

    QTAILQ_REMOVE(&head, D, t);
    QTAILQ_REMOVE(&head, E, t);
    g_assert_false(QTAILQ_IN_USE(E, t));
    QTAILQ_INSERT_TAIL(&head, E, t);
    ASSERT_ORDER(QTAILQ_FOREACH_REVERSE, &head, t, "ecba");
    DRAIN(QTAILQ_FOREACH_REVERSE_SAFE, QTAILQ_REMOVE(&head, i_, t), &head, t);
    g_assert_true(QTAILQ_EMPTY(&head));
    QTAILQ_INSERT_TAIL(&head, B, t);
    DRAIN(QTAILQ_FOREACH_SAFE, QTAILQ_REMOVE(&head, i_, t), &head, t);
    g_assert_true(QTAILQ_EMPTY(&head));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/queue/list", test_list);
    g_test_add_func("/queue/single-list", test_single_list);
    g_test_add_func("/queue/simple-queue", test_simple_queue);
    g_test_add_func("/queue/tail-queue", test_tail_queue);
    return g_test_run();
}
