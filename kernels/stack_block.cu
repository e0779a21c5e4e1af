/*
 * Training steps of a very small stack of layers, one after the other, by one group of work-items, in
 * whose local memory everything lies meanwhile: the steps of stack_step.cu, with the same bits in
 * every buffer. With the bias as a column behind the weights, and a column of ones behind the
 * activations,
 *
 *   Z(l) = [A(l-1) 1] [W(l) b(l)]',  [dW(l) db(l)] = D(l)' [A(l-1) 1],
 *   D(l-1) = (D(l) W(l)) (.) f'(saved(l-1))
 *
 * are chains of the same fused multiplications and additions as in gemm_forward, gemm_gradients and
 * gemm_propagate: 1 times b is b.
 *
 * One access brings four numbers, so lines are padded to whole fours: those of X, A and D with -0, those
 * of the parameters with 0, and with lines of 0. The product of the two is -0, and -0 added changes no
 * number: a sum may go over whole fours. Lines of X, A and D beyond m have anything in them, but no
 * sum goes over those.
 *
 * Of the table (stack.h), all in floats of local memory; places are multiples of 4:
 *
 *   25  a line of X                          of layer l:
 *   26  P: what all [W(l) b(l)] take         11  a line of saved, A and D: a multiple of 4, more
 *   27  what a batch takes: X, 4, Y and          than n; with an odd number of fours, the lines of
 *       m row numbers                            neighbours begin in other memory banks
 *   28  what all take: (2 + rule) P for      12  where [W b] lies, within P: lines of the layer
 *       theta, the gradient, the states;         below, a multiple of 4 of them
 *       saved, A, D; two batches             13, 14, 15  where A, saved, D lie
 *
 * X, saved, A and D have a multiple of PIECE lines.
 *
 * Launch: one group of THREADS work-items, with word 28 floats of local memory. Softmax has at most
 * 4 LANES units.
 *
 * In stack_step the way from a phase to the next is what counts, through the second-level cache and a
 * barrier of all groups; here it is an access of local memory and a barrier of one. What limits it is
 * the work of one multiprocessor: on an H200 a step of 30-64-32-1 takes 9 us with m = 32 and 13 with 64,
 * of stack_step 18. A step is 2L + 1 phases, between which is a barrier:
 *
 *   1 ... L     forward, in the last with the output error; but that of softmax, and of many outputs,
 *               has one of its own
 *   then        for l = L ... 2: D(l-1), with [dW(l) db(l)] but for that of layer L
 *   2L          [dW(1) db(1)] and that of layer L; the loss beside one of the last two
 *   2L + 1      the update
 *
 * The next batch is copied beside the first two phases, and the row numbers of the one behind it.
 */
#include "activation.h"
#include "output_error.h"
#include "stack.h"
#ifdef __CUDACC__
#include <cuda_pipeline.h>
#endif

#define THREADS 512
#define LANES 32
#define WARPS (THREADS / LANES)
#define SHARES (WG / LANES) /* WG is that of output_error_*, whose order the loss has */

/*
 * A work-item has HEIGHT rows of a product, of COLUMNS columns where Z is computed, otherwise of 4:
 * the loads of local memory, not the arithmetic, are what takes time.
 */
#define HEIGHT 4
#define COLUMNS 2
#define ACROSS 8 /* lanes side by side */
#define PIECE (LANES / ACROSS * HEIGHT)
#define NARROW 8 /* a layer of at most so many units has a row for a lane */

#define COPY_LATER(to, from) __pipeline_memcpy_async(to, from, 4)
#define COPIED() (__pipeline_commit(), __pipeline_wait_prior(0))

/* A layer's words of the table, where they are at hand. */
struct __align__(16) Shape {
  int n, k, f, keep;
  int line, lineBelow, parameters, activations;
  int saved, errors, below, foursOfK; /* below: A(l-1), but for X */
};

/*
 * What local memory has of a step, in this order, behind which are the row numbers of the step that
 * comes to the same place: the next but one.
 */
struct Batch {
  float *x, *scalars, *y;
  int *rows;
};

