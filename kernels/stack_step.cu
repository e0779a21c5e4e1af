/*
 * Training steps of a narrow stack of layers in one cooperative launch, one after the other:
 *
 *   gather         X = inputs[rows[at]],  Y = targets[rows[at]]
 *   forward        Z(l) = A(l-1) W(l)' + 1 b(l)',  A(l) = f(Z(l))                l = 1 ... L
 *   output error   D(L) = (link(Z(L)) - Y) / m,  losses[at]
 *   backward       dW(l) = D(l)' A(l-1),  db(l) = D(l)' 1,
 *                  D(l-1) = (D(l) W(l)) (.) f'(saved(l-1))                       l = L ... 1
 *   update         theta = theta - shrink theta - rate step(g),  at = at + 1
 *
 * Each is cut into the same tiles and groups, by the same functions, as by gemm_forward,
 * output_error_*, gemm_gradients, gemm_propagate, update_* and cursor_advance, and all groups of the
 * launch share them out: every buffer has the bits that those kernels leave. A product's bits do not
 * depend on its tile.
 *
 * Launch: cooperative, in groups of GX by GY = WG work-items, without dynamic shared memory. Of the
 * groups there may be any number that is resident at once; worth having are as many as there is
 * work in the largest phase,
 *
 *   max over l of  ceil(n/BN) ceil(m/BM)  and
 *                  ceil((k+1)/BN) ceil(n/BM) + (l > 1 ? ceil(k/BN) ceil(m/BM) : 0)
 *
 * Separate launches are some 4L + 4, with nothing for most of the card to do: 30-64-32-1 with m = 32
 * is 0.4 million multiplications and 16 KB of parameters, which stay in the second-level cache. What
 * counts is the way from one phase to the next, 2L barriers a step, and the waiting for memory in
 * each. So a phase has all that can be computed in it:
 *
 *   1           X and Y are gathered for later; forward of layer 1 reads the rows where they lie
 *   2 ... L     forward of layers 2 ... L, in the last with the output error; but that of softmax,
 *               which needs whole rows, has a phase of its own
 *   then        for l = L ... 1: dW(l), db(l), D(l-1), which need D(l) alone, and the update of
 *               layer l + 1, whose W has been read for the last time in the phase before; that of
 *               layer 1 by the work-items that have computed its gradient. In the first of these
 *               also the loss, and the update of what is no layer's
 */
#include "gemm.h"
#include "output_error.h"
#include "stack.h"

#define UPDATES 4 /* at least TM */

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

/* The first of a group's elements: the last groups, which may have no tile, come first. */
DEVICE int first_element(void) {
  return (GROUPS(0) - 1 - GROUP(0)) * WG + group_item();
}

/* A group's share of  batch = data[rows]  [m x n] */
DEVICE void gather_share(int m, int n, const float *data, const int *rows, float *batch) {
  for (int i = first_element(); i < m * n; i += GROUPS(0) * WG) {
    const int row = i / n;
    batch[i] = data[rows[row] * (INDEX)n + (i - row * n)];
  }
}

/*
 * The end of a tile of the output layer: the errors of the logits that the work-item has written,
 * where each needs its own alone.
 */
DEVICE void output_errors_of_tile(const Step &s, int tileX, int tileY, const int *rows,
                                  const Layer &last) {
  const int m = (int)s.m;
  const int n = (int)last.n;
  UNROLL for (int i = 0; i < TM * NV; i++) {
    const int row = tileY * BM + ITEM(1) * TM + i / NV;
    const int column = tileX * BN + i % NV * GX + ITEM(0);
    if (row < m && column < n) {
      const INDEX element = (INDEX)row * n + column;
      const float target = s.targets[rows[row] * (INDEX)n + column];
      last.d[element] = s.output == LINEAR ? linear_error(last.a[element], target, m)
                                           : sigmoid_error(last.a[element], target, m);
    }
  }
}

/*
 * A group's share of the loss, in partial sums if there are several; and of softmax's output error,
 * which no tile has computed.
 */
