/*
 * The update of all parameters, as in update.cl, which also rounds what it writes into copies in
 * bf16 of the weight matrices among them:
 *
 *   update_sgd_bf16, update_momentum_bf16, update_adam_bf16      then half = bf16(W) of each copy
 *
 * The table, in words of 64 bits: the number of copies, from 1 to COPIES, then five for each, in the
 * order of their matrices, of which no two share a number: the first element in theta, how many
 * there are, below 2^31, columns, the pitch of the copy, and its address, a multiple of 8. What
 * pads the copy is left as it is.
 *
 * Launch: one work-item for VW parameters, groups of WG. Memory alone counts: 2 bytes a number
 * beside the 12 to 28 of the update, where a round_bf16 reads and writes 6 and is a launch. The
 * table comes by value, since constant memory gives a warp the same word at once.
 */
#include "bf16.h"
#include "update_vector.h"

#define COPIES 32

struct Copy {
  INDEX first, size, columns, pitch;
  HALF *half;
};

struct Table {
  INDEX count;
  Copy copy[COPIES];
};

/* The copy whose matrix element i of theta lies in, if it lies in one. */
DEVICE const Copy &copy_at(const Table &table, INDEX i) {
  int c = 0;
  while (c + 1 < table.count && table.copy[c + 1].first <= i) {
    c++;
  }
  return table.copy[c];
}

DEVICE void write_copy(const Table &table, INDEX i, float parameter) {
  const Copy &copy = copy_at(table, i);
  const INDEX place = i - copy.first;
  if (place >= 0 && place < copy.size) {
    const unsigned columns = (unsigned)copy.columns;
    const unsigned row = (unsigned)place / columns;
    copy.half[row * copy.pitch + ((unsigned)place - row * columns)] = rounded(parameter);
  }
}

/* Parameters from element i of theta on; beyond its end no matrix lies. */
DEVICE void write_copies(const Table &table, INDEX i, const float *parameters) {
  const Copy &copy = copy_at(table, i);
  const INDEX place = i - copy.first;
  if (place < 0 || place + VW > copy.size) { /* where a matrix begins or ends, or there is none */
    UNROLL for (int j = 0; j < VW; j++) {
      write_copy(table, i + j, parameters[j]);
    }
    return;
  }
  const unsigned columns = (unsigned)copy.columns;
  const unsigned row = (unsigned)place / columns;
  unsigned column = (unsigned)place - row * columns;
  HALF *half = copy.half + row * copy.pitch + column;
  if (column % VW == 0 && column + VW <= columns) {
    write_halves(VW, parameters, half);
  } else {
    UNROLL for (int j = 0; j < VW; j++) {
      *half++ = rounded(parameters[j]);
      if (++column == columns) {
        column = 0;
        half += copy.pitch - columns;
      }
    }
  }
}

KERNEL(WG, 1) void update_sgd_bf16(INDEX p, float *RESTRICT theta, INDEX atTheta,
    const float *RESTRICT g, INDEX atG, const float *RESTRICT schedule, INDEX atSchedule,
    const int *RESTRICT at, const Table table) {
  const INDEX i = first_of_item();
  const float *scalars = schedule + atSchedule + (INDEX)at[0] * SCALARS;
  float parameters[VW];
  sgd(p, i, theta + atTheta, g + atG, scalars, parameters);
  write_copies(table, i, parameters);
}

KERNEL(WG, 1) void update_momentum_bf16(INDEX p, float *RESTRICT theta, INDEX atTheta,
    const float *RESTRICT g, INDEX atG, const float *RESTRICT schedule, INDEX atSchedule,
    const int *RESTRICT at, float *RESTRICT state, INDEX atState, float momentum,
    const Table table) {
  const INDEX i = first_of_item();
  const float *scalars = schedule + atSchedule + (INDEX)at[0] * SCALARS;
  float parameters[VW];
  momentum_sgd(p, i, theta + atTheta, g + atG, scalars, state + atState, momentum, parameters);
  write_copies(table, i, parameters);
}

KERNEL(WG, 1) void update_adam_bf16(INDEX p, float *RESTRICT theta, INDEX atTheta,
    const float *RESTRICT g, INDEX atG, const float *RESTRICT schedule, INDEX atSchedule,
    const int *RESTRICT at, float *RESTRICT state, INDEX atState, float beta1, float beta2,
    float epsilon, const Table table) {
  const INDEX i = first_of_item();
  const float *scalars = schedule + atSchedule + (INDEX)at[0] * SCALARS;
  float parameters[VW];
  adam(p, i, theta + atTheta, g + atG, scalars, state + atState, beta1, beta2, epsilon, parameters);
  write_copies(table, i, parameters);
}