DEVICE VEC four(const float *local) {
  return *(const VEC *)local;
}
/* Stores from element on, a multiple of 4: the division shows it to the compiler, for one store. */
DEVICE void put_four(VEC v, int element, float *local) {
  ((float4 *)local)[(unsigned int)element / 4] =
      make_float4(v.part[0], v.part[1], v.part[2], v.part[3]);
}

/* i / n, of numbers less than 2^20. */
DEVICE int quotient(int i, int n) {
  return (int)DIVIDE((float)i + 0.5f, (float)n);
}

/* The first of a warp's pieces of work in a phase, where so many have been shared out before. */
DEVICE int first_piece(int before) {
  const int piece = ITEM(0) / LANES - before % WARPS;
  return piece < 0 ? piece + WARPS : piece;
}

/*
 * Z, A of a layer: rows x columns of a work-item, whose lines begin at x and w. The columns lie ACROSS
 * apart, of so many that are left; at is the first result's place.
 */
DEVICE void forward_part(const int rows, const int columns, const Shape &to, const float *x,
                         const float *w, int left, int at, float *local) {
  int lines[COLUMNS];
  float sums[HEIGHT][COLUMNS];
  UNROLL for (int j = 0; j < columns; j++) {
    lines[j] = j * ACROSS < left ? j * ACROSS * to.lineBelow : 0;
    UNROLL for (int i = 0; i < rows; i++) {
      sums[i][j] = 0.0f;
    }
  }
  _Pragma("unroll 4")
  for (int k = 0; k < 4 * to.foursOfK; k += 4) {
    VEC lefts[HEIGHT], rights[COLUMNS];
    UNROLL for (int i = 0; i < rows; i++) {
      lefts[i] = four(x + i * to.lineBelow + k);
    }
    UNROLL for (int j = 0; j < columns; j++) {
      rights[j] = four(w + lines[j] + k);
    }
    UNROLL for (int q = 0; q < 4; q++) {
      UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int j = 0; j < columns; j++) {
          sums[i][j] = fmaf(lefts[i].part[q], rights[j].part[q], sums[i][j]);
        }
      }
    }
  }
  UNROLL for (int j = 0; j < columns; j++) {
    if (j * ACROSS < left) {
      UNROLL for (int i = 0; i < rows; i++) {
        const int element = at + i * to.line + j * ACROSS;
        if (to.keep) {
          local[to.saved + element] = sums[i][j];
        }
        local[to.activations + element] =
            to.f == RELU ? activate(RELU, sums[i][j]) : sums[i][j];
      }
    }
  }
  if (to.f != RELU && to.f != IDENTITY) { /* longer, so once in the code */
    ROLLED for (int i = 0; i < rows * columns; i++) {
      if (i % columns * ACROSS < left) {
        float *a = local + to.activations + at + i / columns * to.line + i % columns * ACROSS;
        *a = activate(to.f, *a);
      }
    }
  }
}

/*
 * Z, A of a layer from x, [A(l-1) 1]. A warp has PIECE rows of ACROSS COLUMNS columns, or, of a narrow
 * layer, LANES rows of one.
 */
DEVICE void forward(const Shape to, int m, const float *x, float *local) {
  const int lane = ITEM(0) % LANES;
  const float *w = local + to.parameters;
  if (to.n > NARROW) {
    const int across = parts(to.n, ACROSS * COLUMNS);
    const int count = across * parts(m, PIECE);
    for (int piece = first_piece(0); piece < count; piece += WARPS) {
      const int band = quotient(piece, across);
      const int row = band * PIECE + lane / ACROSS * HEIGHT;
      const int column = (piece - band * across) * (ACROSS * COLUMNS) + lane % ACROSS;
      forward_part(HEIGHT, COLUMNS, to, x + row * to.lineBelow,
                   w + (column < to.n ? column : 0) * to.lineBelow, to.n - column,
                   row * to.line + column, local);
    }
  } else {
    const int bands = parts(m, LANES);
    for (int piece = first_piece(0); piece < to.n * bands; piece += WARPS) {
      const int column = quotient(piece, bands);
      const int row = (piece - column * bands) * LANES + lane;
      forward_part(1, 1, to, x + (row < m ? row : 0) * to.lineBelow, w + column * to.lineBelow,
                   row < m, row * to.line + column, local);
    }
  }
}