DEVICE void loss_share(const Step &s, int at, const Layer &last, LOCAL_PTR float *shared) {
  const int m = (int)s.m;
  const int n = (int)last.n;
  const int groups = (int)s.lossGroups;
  for (int group = GROUP(0); group < groups; group += GROUPS(0)) {
    float loss;
    if (s.output == SIGMOID_OUTPUT) {
      loss = sigmoid_errors(1, group, groups, m, n, last.a, s.y, last.d);
    } else if (s.output == SOFTMAX) {
      loss = softmax_errors(group, groups, m, n, last.a, s.y, last.d, shared);
    } else {
      loss = linear_errors(1, group, groups, m, n, last.a, s.y, last.d);
    }
    add_loss(group, groups, loss, shared, s.partial, s.losses + at);
  }
}

/* Adds the partial sums of the loss, once all groups have written theirs. */
DEVICE void add_losses(const Step &s, int at, int *added, LOCAL_PTR float *shared) {
  if (!*added && GROUP(0) == 0) {
    add_partial_losses((int)s.lossGroups, s.partial, shared, s.losses + at);
  }
  *added = 1;
}

/*
 * Updates parameters from i on, stride apart, as far as they lie before end: several at once, as
 * each waits for its numbers.
 */
DEVICE void update_some(const Step &s, INDEX i, INDEX stride, INDEX end, const float *scalars) {
  float g[UPDATES], theta[UPDATES], u[UPDATES], v[UPDATES];
  UNROLL for (int c = 0; c < UPDATES; c++) {
    const INDEX at = i + c * stride;
    g[c] = theta[c] = u[c] = v[c] = 0.0f;
    if (at < end) {
      g[c] = s.gradient[at];
      theta[c] = s.theta[at];
      if (s.rule != 0) {
        u[c] = s.state[at];
      }
      if (s.rule == 2) {
        v[c] = s.state[s.p + at];
      }
    }
  }
  UNROLL for (int c = 0; c < UPDATES; c++) {
    const INDEX at = i + c * stride;
    if (at < end) {
      s.theta[at] = updated(s, theta[c], g[c], &u[c], &v[c], scalars);
      if (s.rule != 0) {
        s.state[at] = u[c];
      }
      if (s.rule == 2) {
        s.state[s.p + at] = v[c];
      }
    }
  }
}

/* A group's share of the update of count parameters, whose gradients lie from g on. */
DEVICE void update_share(const Step &s, const float *g, INDEX count, const float *scalars) {
  const INDEX stride = (INDEX)GROUPS(0) * WG;
  const INDEX first = g - s.gradient;
  for (INDEX i = first + first_element(); i < first + count; i += UPDATES * stride) {
    update_some(s, i, stride, first + count, scalars);
  }
}

/* The update of the parameters whose gradients the work-item has just computed. */
DEVICE void update_tile(const Step &s, int tileX, int tileY, const Layer &to,
                        const float *scalars) {
  const INDEX row = tileY * BM + ITEM(1) * TM;
  const INDEX end = row + TM < to.n ? row + TM : to.n;
  UNROLL for (int v = 0; v < NV; v++) {
    const int column = tileX * BN + v * GX + ITEM(0);
    const INDEX stride = column < to.k ? to.k : 1;
    const INDEX first = (column < to.k ? to.dw + column : to.db) - s.gradient;
    if (column <= to.k) {
      update_some(s, first + row * stride, stride, first + end * stride, scalars);
    }
  }
}

/* A group's share of the update of what is no layer's, which nothing else in a step touches. */
DEVICE void update_gaps(const Step &s, const float *scalars) {
  for (int i = first_element(); i < gaps(s); i += GROUPS(0) * WG) {
    const INDEX at = gap(s, i);
    if (at >= 0) {
      update_some(s, at, 1, at + 1, scalars);
    }
  }
}

