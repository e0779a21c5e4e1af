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
 * the rows, where several work-items share a wide one), so the number of groups fixes the order of
 * the sums. One group writes the loss itself; several write partial sums [groups], which sum_losses
 * adds, in one group.
 */
#include "output_error.h"

KERNEL(WG, 1) void output_error_sigmoid(int m, int n,
    GLOBAL const float *RESTRICT z, INDEX atZ, GLOBAL const float *RESTRICT y, INDEX atY,
    GLOBAL float *RESTRICT d, INDEX atD, GLOBAL float *RESTRICT partial,
    GLOBAL float *RESTRICT losses, INDEX atLosses, GLOBAL const int *RESTRICT at) {
  LOCAL float shared[WG];
  const float loss = sigmoid_errors(0, GROUP(0), GROUPS(0), m, n, z + atZ, y + atY, d + atD);
  add_loss(GROUP(0), GROUPS(0), loss, shared, partial, losses + atLosses + at[0]);
}

KERNEL(WG, 1) void output_error_linear(int m, int n,
    GLOBAL const float *RESTRICT z, INDEX atZ, GLOBAL const float *RESTRICT y, INDEX atY,
    GLOBAL float *RESTRICT d, INDEX atD, GLOBAL float *RESTRICT partial,
    GLOBAL float *RESTRICT losses, INDEX atLosses, GLOBAL const int *RESTRICT at) {
  LOCAL float shared[WG];
  const float loss = linear_errors(0, GROUP(0), GROUPS(0), m, n, z + atZ, y + atY, d + atD);
  add_loss(GROUP(0), GROUPS(0), loss, shared, partial, losses + atLosses + at[0]);
}

KERNEL(WG, 1) void output_error_softmax(int m, int n,
    GLOBAL const float *RESTRICT z, INDEX atZ, GLOBAL const float *RESTRICT y, INDEX atY,
    GLOBAL float *RESTRICT d, INDEX atD, GLOBAL float *RESTRICT partial,
    GLOBAL float *RESTRICT losses, INDEX atLosses, GLOBAL const int *RESTRICT at) {
  LOCAL float shared[WG];
  const float loss = softmax_errors(GROUP(0), GROUPS(0), m, n, z + atZ, y + atY, d + atD,
                                    shared);
  add_loss(GROUP(0), GROUPS(0), loss, shared, partial, losses + atLosses + at[0]);
}

KERNEL(WG, 1) void sum_losses(int groups, GLOBAL const float *RESTRICT partial,
    GLOBAL float *RESTRICT losses, INDEX atLosses, GLOBAL const int *RESTRICT at) {
  LOCAL float shared[WG];
  add_partial_losses(groups, partial, shared, losses + atLosses + at[0]);
}