/* The output error of sigmoid or linear outputs, in the pieces of a narrow layer. */
DEVICE void output_errors(const Step &s, const Shape &last, int m, const float *y, float *local) {
  const int bands = parts(m, LANES);
  for (int piece = first_piece(0); piece < last.n * bands; piece += WARPS) {
    const int column = quotient(piece, bands);
    const int row = (piece - column * bands) * LANES + ITEM(0) % LANES;
    if (row < m) {
      const int at = row * last.line + column;
      const float z = local[last.activations + at];
      const float target = y[row * last.n + column];
      local[last.errors + at] =
          s.output == LINEAR ? linear_error(z, target, m) : sigmoid_error(z, target, m);
    }
  }
}

/* The largest of so many neighbouring lanes, as lanes_max has it. */
DEVICE float largest(float value, int lanes) {
  for (int step = lanes / 2; step > 0; step /= 2) {
    const float other = __shfl_down_sync(0xffffffffu, value, step, lanes);
    value = other > value ? other : value;
  }
  return __shfl_sync(0xffffffffu, value, 0, lanes);
}

/* Their sum, as lanes_sum has it. */
DEVICE float sum_of(float value, int lanes) {
  for (int step = lanes / 2; step > 0; step /= 2) {
    value += __shfl_down_sync(0xffffffffu, value, step, lanes);
  }
  return __shfl_sync(0xffffffffu, value, 0, lanes);
}

/*
 * The output error of softmax, as softmax_errors has it; and the loss of each row, in the element
 * behind its logits.
 */
DEVICE void softmax(const Shape last, int m, const float *y, float *local) {
  const int lanes = softmax_lanes(last.n);
  const int lane = ITEM(0) % lanes;
  for (int first = 0; first < m; first += THREADS / lanes) {
    const int row = first + ITEM(0) / lanes;
    const int end = row < m ? last.n : 0;
    float *logits = local + last.activations + row * last.line;
    float *errors = local + last.errors + row * last.line;
    const float *targets = y + row * last.n;
    float max = -INFINITY;
    for (int j = lane; j < end; j += lanes) {
      max = logits[j] > max ? logits[j] : max;
    }
    max = largest(max, lanes);
    float sum = 0.0f;
    float linear = 0.0f;
    for (int j = lane; j < end; j += lanes) {
      const float below = logits[j] - max;
      const float e = EXP(below);
      sum += e;
      linear += targets[j] == 0.0f ? 0.0f : targets[j] * below;
      errors[j] = e;
    }
    sum = sum_of(sum, lanes);
    linear = sum_of(linear, lanes);
    for (int j = lane; j < end; j += lanes) {
      errors[j] = (errors[j] / sum - targets[j]) / m;
    }
    if (lane == 0 && row < m) {
      logits[last.n] = (LOG(sum) - linear) / m;
    }
  }
}

/* The sum of WG numbers, number q LANES + lane as the q-th of a lane, as group_sum has it. */
DEVICE float sum_of_group(float *numbers) {
  UNROLL for (int step = SHARES / 2; step > 0; step /= 2) {
    UNROLL for (int q = 0; q < step; q++) {
      numbers[q] += numbers[q + step];
    }
  }
  return sum_of(numbers[0], LANES);
}

