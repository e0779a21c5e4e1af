/*
 * The shares of one group of work-items in the output errors and the loss; output_error.cl has the
 * equations. Each loss is divided by m before it is added: sums of large finite losses stay finite.
 */
#ifndef DELTARULE_OUTPUT_ERROR_H
#define DELTARULE_OUTPUT_ERROR_H
#include "portable.h"

/* The error of one output, and its part of the loss. */
DEVICE float sigmoid_error(float logit, float target, int m) {
  const float e = EXP(-FABS(logit)); /* at most 1 */
  const float r = 1.0f / (1.0f + e);
  return ((logit < 0.0f ? e * r : r) - target) / m;
}

DEVICE float sigmoid_loss(float logit, float target, int m) {
  /* max(z, 0) - z y, where nothing overflows: z (1 - y) or -z y */
  return (logit * ((logit > 0.0f ? 1.0f : 0.0f) - target) + LOG1P(EXP(-FABS(logit)))) / m;
}

DEVICE float linear_error(float z, float target, int m) {
  const float difference = z - target; /* beyond the range of a float, its m-th part may not be */
  return FABS(difference) < INFINITY ? difference / m : z / m - target / m;
}

DEVICE float linear_loss(float z, float target, int m) {
  return 0.5f * (z - target) * ((z - target) / m);
}

/* The work-item's part of the loss; D as well, unless it is there. */
DEVICE float sigmoid_errors(const int there, int group, int groups, int m, int n,
                            GLOBAL const float *z, GLOBAL const float *y, GLOBAL float *d) {
  float loss = 0.0f;
  for (INDEX i = (INDEX)group * WG + group_item(); i < (INDEX)m * n; i += (INDEX)groups * WG) {
    const float logit = z[i];
    const float target = y[i];
    if (!there) {
      d[i] = sigmoid_error(logit, target, m);
    }
    loss += sigmoid_loss(logit, target, m);
  }
  return loss;
}

/* Likewise. */
DEVICE float linear_errors(const int there, int group, int groups, int m, int n,
                           GLOBAL const float *z, GLOBAL const float *y, GLOBAL float *d) {
  float loss = 0.0f;
  for (INDEX i = (INDEX)group * WG + group_item(); i < (INDEX)m * n; i += (INDEX)groups * WG) {
    const float value = z[i];
    const float target = y[i];
    if (!there) {
      d[i] = linear_error(value, target, m);
    }
    loss += linear_loss(value, target, m);
  }
  return loss;
}

/* The work-items for a row of n elements: a power of two, so that each has a few of them. */
DEVICE int softmax_lanes(int n) {
  int lanes = 1;
  while (lanes < WG && lanes * 4 < n) {
    lanes *= 2;
  }
  return lanes;
}

/* Likewise, by lanes for each row. All work-items of the group must call it. */
DEVICE float softmax_errors(int group, int groups, int m, int n, GLOBAL const float *z,
                            GLOBAL const float *y, GLOBAL float *d, LOCAL_PTR float *shared) {
  const int lanes = softmax_lanes(n);
  const int lane = group_item() % lanes;
  const int rows = WG / lanes;
  float loss = 0.0f;
  for (INDEX first = (INDEX)group * rows; first < m; first += (INDEX)groups * rows) {
    const INDEX row = first + group_item() / lanes;
    const int end = row < m ? n : 0;
    GLOBAL const float *logits = z + row * n;
    GLOBAL const float *targets = y + row * n;
    GLOBAL float *errors = d + row * n;
    float max = -INFINITY;
    for (int j = lane; j < end; j += lanes) {
      max = logits[j] > max ? logits[j] : max; /* passes a NaN by; the sum will not */
    }
    max = lanes_max(max, lanes, shared);
    float sum = 0.0f;
    float linear = 0.0f;
    for (int j = lane; j < end; j += lanes) {
      const float below = logits[j] - max;
      const float e = EXP(below);
      sum += e;
      /* below may be -infinity for finite logits, where 0 times it would be NaN */
      linear += targets[j] == 0.0f ? 0.0f : targets[j] * below;
      errors[j] = e;
    }
    sum = lanes_sum(sum, lanes, shared);
    linear = lanes_sum(linear, lanes, shared);
    for (int j = lane; j < end; j += lanes) {
      errors[j] = (errors[j] / sum - targets[j]) / m;
    }
    if (lane == 0 && row < m) {
      loss += (LOG(sum) - linear) / m;
    }
  }
  return loss;
}

/* The end of each: its work-item's share of the loss becomes the group's. */
DEVICE void add_loss(int group, int groups, float loss, LOCAL_PTR float *shared,
                     GLOBAL float *partial, GLOBAL float *result) {
  const float sum = group_sum(loss, shared);
  if (group_item() == 0) {
    if (groups == 1) {
      *result = sum;
    } else {
      partial[group] = sum;
    }
  }
}

/* The sum of what several groups have left, by one group. */
DEVICE void add_partial_losses(int groups, GLOBAL const float *partial, LOCAL_PTR float *shared,
                               GLOBAL float *result) {
  float loss = 0.0f;
  for (int i = group_item(); i < groups; i += WG) {
    loss += partial[i];
  }
  const float sum = group_sum(loss, shared);
  if (group_item() == 0) {
    *result = sum;
  }
}

#endif