/* A group's share of dW, db and the error signal below, which need the layer's own alone. */
DEVICE void backward_share(const Step &s, int l, const float *scalars, STAGED *tileLeft,
                           STAGED *tileRight) {
  const Layer &from = s.layer[l];
  const int m = (int)s.m;
  const int n = (int)from.n;
  const int k = (int)from.k;
  const float *a = l == 0 ? s.x : s.layer[l - 1].a;
  const int acrossErrors = parts(k, BN);
  const int errors = l == 0 ? 0 : acrossErrors * parts(m, BM);
  const int across = parts(k + 1, BN);
  for (int piece = GROUP(0); piece < errors + across * parts(n, BM); piece += GROUPS(0)) {
    if (piece < errors) {
      const Layer &to = s.layer[l - 1];
      propagate_tile(piece % acrossErrors, piece / acrossErrors, m, k, n, (int)to.f, from.d, from.w,
                     to.saved, to.d, tileLeft, tileRight);
    } else {
      const int tileX = (piece - errors) % across;
      const int tileY = (piece - errors) / across;
      gradients_tile(tileX, tileY, n, k, m, from.d, a, from.dw, from.db, tileLeft, tileRight);
      if (l == 0) {
        update_tile(s, tileX, tileY, from, scalars);
      }
    }
  }
}

/* A group's share of the step whose number in the schedule is at. */
DEVICE void one_step(const Step &s, int at, STAGED *tileLeft, STAGED *tileRight,
                     LOCAL_PTR float *shared) {
  const int layers = (int)s.layers;
  const int m = (int)s.m;
  const int *rows = s.rows + (INDEX)at * s.length;
  const float *scalars = s.schedule + (INDEX)at * SCALARS;

  for (int l = 0; l < layers; l++) {
    const Layer &to = s.layer[l];
    const int n = (int)to.n;
    const int k = (int)to.k;
    const int across = parts(n, BN);
    for (int tile = GROUP(0); tile < across * parts(m, BM); tile += GROUPS(0)) {
      VEC result[TM][NV];
      multiply_rows(0, 1, 0, tile % across, tile / across, m, n, k,
                    l == 0 ? s.inputs : s.layer[l - 1].a, l == 0 ? rows : 0, to.w, result, tileLeft,
                    tileRight);
      end_forward(tile % across, tile / across, m, n, (int)to.f, (int)to.keep, result, to.b,
                  to.saved, to.a);
      if (l == layers - 1 && s.output != SOFTMAX) {
        output_errors_of_tile(s, tile % across, tile / across, rows, to);
      }
    }
    if (l == 0) {
      gather_share(m, (int)s.features, s.inputs, rows, s.x);
      gather_share(m, (int)s.layer[layers - 1].n, s.targets, rows, s.y);
    }
    grid_barrier(s.barrier);
  }

  loss_share(s, at, s.layer[layers - 1], shared);
  update_gaps(s, scalars);
  int added = s.lossGroups == 1;
  if (s.output == SOFTMAX || (!added && layers == 1)) {
    grid_barrier(s.barrier);
    add_losses(s, at, &added, shared);
  }

  for (int l = layers - 1; l >= 0; l--) {
    backward_share(s, l, scalars, tileLeft, tileRight);
    if (l + 1 < layers) {
      const Layer &above = s.layer[l + 1];
      update_share(s, above.dw, above.n * above.k, scalars);
      update_share(s, above.db, above.n, scalars);
    }
    if (l > 0) {
      grid_barrier(s.barrier);
      add_losses(s, at, &added, shared);
    }
  }
}

KERNEL(GX, GY) void stack_step(const __grid_constant__ Step s) {
  TILE_LEFT(tileLeft);
  TILE_RIGHT(tileRight);
  LOCAL float shared[WG];
  const int first = s.at[0]; /* before the first barrier; it changes after the last */
  const int end = first + (int)s.steps;
  for (int at = first; at < end; at++) {
    if (at > first) {
      grid_barrier(s.barrier);
    }
    one_step(s, at, tileLeft, tileRight, shared);
  }
  if (GROUP(0) == 0 && group_item() == 0) {
    s.at[0] = end;
  }
}
