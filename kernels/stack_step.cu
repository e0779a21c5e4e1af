/*
 * One training step of a narrow stack of layers in one cooperative launch:
 *
 *   gather         X = inputs[rows[at]],  Y = targets[rows[at]]
 *   forward        Z(l) = A(l-1) W(l)' + 1 b(l)',  A(l) = f(Z(l))                l = 1 ... L
 *   output error   D(L) = (link(Z(L)) - Y) / m,  losses[at]
 *   backward       dW(l) = D(l)' A(l-1),  db(l) = D(l)' 1,
 *                  D(l-1) = (D(l) W(l)) (.) f'(saved(l-1))                       l = L ... 1
 *   update         theta = theta - shrink theta - rate step(g),  at = at + 1
 *
 * Each is cut into the same tiles and groups, by the same functions, as by gather, gemm_forward,
 * output_error_*, gemm_gradient, column_sums, gemm_propagate, update_* and cursor_advance, and all
 * groups of the launch share them out: every buffer has the bits that those kernels leave. A
 * product's bits do not depend on its tile.
 *
 * The table, in words of 64 bits; an address is a device pointer, of float where nothing is said:
 *
 *    0  L                            13  address of X [m x n(0)]
 *    1  m, at most 512               14  address of Y [m x n(L)]
 *    2  n(0)                         15  address of losses, the element for at = 0
 *    3  p                            16  address of partial [groups of the loss]
 *    4  rule: 0 SGD, 1 momentum,     17  address of theta [p]
 *       2 Adam                       18  address of the gradient [p]
 *    5  output: 0 sigmoid,           19  address of the state [0, p or 2p]; unused by SGD
 *       1 softmax, 2 linear          20  address of the schedule [any x 4]
 *    6  groups of the loss, as       21  address of the barrier, unsigned int; 0 before the first
 *       output_error_* is launched       launch, and never written but by this kernel
 *    7  length of a list of rows     22  bits of momentum (momentum) or beta1 (Adam), float
 *    8  address of inputs            23  bits of beta2, float
 *    9  address of targets           24  bits of epsilon, float
 *   10  address of rows, int         25  layer 1, 11 words:
 *   11  address of at, int               n, k, f, whether Z is kept (0 or 1), and the addresses of
 *   12  0                                W, b, dW, db, saved, A, D
 *                                    36  layer 2, and so on
 *
 * Layer l has k = n(l-1), n = n(l), W, dW [n x k], b, db [n], saved, A, D [m x n]. f is its number
 * in activation.h, IDENTITY for layer L. Where Z is not kept, saved is A. W and b lie in theta, dW
 * and db in the gradient.
 *
 * Launch: cooperative, in groups of GX by GY = WG work-items, without dynamic shared memory. Of the
 * groups there may be any number that is resident at once; worth having are as many as there is
 * work in the largest phase,
 *
 *   max over l of  ceil(n/BN) ceil(m/BM)  and
 *                  ceil(k/BN) ceil(n/BM) + ceil(n/CX) + (l > 1 ? ceil(k/BN) ceil(m/BM) : 0)
 *
 * but 1 where m p <= 20,000 (2L + 2): there the barriers of a grid would cost more than they bring.
 *
 * Separate launches are some 4L + 4, with nothing for most of the card to do: 30-64-32-1 with m = 32
 * is 0.4 million multiplications and 16 KB of parameters, 28-300-300-300-300-300-1 with m = 100 is
 * 110 million and 1.5 MB, which stays in the second-level cache. What counts is the way from one
 * phase to the next: 2L + 2 barriers, about a microsecond each over a grid (estimated) and far less
 * in one group. dW, db and D(l-1) need D(l) alone and share a phase.
 */
#include "column_sums.h"
#include "gather.h"
#include "gemm.h"
#include "output_error.h"
#include "update.h"

#define FIRST_LAYER 25
#define LAYER_WORDS 11

/* The table's words. */
struct Step {
  INDEX layers, m, features, p, rule, output, lossGroups, length;
  const float *inputs, *targets;
  const int *rows;
  int *at;
  INDEX unused;
  float *x, *y, *losses, *partial, *theta;
  const float *gradient;
  float *state;
  const float *schedule;
  unsigned int *barrier;
  INDEX beta1, beta2, epsilon;
};

struct Layer {
  INDEX n, k, f, keep;
  const float *w, *b;
  float *dw, *db, *saved, *a, *d;
};

DEVICE const Layer *layer(const INDEX *table, int l) {
  return (const Layer *)(table + FIRST_LAYER + (l - 1) * LAYER_WORDS);
}

DEVICE float number(INDEX bits) {
  union {
    unsigned int bits;
    float number;
  } both;
  both.bits = (unsigned int)bits;
  return both.number;
}

DEVICE int parts(INDEX size, int of) {
  return (int)((size + of - 1) / of);
}

/*
 * Waits for all groups of the launch. What they add comes to the highest bit alone, so that it
 * changes with the last of them, and the counter is ready for the next barrier.
 */
