/*
 * The end of the propagation of an error signal with the bias gradient below it, in one pass, and
 * what it has in common with the bias gradient alone: column sums that end in the launch that begins
 * them. mask_column_sums.cu has the equations.
 *
 * Launch: groups of CX by CY work-items, ceil(width / (PAIR CX)) by chunks groups, where width is n,
 * or pitch for a copy in bf16. A work-item takes PAIR neighbouring columns, and of its chunk of the
 * rows every CY-th, as in column_sums. If there are several chunks, sums [chunks x n] gets
 * those of each, and the last group of the columns adds them: counters, one for each group along x,
 * are 0 before and after.
 *
 * Memory alone counts: 12 bytes a number for floats, 8 if all but the product is in bf16; of a thin
 * product 8, or 4. So what counts is how many bytes are on their way, and to spend few instructions:
 * pairs of columns are best for tall matrices, twice the work-items with one each for few rows.
 */
#ifndef DELTARULE_ERROR_COLUMNS_H
#define DELTARULE_ERROR_COLUMNS_H
#include "activation.h"
#include "bf16.h"
#include "column_sums.h"

#ifndef PAIR
#define PAIR 2
#endif
#define LOADS (AHEAD / PAIR) /* rows on their way, at most */

struct __align__(4 * PAIR) FLOATS {
  float part[PAIR];
};

struct __align__(2 * PAIR) HALF_PAIR {
  HALF part[PAIR];
};

/* PAIR neighbours, of which left are there; zeros beyond. aligned: one access fetches them. */
DEVICE FLOATS pair_at(const int aligned, int left, const float *p) {
  if (aligned && left > 0) {
    return *(const FLOATS *)p;
  }
  FLOATS pair;
  UNROLL for (int j = 0; j < PAIR; j++) {
    pair.part[j] = j < left ? p[j] : 0.0f;
  }
  return pair;
}

/* Likewise of a copy in bf16, whose rows hold whole pairs. */
DEVICE FLOATS half_pair_at(int left, const HALF *p) {
  HALF_PAIR halves;
  UNROLL for (int j = 0; j < PAIR; j++) {
    halves.part[j] = 0;
  }
  if (left > 0) {
    halves = *(const HALF_PAIR *)p;
  }
  FLOATS pair;
  UNROLL for (int j = 0; j < PAIR; j++) {
    pair.part[j] = widened(halves.part[j]);
  }
  return pair;
}

DEVICE void put_pair(const int aligned, int left, FLOATS pair, float *p) {
  if (aligned && left > 0) {
    *(FLOATS *)p = pair;
    return;
  }
  UNROLL for (int j = 0; j < PAIR; j++) {
    if (j < left) {
      p[j] = pair.part[j];
    }
  }
}

/* Where the sums of the columns go. */
struct Sums {
  float *sums;
  unsigned int *counters;
  float *db;
};

/*
 * The group's part of the sums is there, in sums if there are several chunks: its last group adds
 * them. Whoever finds the others counted sees what they have written before.
 */
DEVICE void end_sums(int n, const Sums &to, LOCAL_PTR float *shared) {
  if (GROUPS(1) == 1) {
    return;
  }
  __threadfence();
  BARRIER();
  if (group_item() == 0) {
    const unsigned int before = atomicAdd(to.counters + GROUP(0), 1u);
    shared[0] = before == (unsigned int)(GROUPS(1) - 1) ? 1.0f : 0.0f;
  }
  BARRIER();
  const int last = shared[0] != 0.0f;
  BARRIER(); /* before shared is written again */
  if (last) {
    __threadfence();
    for (int j = 0; j < PAIR; j++) {
      column_sums_of((GROUP(0) * PAIR + j) * CX, 0, 1, GROUPS(1), n, to.sums, shared, to.db);
      BARRIER();
    }
    if (group_item() == 0) {
      to.counters[GROUP(0)] = 0;
    }
  }
}

/* Where a chunk's sums go. */
DEVICE float *sums_of_chunk(int n, const Sums &to) {
  return GROUPS(1) == 1 ? to.db : to.sums + (INDEX)GROUP(1) * n;
}