/* The loss, by one warp, which adds what the groups of output_error_* would, in their order. */
DEVICE void loss(const Step &s, const Shape last, int m, int at, const float *y,
                 const float *local) {
  const int groups = (int)s.lossGroups;
  const int lane = ITEM(0) % LANES;
  const int lanes = softmax_lanes(last.n);
  const float *z = local + last.activations;
  float result = 0.0f;
  float added[SHARES] = {};
  for (int group = 0; group < groups; group++) {
    float share[SHARES] = {};
    ROLLED for (int q = 0; q < SHARES; q++) {
      const int item = q * LANES + lane;
      float sum = 0.0f;
      if (s.output == SOFTMAX) {
        const int rows = WG / lanes;
        const int first = group * rows + item / lanes;
        for (int row = first; item % lanes == 0 && row < m; row += groups * rows) {
          sum += z[row * last.line + last.n];
        }
      } else {
        for (int i = group * WG + item; i < m * last.n; i += groups * WG) {
          const float logit = z[i + quotient(i, last.n) * (last.line - last.n)];
          sum += s.output == LINEAR ? linear_loss(logit, y[i], m) : sigmoid_loss(logit, y[i], m);
        }
      }
      UNROLL for (int j = 0; j < SHARES; j++) {
        share[j] = j == q ? sum : share[j];
      }
    }
    result = sum_of_group(share);
    if (groups > 1 && lane == 0) {
      s.partial[group] = result;
    }
    UNROLL for (int q = 0; q < SHARES; q++) {
      if (group % WG == q * LANES + lane) {
        added[q] += result;
      }
    }
  }
  if (groups > 1) {
    result = sum_of_group(added);
  }
  if (lane == 0) {
    s.losses[at] = result;
  }
}

/* D(l-1) of the layer to, from that above, behind so many pieces of other work. */
DEVICE int propagate(int before, const Shape from, const Shape to, int m, float *local) {
  const int lane = ITEM(0) % LANES;
  const int across = parts(to.n, ACROSS * 4);
  const int count = across * parts(m, PIECE);
  for (int piece = first_piece(before); piece < count; piece += WARPS) {
    const int band = quotient(piece, across);
    const int row = band * PIECE + lane / ACROSS * HEIGHT;
    const int column = ((piece - band * across) * ACROSS + lane % ACROSS) * 4;
    const float *d = local + from.errors + row * from.line;
    const float *w = local + from.parameters + column;
    if (column < to.n) {
      float sums[HEIGHT][4] = {};
      _Pragma("unroll 4")
      for (int n = 0; n < from.n; n += 4) {
        VEC left[HEIGHT];
        UNROLL for (int i = 0; i < HEIGHT; i++) {
          left[i] = four(d + i * from.line + n);
        }
        UNROLL for (int q = 0; q < 4; q++) {
          const VEC right = four(w + (n + q) * to.line);
          UNROLL for (int i = 0; i < HEIGHT; i++) {
            UNROLL for (int j = 0; j < 4; j++) {
              sums[i][j] = fmaf(left[i].part[q], right.part[j], sums[i][j]);
            }
          }
        }
      }
      UNROLL for (int i = 0; i < HEIGHT; i++) {
        const int element = (row + i) * to.line + column;
        const VEC saved = four(local + to.saved + element);
        VEC errors;
        UNROLL for (int j = 0; j < 4; j++) {
          const float error =
              to.f == RELU ? sums[i][j] * derivative(RELU, saved.part[j]) : sums[i][j];
          errors.part[j] = column + j < to.n ? error : -0.0f;
        }
        put_four(errors, to.errors + element, local);
      }
      if (to.f != RELU) { /* longer, so once in the code */
        ROLLED for (int i = 0; i < 4 * HEIGHT; i++) {
          if (column + i % 4 < to.n) {
            const int element = (row + i / 4) * to.line + column + i % 4;
            local[to.errors + element] *= derivative(to.f, local[to.saved + element]);
          }
        }
      }
    }
  }
  return before + count;
}

/*
 * [dW db] of a layer, behind so many pieces of other work: HEIGHT x 4 of them a lane. x is
 * [A(l-1) 1], gradient is the place of those of all layers.
 */