DEVICE void grid_barrier(unsigned int *counter) {
  BARRIER();
  if (GROUPS(0) > 1 && group_item() == 0) {
    const unsigned int last = 0x80000000u;
    const unsigned int share = GROUP(0) == 0 ? last - (GROUPS(0) - 1) : 1u;
    __threadfence();
    const unsigned int before = atomicAdd(counter, share);
    while (((*(volatile unsigned int *)counter ^ before) & last) == 0) {
      __nanosleep(20);
    }
    __threadfence();
  }
  BARRIER();
}

/* A group's share of  batch = data[rows[at]]  [m x n] */
DEVICE void gather_share(INDEX m, INDEX n, const Step *s, int at, const float *data,
                         float *batch) {
  for (INDEX i = (INDEX)GROUP(0) * WG + group_item(); i < m * n; i += (INDEX)GROUPS(0) * WG) {
    batch[i] = gathered(i, (int)n, (int)s->length, data, s->rows, at);
  }
}

/* A group's share of the output error; partial sums of the loss, if there are several. */
DEVICE void output_error_share(const Step *s, int at, const Layer *last, LOCAL_PTR float *shared) {
  const int m = (int)s->m;
  const int n = (int)last->n;
  const int groups = (int)s->lossGroups;
  for (int group = GROUP(0); group < groups; group += GROUPS(0)) {
    float loss;
    if (s->output == 0) {
      loss = sigmoid_errors(group, groups, m, n, last->a, s->y, last->d);
    } else if (s->output == 1) {
      loss = softmax_errors(group, groups, m, n, last->a, s->y, last->d, shared);
    } else {
      loss = linear_errors(group, groups, m, n, last->a, s->y, last->d);
    }
    add_loss(group, groups, loss, shared, s->partial, s->losses + at);
  }
}

/* A group's share of the update. */
DEVICE void update_share(const Step *s, int at) {
  const float *scalars = s->schedule + (INDEX)at * SCALARS;
  const INDEX p = s->p;
  const float beta1 = number(s->beta1);
  const float beta2 = number(s->beta2);
  const float epsilon = number(s->epsilon);
  for (INDEX i = (INDEX)GROUP(0) * WG + group_item(); i < p; i += (INDEX)GROUPS(0) * WG) {
    float step = s->gradient[i];
    if (s->rule == 1) {
      step = momentum_step(step, s->state[i], beta1);
      s->state[i] = step;
    } else if (s->rule == 2) {
      float u = s->state[i];
      float v = s->state[p + i];
      step = adam_step(step, &u, &v, beta1, beta2, epsilon, scalars);
      s->state[i] = u;
      s->state[p + i] = v;
    }
    s->theta[i] = stepped(s->theta[i], step, scalars);
  }
}

KERNEL(GX, GY) void stack_step(const INDEX *RESTRICT table) {
  TILE_LEFT(tileLeft);
  TILE_RIGHT(tileRight);
  LOCAL float shared[WG];
  const Step *s = (const Step *)table;
  const int layers = (int)s->layers;
  const int m = (int)s->m;
  const int at = s->at[0]; /* before the first barrier; it changes after the last */
  const Layer *last = layer(table, layers);

  gather_share(m, s->features, s, at, s->inputs, s->x);
  gather_share(m, last->n, s, at, s->targets, s->y);
  grid_barrier(s->barrier);

  for (int l = 1; l <= layers; l++) {
    const Layer *to = layer(table, l);
    const float *a = l == 1 ? s->x : layer(table, l - 1)->a;
    const int n = (int)to->n;
    const int across = parts(n, BN);
    for (int tile = GROUP(0); tile < across * parts(m, BM); tile += GROUPS(0)) {
      forward_tile(tile % across, tile / across, m, n, (int)to->k, (int)to->f, (int)to->keep,
                   a, to->w, to->b, to->saved, to->a, tileLeft, tileRight);
    }
    grid_barrier(s->barrier);
  }

  output_error_share(s, at, last, shared);
  grid_barrier(s->barrier);
  if (s->lossGroups > 1 && GROUP(0) == 0) {
    add_partial_losses((int)s->lossGroups, s->partial, shared, s->losses + at);
  }

  for (int l = layers; l >= 1; l--) {
    const Layer *from = layer(table, l);
    const Layer *to = layer(table, l == 1 ? 1 : l - 1);
    const float *a = l == 1 ? s->x : to->a;
    const int n = (int)from->n;
    const int k = (int)from->k;
    const int across = parts(k, BN);
    const int errors = l == 1 ? 0 : across * parts(m, BM);
    const int gradients = errors + across * parts(n, BM);
    const int sums = gradients + parts(n, CX);
    for (int piece = GROUP(0); piece < sums; piece += GROUPS(0)) {
      if (piece < errors) {
        propagate_tile(piece % across, piece / across, m, k, n, (int)to->f, from->d, from->w,
                       to->saved, to->d, tileLeft, tileRight);
      } else if (piece < gradients) {
        const int tile = piece - errors;
        gradient_tile(tile % across, tile / across, n, k, m, from->d, a, from->dw,
                      tileLeft, tileRight);
      } else {
        column_sums_of((piece - gradients) * CX, 0, 1, m, n, from->d, shared, from->db);
      }
    }
    grid_barrier(s->barrier);
  }

  update_share(s, at);
  if (GROUP(0) == 0 && group_item() == 0) {
    s->at[0] = at + 1;
  }
}