/* What the kernels are given. */
struct Error {
  int m, n, k, f, keep, pitch, pitchOfP;
  const float *p, *d, *w, *saved;
  const HALF *savedHalf;
  float *e;
  HALF *half;
};

/* The work-item's columns of a chunk, so many rows at once. */
DEVICE void columns_of(const int thin, const int aligned, const int f, const int loads,
                       const Error &s, const Sums &to, LOCAL_PTR float *shared) {
  const int column = (GROUP(0) * CX + ITEM(0)) * PAIR;
  const int left = s.n - column;
  const int end = chunk_start(GROUP(1) + 1, GROUPS(1), s.m);
  float sums[PAIR];
  UNROLL for (int j = 0; j < PAIR; j++) {
    sums[j] = 0.0f;
  }
  if (column < (s.half ? s.pitch : s.n)) {
    for (int row = chunk_start(GROUP(1), GROUPS(1), s.m) + ITEM(1); row < end; row += loads * CY) {
      FLOATS errors[LOADS], kept[LOADS];
      UNROLL for (int i = 0; i < loads; i++) {
        const INDEX line = row + i * CY;
        const int there = thin || line >= end ? 0 : left;
        errors[i] = pair_at(aligned, there, s.p + line * s.pitchOfP + column);
      }
      if (s.savedHalf) {
        UNROLL for (int i = 0; i < loads; i++) {
          const INDEX line = row + i * CY;
          kept[i] = half_pair_at(line < end ? left : 0, s.savedHalf + line * s.pitch + column);
        }
      } else {
        UNROLL for (int i = 0; i < loads; i++) {
          const INDEX line = row + i * CY;
          kept[i] = pair_at(aligned, line < end ? left : 0, s.saved + line * s.n + column);
        }
      }
      if (thin) {
        ROLLED for (int p = 0; p < s.k; p++) {
          const FLOATS weights = pair_at(aligned, left, s.w + (INDEX)p * s.n + column);
          UNROLL for (int i = 0; i < loads; i++) {
            const INDEX line = row + i * CY;
            const float error = line < end ? s.d[line * s.k + p] : 0.0f;
            UNROLL for (int j = 0; j < PAIR; j++) {
              errors[i].part[j] = fmaf(error, weights.part[j], errors[i].part[j]);
            }
          }
        }
      }
      UNROLL for (int i = 0; i < loads; i++) {
        const INDEX line = row + i * CY;
        if (line < end) {
          UNROLL for (int j = 0; j < PAIR; j++) {
            /* a product, not a choice: 0 times NaN and 0 times infinity are NaN */
            errors[i].part[j] *= derivative(f, kept[i].part[j]);
            sums[j] += errors[i].part[j];
          }
          if (s.keep) {
            put_pair(aligned, left, errors[i], s.e + line * s.n + column);
          }
          if (s.half) {
            HALF_PAIR pair;
            UNROLL for (int j = 0; j < PAIR; j++) {
              pair.part[j] = j < left ? rounded(errors[i].part[j]) : 0;
            }
            *(HALF_PAIR *)(s.half + line * s.pitch + column) = pair;
          }
        }
      }
    }
  }
  UNROLL for (int j = 0; j < PAIR; j++) {
    add_columns(sums[j], column + j, s.n, shared, sums_of_chunk(s.n, to));
  }
  end_sums(s.n, to, shared);
}

DEVICE int starts_pairs(const float *p) {
  return (INDEX)p % sizeof(FLOATS) == 0;
}

/*
 * The common case by a loop of its own, in which nothing is asked that is known; the others have
 * more code for each row, and fewer rows at once.
 */
DEVICE void columns(const int thin, const Error &s, const Sums &to, LOCAL_PTR float *shared) {
  const int aligned = PAIR == 1 || s.savedHalf ||
                      (s.n % PAIR == 0 && s.pitchOfP % PAIR == 0 && starts_pairs(s.p) &&
                       starts_pairs(s.e) && starts_pairs(s.saved) && starts_pairs(s.w));
  if (aligned && s.f == RELU) {
    columns_of(thin, 1, RELU, LOADS, s, to, shared);
  } else if (aligned) {
    columns_of(thin, 1, s.f, 4, s, to, shared);
  } else {
    columns_of(thin, 0, s.f, 1, s, to, shared);
  }
}

#endif