DEVICE int gradients(int before, const Shape of, int m, const float *x, int gradient,
                     float *local) {
  const int line = of.lineBelow;
  const int across = of.foursOfK;
  const int all = across * parts(of.n, HEIGHT);
  const int count = parts(all, LANES);
  for (int piece = first_piece(before); piece < count; piece += WARPS) {
    const int part = piece * LANES + ITEM(0) % LANES;
    const int band = quotient(part, across);
    const int row = band * HEIGHT;
    const int column = (part - band * across) * 4;
    const float *d = local + of.errors + row;
    if (part < all) {
      float sums[HEIGHT][4] = {};
      _Pragma("unroll 8")
      for (int r = 0; r < m; r++) {
        const VEC left = four(d + r * of.line);
        const VEC right = four(x + r * line + column);
        UNROLL for (int i = 0; i < HEIGHT; i++) {
          UNROLL for (int j = 0; j < 4; j++) {
            sums[i][j] = fmaf(left.part[i], right.part[j], sums[i][j]);
          }
        }
      }
      UNROLL for (int i = 0; i < HEIGHT; i++) {
        VEC g;
        UNROLL for (int j = 0; j < 4; j++) {
          g.part[j] = row + i < of.n && column + j <= of.k ? sums[i][j] : 0.0f;
        }
        put_four(g, gradient + of.parameters + (row + i) * line + column, local);
      }
    }
  }
  return before + count;
}

/*
 * Makes the padding of the parameters 0 again: an update by a rate, say, that is infinite has made it
 * NaN.
 */
DEVICE void clear_padding(const Step &s, const Shape *shapes, float *theta) {
  for (int l = 0; l < s.layers; l++) {
    const Shape &of = shapes[l];
    ROLLED for (int i = ITEM(0); i < parts(of.n, 4) * 4 * of.lineBelow; i += THREADS) {
      const int row = quotient(i, of.lineBelow);
      if (row >= of.n || i - row * of.lineBelow > of.k) {
        theta[of.parameters + i] = 0.0f;
      }
    }
  }
}

/* The update of all parameters, behind which are their gradients and states. */
DEVICE void update(const Step &s, const Shape *shapes, const float *scalars, float *theta) {
  const int p = (int)s.parameters;
  const float *gradient = theta + p;
  float *first = theta + 2 * p;
  float *second = theta + 3 * p;
  if (s.rule == 0) {
    for (int i = 4 * ITEM(0); i < p; i += 4 * THREADS) {
      const VEC g = four(gradient + i);
      VEC next = four(theta + i);
      UNROLL for (int j = 0; j < 4; j++) {
        next.part[j] = stepped(next.part[j], g.part[j], scalars);
      }
      put_four(next, i, theta);
    }
  } else {
    for (int i = ITEM(0); i < p; i += THREADS) {
      float u = first[i];
      float v = s.rule == 2 ? second[i] : 0.0f;
      theta[i] = updated(s, theta[i], gradient[i], &u, &v, scalars);
      first[i] = u;
      if (s.rule == 2) {
        second[i] = v;
      }
    }
  }
  float sum = 0.0f; /* finite for all that is usual */
  UNROLL for (int i = 0; i < SCALARS; i++) {
    sum += FABS(scalars[i]);
  }
  if (!(sum < INFINITY)) {
    BARRIER();
    clear_padding(s, shapes, theta);
  }
}

/* That of a step, so many after the first. */
DEVICE Batch batch_of(const Step &s, float *local, int step) {
  Batch batch;
  batch.x = local + s.floats - (2 - step % 2) * s.batch;
  batch.scalars = batch.x + parts((int)s.m, PIECE) * PIECE * s.line;
  batch.y = batch.scalars + SCALARS;
  batch.rows = (int *)(batch.y + s.m * s.layer[s.layers - 1].n);
  return batch;
}

/* Begins to copy the row numbers of a step, by one warp. */
DEVICE void copy_rows(const Step &s, int at, int *rows) {
  for (int i = ITEM(0) % LANES; i < s.m; i += LANES) {
    COPY_LATER(rows + i, s.rows + (INDEX)at * s.length + i);
  }
}

