/*
 * The table of a whole training step, which stack_step and stack_block are given, in words of 64
 * bits; an address is a device pointer, of float where nothing is said:
 *
 *    0  L, at most LAYERS            13  address of X [m x n(0)]
 *    1  m, at most 512               14  address of Y [m x n(L)]
 *    2  n(0)                         15  address of losses, the element for at = 0
 *    3  p                            16  address of partial [groups of the loss]
 *    4  rule: 0 SGD, 1 momentum,     17  address of theta [p]
 *       2 Adam                       18  address of the gradient [p]
 *    5  output: 0 sigmoid,           19  address of the state [0, p or 2p]; unused by SGD
 *       1 softmax, 2 linear          20  address of the schedule [any x 4]
 *    6  groups of the loss, as       21  address of the barrier of stack_step, unsigned int; 0
 *       output_error_* is launched       before the first launch, and written by nothing else
 *    7  length of a list of rows     22  bits of momentum (momentum) or beta1 (Adam), float
 *    8  address of inputs            23  bits of beta2, float
 *    9  address of targets           24  bits of epsilon, float
 *   10  address of rows, int         25  of stack_block: see there
 *   11  address of at, int           29  layer 1, 16 words:
 *   12  the number of steps              n, k, f, whether Z is kept (0 or 1), the addresses of
 *                                        W, b, dW, db, saved, A, D, and 5 of stack_block
 *                                    45  layer 2, and so on
 *
 * Layer l has k = n(l-1), n = n(l), W, dW [n x k], b, db [n], saved, A, D [m x n]. f is its number
 * in activation.h, IDENTITY for layer L. Where Z is not kept, saved is A. W and b lie in theta, dW
 * and db in the gradient, at the same places: from the first element on W(1), b(1), W(2) and so on,
 * with less than GAP elements of no layer behind each, which are updated as well.
 */
#ifndef DELTARULE_STACK_H
#define DELTARULE_STACK_H
#include "update.h"

#define LAYERS 16
#define GAP 128

/* The table's numbers of the outputs. */
#define SIGMOID_OUTPUT 0
#define SOFTMAX 1
#define LINEAR 2

struct Layer {
  INDEX n, k, f, keep;
  const float *w, *b;
  float *dw, *db, *saved, *a, *d;
  INDEX line, parametersAt, activationsAt, savedAt, errorsAt;
};

/* The table's words. */
struct Step {
  INDEX layers, m, features, p, rule, output, lossGroups, length;
  const float *inputs, *targets;
  const int *rows;
  int *at;
  INDEX steps;
  float *x, *y, *losses, *partial, *theta, *gradient, *state;
  const float *schedule;
  unsigned int *barrier;
  INDEX beta1, beta2, epsilon;
  INDEX line, parameters, batch, floats;
  Layer layer[LAYERS];
};

DEVICE float number(INDEX bits) {
  union {
    unsigned int bits;
    float number;
  } both;
  both.bits = (unsigned int)bits;
  return both.number;
}

/* Into how many parts of a size something is cut. */
DEVICE int parts(int all, int size) {
  return (int)((unsigned int)(all + size - 1) / (unsigned int)size);
}

/* The next theta of gradient g, and of the state: u of momentum, u and v of Adam. */
DEVICE float updated(const Step &s, float theta, float g, float *u, float *v,
                     const float *scalars) {
  float step = g;
  if (s.rule == 1) {
    step = momentum_step(g, *u, number(s.beta1));
    *u = step;
  } else if (s.rule == 2) {
    step = adam_step(g, u, v, number(s.beta1), number(s.beta2), number(s.epsilon), scalars);
  }
  return stepped(theta, step, scalars);
}

/* What may be parameters of no layer: so many, of which this is the i-th; -1 if it is none. */
DEVICE int gaps(const Step &s) {
  return 2 * (int)s.layers * GAP;
}
DEVICE INDEX gap(const Step &s, int i) {
  const int l = i / (2 * GAP);
  const Layer &to = s.layer[l];
  const INDEX w = to.dw - s.gradient + to.n * to.k;
  const INDEX b = to.db - s.gradient;
  const INDEX next = l + 1 < s.layers ? s.layer[l + 1].dw - s.gradient : s.p;
  const int behindW = i % (2 * GAP) < GAP;
  const INDEX at = (behindW ? w : b + to.n) + i % GAP;
  return at < (behindW ? b : next) ? at : -1;
}

#endif
