/*
 * Output errors and the batch's mean loss, from the logits:
 *
 *   D = (link(Z) - Y) / m      Z, Y, D [m x n]
 *   losses[at] = 1/m sum_i loss(z_i, y_i)
 *
 *   output_error_sigmoid   link 1 / (1 + e^-z)          loss max(z, 0) - z y + ln(1 + e^-|z|)
 *   output_error_linear    link z                       loss (z - y)^2 / 2
 *   output_error_softmax   link e^z / sum_j e^z_j       loss ln sum_j e^z_j - sum_j y_j z_j
 *
 * Launch: groups of WG work-items, any number of them; they stride over the elements (softmax: over
 * the rows), so the number of groups fixes the order of the sums. One group writes the loss itself;
 * several write partial sums [groups], which sum_losses adds, in one group.
 * Each loss is divided by m before it is added: sums of large finite losses stay finite.
 */
#include "portable.h"

/* The end of each: its work-item's share of the loss becomes the group's. */
DEVICE void add_loss(float loss, LOCAL_PTR float *shared, GLOBAL float *partial,
                     GLOBAL float *losses, GLOBAL const int *at) {
  const float sum = group_sum(loss, shared);
  if (ITEM(0) == 0) {
    if (GROUPS(0) == 1) {
      losses[at[0]] = sum;
    } else {
      partial[GROUP(0)] = sum;
    }
  }
}

KERNEL(WG, 1) void output_error_sigmoid(int m, int n,
    GLOBAL const float *RESTRICT z, INDEX atZ, GLOBAL const float *RESTRICT y, INDEX atY,
    GLOBAL float *RESTRICT d, INDEX atD, GLOBAL float *RESTRICT partial,
    GLOBAL float *RESTRICT losses, INDEX atLosses, GLOBAL const int *RESTRICT at) {
  LOCAL float shared[WG];
  float loss = 0.0f;
  for (INDEX i = (INDEX)GROUP(0) * WG + ITEM(0); i < (INDEX)m * n; i += (INDEX)GROUPS(0) * WG) {
    const float logit = z[atZ + i];
    const float target = y[atY + i];
    const float e = EXP(-FABS(logit)); /* at most 1 */
    const float r = 1.0f / (1.0f + e);
    d[atD + i] = ((logit < 0.0f ? e * r : r) - target) / m;
    /* max(z, 0) - z y, where nothing overflows: z (1 - y) or -z y */
    loss += (logit * ((logit > 0.0f ? 1.0f : 0.0f) - target) + LOG1P(e)) / m;
  }
  add_loss(loss, shared, partial, losses + atLosses, at);
}

KERNEL(WG, 1) void output_error_linear(int m, int n,
    GLOBAL const float *RESTRICT z, INDEX atZ, GLOBAL const float *RESTRICT y, INDEX atY,
    GLOBAL float *RESTRICT d, INDEX atD, GLOBAL float *RESTRICT partial,
    GLOBAL float *RESTRICT losses, INDEX atLosses, GLOBAL const int *RESTRICT at) {
  LOCAL float shared[WG];
  float loss = 0.0f;
  for (INDEX i = (INDEX)GROUP(0) * WG + ITEM(0); i < (INDEX)m * n; i += (INDEX)GROUPS(0) * WG) {
    const float difference = z[atZ + i] - y[atY + i];
    d[atD + i] = difference / m;
    loss += 0.5f * difference * (difference / m);
  }
  add_loss(loss, shared, partial, losses + atLosses, at);
}

KERNEL(WG, 1) void output_error_softmax(int m, int n,
    GLOBAL const float *RESTRICT z, INDEX atZ, GLOBAL const float *RESTRICT y, INDEX atY,
    GLOBAL float *RESTRICT d, INDEX atD, GLOBAL float *RESTRICT partial,
    GLOBAL float *RESTRICT losses, INDEX atLosses, GLOBAL const int *RESTRICT at) {
  LOCAL float shared[WG];
  float loss = 0.0f;
  for (int row = GROUP(0) * WG + ITEM(0); row < m; row += GROUPS(0) * WG) {
    GLOBAL const float *logits = z + atZ + (INDEX)row * n;
    GLOBAL const float *targets = y + atY + (INDEX)row * n;
    GLOBAL float *errors = d + atD + (INDEX)row * n;
    float max = -INFINITY;
    for (int j = 0; j < n; j++) {
      max = logits[j] > max ? logits[j] : max; /* passes a NaN by; the sum will not */
    }
    float sum = 0.0f;
    float linear = 0.0f;
    for (int j = 0; j < n; j++) {
      const float below = logits[j] - max;
      const float e = EXP(below);
      sum += e;
      /* below may be -infinity for finite logits, where 0 times it would be NaN */
      linear += targets[j] == 0.0f ? 0.0f : targets[j] * below;
      errors[j] = e;
    }
    for (int j = 0; j < n; j++) {
      errors[j] = (errors[j] / sum - targets[j]) / m;
    }
    loss += (LOG(sum) - linear) / m;
  }
  add_loss(loss, shared, partial, losses + atLosses, at);
}

KERNEL(WG, 1) void sum_losses(int groups, GLOBAL const float *RESTRICT partial,
    GLOBAL float *RESTRICT losses, INDEX atLosses, GLOBAL const int *RESTRICT at) {
  LOCAL float shared[WG];
  float loss = 0.0f;
  for (int i = ITEM(0); i < groups; i += WG) {
    loss += partial[i];
  }
  const float sum = group_sum(loss, shared);
  if (ITEM(0) == 0) {
    losses[atLosses + at[0]] = sum;
  }
}