/* Begins to copy a warp's share of a step's numbers; the row numbers are there. */
DEVICE void copy_batch(const Step &s, int at, int warp, int warps, const Batch batch) {
  const int features = (int)s.features;
  const int outputs = (int)s.layer[s.layers - 1].n;
  const int lane = ITEM(0) % LANES;
  for (int row = warp; row < s.m; row += warps) {
    const INDEX of = batch.rows[row];
    for (int j = lane; j < features; j += LANES) {
      COPY_LATER(batch.x + row * s.line + j, s.inputs + of * features + j);
    }
    for (int j = lane; j < outputs; j += LANES) {
      COPY_LATER(batch.y + row * outputs + j, s.targets + of * outputs + j);
    }
  }
  if (warp == 0 && lane < SCALARS) {
    COPY_LATER(batch.scalars + lane, s.schedule + (INDEX)at * SCALARS + lane);
  }
}

/* Copies [rows x columns] between global memory and lines of local memory. */
DEVICE void move(const int back, float *global, int rows, int columns, float *local, int line) {
  ROLLED for (int i = ITEM(0); i < rows * columns; i += THREADS) {
    float *at = local + i / columns * line + i % columns;
    *(back ? global + i : at) = *(back ? at : global + i);
  }
}

/* Likewise the parameters, their gradients and states. */
DEVICE void move_parameters(const int back, const Step &s, const Shape *shapes, float *local) {
  for (int l = 0; l < s.layers; l++) {
    const Shape &of = shapes[l];
    const INDEX w = s.layer[l].dw - s.gradient;
    const INDEX b = s.layer[l].db - s.gradient;
    for (int part = 0; part < 2 + s.rule; part++) {
      float *global = part == 0 ? s.theta : part == 1 ? s.gradient : s.state + (part - 2) * s.p;
      float *here = local + part * s.parameters + of.parameters;
      move(back, global + w, of.n, of.k, here, of.lineBelow);
      move(back, global + b, of.n, 1, here + of.k, of.lineBelow);
    }
  }
}

DEVICE void begin(const Step &s, int at, int end, Shape *shapes, float *local) {
  const Batch batch = batch_of(s, local, 0);
  const Batch next = batch_of(s, local, 1);
  if (ITEM(0) < s.layers) {
    const Layer &of = s.layer[ITEM(0)];
    const Layer &below = s.layer[ITEM(0) == 0 ? 0 : ITEM(0) - 1];
    const INDEX lineBelow = ITEM(0) == 0 ? s.line : below.line;
    shapes[ITEM(0)] = {(int)of.n,
                       (int)of.k,
                       (int)of.f,
                       (int)of.keep,
                       (int)of.line,
                       (int)lineBelow,
                       (int)of.parametersAt,
                       (int)of.activationsAt,
                       (int)of.savedAt,
                       (int)of.errorsAt,
                       (int)below.activationsAt,
                       parts((int)of.k + 1, 4)};
  }
  ROLLED for (int i = ITEM(0); i < s.floats; i += THREADS) {
    local[i] = i < (2 + s.rule) * s.parameters ? 0.0f : -0.0f;
  }
  BARRIER();
  ROLLED for (int row = ITEM(0); row < s.m; row += THREADS) {
    batch.x[row * s.line + s.features] = 1.0f;
    next.x[row * s.line + s.features] = 1.0f;
    for (int l = 0; l < s.layers - 1; l++) {
      local[shapes[l].activations + row * shapes[l].line + shapes[l].n] = 1.0f;
    }
  }
  if (ITEM(0) < LANES) {
    copy_rows(s, at, batch.rows);
    if (at + 1 < end) {
      copy_rows(s, at + 1, next.rows);
    }
  }
  move_parameters(0, s, shapes, local);
  COPIED();
  BARRIER();
  copy_batch(s, at, ITEM(0) / LANES, WARPS, batch);
  COPIED();
  BARRIER();
}

