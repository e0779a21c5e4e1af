/*
 * Kernels with known faults, and small ones, for testing the fake driver itself. probe.ptx declares
 * them; it holds no instructions, since the fake runs none.
 */
#include "portable.h"

/* x = value                                             x [n], groups of WG */
KERNEL(WG, 1) void probe_fill(int n, float value, float *x) {
  const int i = GROUP(0) * WG + ITEM(0);
  if (i < n) {
    x[i] = value;
  }
}

/* y = x + 1                                             x, y [n], groups of WG */
KERNEL(WG, 1) void probe_increment(int n, const float *x, float *y) {
  const int i = GROUP(0) * WG + ITEM(0);
  if (i < n) {
    y[i] = x[i] + 1.0f;
  }
}

/* Writes x[at] without looking whether it is there. */
KERNEL(1, 1) void probe_write(INDEX at, float *x) {
  x[at] = 1.0f;
}

/* The sum of x [WG], and by shuffles the sum of its first warp. One group. */
KERNEL(WG, 1) void probe_sum(const float *x, float *sums) {
  LOCAL float shared[WG];
  const float sum = lanes_sum(x[ITEM(0)], WG, shared);
  float warp = x[ITEM(0)];
  for (int delta = 16; delta > 0; delta /= 2) {
    warp += __shfl_down_sync(0xffffffffu, warp, delta);
  }
  if (ITEM(0) == 0) {
    sums[0] = sum;
    sums[1] = warp;
  }
}

/* The order in which the threads of a group come to write. One group. */
KERNEL(WG, 1) void probe_order(int *next, int *order) {
  order[atomicAdd(next, 1)] = ITEM(0);
}

/* Half of the group ends while the other half waits. */
KERNEL(WG, 1) void probe_divergence(float *x) {
  if (ITEM(0) < WG / 2) {
    return;
  }
  BARRIER();
  x[ITEM(0)] = 1.0f;
}

/*
 * Each group takes the number of the next one, rounds times; they begin with 0, 1, ... and end in the
 * last third of numbers [3 groups]. arrived begins at 0. Cooperative.
 */
KERNEL(WG, 1) void probe_grid(int rounds, unsigned *arrived, float *numbers) {
  float mine = (float)GROUP(0);
  for (int round = 1; round <= rounds; round++) {
    float *now = numbers + (round & 1) * GROUPS(0);
    if (ITEM(0) == 0) {
      now[GROUP(0)] = mine;
      __threadfence();
      atomicAdd(arrived, 1u);
      while (*(volatile unsigned *)arrived < (unsigned)(round * GROUPS(0))) {
        __nanosleep(100);
      }
    }
    BARRIER();
    mine = __ldcg(now + (GROUP(0) + 1) % GROUPS(0));
  }
  if (ITEM(0) == 0) {
    numbers[2 * GROUPS(0) + GROUP(0)] = mine;
  }
}
