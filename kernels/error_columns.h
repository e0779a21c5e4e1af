/*
 * What the kernels have in common that go through the columns of a tall matrix once: pairs of
 * columns, in floats or in bf16, and column sums that end in the launch that begins them.
 *
 * Launch: groups of CX by CY work-items, ceil(width / (PAIR CX)) by chunks groups, where width is n,
 * or pitch for a copy in bf16. A work-item takes PAIR neighbouring columns, and of its chunk of the
 * rows every CY-th, as in column_sums. If there are several chunks, those of each are left in memory,
 * and the last group of the columns adds them: counters, one for each group along x, are 0 before
 * and after.
 *
 * Memory alone counts, so how many bytes are on their way, and to spend few instructions: pairs of
 * columns are best for tall matrices; of few rows, where all is waiting, a work-item has one column
 * and is one of many.
 */
#ifndef DELTARULE_ERROR_COLUMNS_H
#define DELTARULE_ERROR_COLUMNS_H
#include "activation.h"
#include "bf16.h"
#include "column_sums.h"

#ifndef PAIR
#define PAIR 2
#endif
#ifndef LOADS
#define LOADS (AHEAD / PAIR) /* rows on their way, at most */
#endif

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

/* The sums of each chunk, if there are several, and how many groups have written theirs. */
struct Chunks {
  float *sums;
  unsigned int *counters;
};

/* Where sums of the columns of [m x n] go that the group has found: line 0, 1 ... of several. */
DEVICE float *sums_of_chunk(int n, int line, const Chunks &chunks, float *result) {
  return GROUPS(1) == 1 ? result
                        : chunks.sums + ((INDEX)line * GROUPS(1) + GROUP(1)) * n;
}

/* The sum of the chunks' sums, by the last group. */
DEVICE void add_chunks(int first, int n, int line, const Chunks &chunks, LOCAL_PTR float *shared,
                       float *result) {
  column_sums_of(first, 0, 1, GROUPS(1), n, chunks.sums + (INDEX)line * GROUPS(1) * n, shared,
                 result);
  BARRIER();
}

/*
 * Whether there are several chunks, and this is the last group of its columns to have written its
 * sums: it is to add them. Whoever finds the others counted sees what they have written before.
 */
DEVICE int is_last(const Chunks &chunks, LOCAL_PTR float *shared) {
  if (GROUPS(1) == 1) {
    return 0;
  }
  __threadfence();
  BARRIER();
  if (group_item() == 0) {
    const unsigned int before = atomicAdd(chunks.counters + GROUP(0), 1u);
    shared[0] = before == (unsigned int)(GROUPS(1) - 1) ? 1.0f : 0.0f;
    if (before == (unsigned int)(GROUPS(1) - 1)) {
      chunks.counters[GROUP(0)] = 0;
    }
  }
  BARRIER();
  const int last = shared[0] != 0.0f;
  BARRIER(); /* before shared is written again */
  if (last) {
    __threadfence();
  }
  return last;
}

/* The first column of the group's j-th run of CX. */
DEVICE int first_of_run(int j) {
  return (GROUP(0) * PAIR + j) * CX;
}

DEVICE int starts_pairs(const float *p) {
  return (INDEX)p % sizeof(FLOATS) == 0;
}

/*
 * Of so many rows of [m x n], CY apart, the PAIR from column on, from floats or, if half is not null,
 * from a copy in bf16, in rows of pitch; zeros from row end on.
 */
DEVICE void read_rows(const int aligned, const int rows, int row, int column, int end, int n,
                      const float *x, const HALF *half, int pitch, FLOATS *pairs) {
  if (half) {
    UNROLL for (int i = 0; i < rows; i++) {
      const INDEX line = row + i * CY;
      pairs[i] = half_pair_at(line < end ? n - column : 0, half + line * pitch + column);
    }
  } else {
    UNROLL for (int i = 0; i < rows; i++) {
      const INDEX line = row + i * CY;
      pairs[i] = pair_at(aligned, line < end ? n - column : 0, x + line * n + column);
    }
  }
}

/* Writes a pair of E [m x n], to each of E and its copy in bf16 that is not null. */
DEVICE void write_errors(const int aligned, INDEX line, int column, int n, FLOATS pair, float *e,
                         HALF *half, int pitch) {
  const int left = n - column;
  if (e) {
    put_pair(aligned, left, pair, e + line * n + column);
  }
  if (half) {
    HALF_PAIR halves;
    UNROLL for (int j = 0; j < PAIR; j++) {
      halves.part[j] = j < left ? rounded(pair.part[j]) : 0;
    }
    *(HALF_PAIR *)(half + line * pitch + column) = halves;
  }
}

#endif