/* Leaves in global memory what the last of the steps has computed. */
DEVICE void leave(const Step &s, const Shape *shapes, const Batch batch, float *local) {
  const int m = (int)s.m;
  const int outputs = shapes[s.layers - 1].n;
  move(1, s.x, m, (int)s.features, batch.x, (int)s.line);
  move(1, s.y, m, outputs, batch.y, outputs);
  for (int l = 0; l < s.layers; l++) {
    const Shape &of = shapes[l];
    move(1, s.layer[l].a, m, of.n, local + of.activations, of.line);
    move(1, s.layer[l].d, m, of.n, local + of.errors, of.line);
    if (of.keep) {
      move(1, s.layer[l].saved, m, of.n, local + of.saved, of.line);
    }
  }
  move_parameters(1, s, shapes, local);
}

/* All updates of the parameters that are no layer's. */
DEVICE void update_gaps(const Step &s, int at, int end) {
  for (int i = ITEM(0); i < gaps(s); i += THREADS) {
    const INDEX p = gap(s, i);
    if (p >= 0) {
      float theta = s.theta[p];
      float u = s.rule == 0 ? 0.0f : s.state[p];
      float v = s.rule == 2 ? s.state[s.p + p] : 0.0f;
      ROLLED for (int step = at; step < end; step++) {
        theta = updated(s, theta, s.gradient[p], &u, &v, s.schedule + (INDEX)step * SCALARS);
      }
      s.theta[p] = theta;
      if (s.rule != 0) {
        s.state[p] = u;
      }
      if (s.rule == 2) {
        s.state[s.p + p] = v;
      }
    }
  }
}

/* Step at of those before end, and the copies for the next. */
DEVICE void one_step(const Step &s, int at, int end, const Shape *shapes, const Batch batch,
                     const Batch next, float *local) {
  const int layers = (int)s.layers;
  const int m = (int)s.m;
  const int warp = ITEM(0) / LANES;
  const Shape &output = shapes[layers - 1];

  for (int l = 0; l < layers; l++) {
    forward(shapes[l], m, l == 0 ? batch.x : local + shapes[l].below, local);
    const int copying = warp - WARPS / 2; /* half of the warps */
    if (l < 2 && copying >= 0 && at + 1 < end) {
      copy_batch(s, at + 1, copying + l * (WARPS / 2), layers > 1 ? WARPS : WARPS / 2, next);
      if (l == 0 && copying == 0 && at + 2 < end) {
        copy_rows(s, at + 2, batch.rows);
      }
    }
    if (l == layers - 1 && s.output != SOFTMAX) {
      if (output.n > NARROW) { /* otherwise the same lane has computed the logit */
        BARRIER();
      }
      output_errors(s, output, m, batch.y, local);
    }
    BARRIER();
  }
  if (s.output == SOFTMAX) {
    softmax(output, m, batch.y, local);
    BARRIER();
  }

  for (int l = layers - 1; l >= 0; l--) {
    if (l == (layers > 1) && warp == WARPS - 1) {
      loss(s, output, m, at, batch.y, local);
    }
    int before = 0;
    if (l > 0) {
      before = propagate(0, shapes[l], shapes[l - 1], m, local);
    }
    if (l < layers - 1 || l == 0) {
      before = gradients(before, shapes[l], m, l == 0 ? batch.x : local + shapes[l].below,
                         (int)s.parameters, local);
    }
    if (l == 0 && layers > 1) {
      gradients(before, output, m, local + output.below, (int)s.parameters, local);
    }
    BARRIER();
  }
  update(s, shapes, batch.scalars, local);
}

KERNEL(THREADS, 1) void stack_block(const __grid_constant__ Step s) {
  LOCAL_OF_LAUNCH(VEC, memory);
  LOCAL Shape shapes[LAYERS];
  float *local = (float *)memory;
  const int first = s.at[0];
  const int end = first + (int)s.steps;
  begin(s, first, end, shapes, local);
  for (int at = first; at < end; at++) {
    const int step = at - first;
    one_step(s, at, end, shapes, batch_of(s, local, step), batch_of(s, local, step + 1), local);
    COPIED();
    BARRIER();
  }
  leave(s, shapes, batch_of(s, local, (int)s.steps - 1), local);
  update_gaps(s, first, end);
  if (ITEM(0) == 0) {
    s.at[0] = end;
  }
}
