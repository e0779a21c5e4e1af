/*
 * The number of the current step, in device memory.
 *   cursor_set       at = position
 *   cursor_advance   at = at + 1
 *
 * Launch: one work-item.
 */
#include "portable.h"

KERNEL(1, 1) void cursor_set(GLOBAL int *at, int position) {
  at[0] = position;
}

KERNEL(1, 1) void cursor_advance(GLOBAL int *at) {
  at[0] += 1;
}
