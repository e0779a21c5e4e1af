package io.deltarule.host;

import io.deltarule.engine.Activation;
import io.deltarule.engine.UpdateRule;
import io.deltarule.engine.spi.Operand;
import java.util.Arrays;

/**
 * In plain Java. The products, {@code C = A B} with C [m x n] and B [k x n]: B is packed into rows,
 * and rows of C are accumulated as sums of rows of B, two of C and four of B at a time:
 *
 * <pre>
 *                b0  b1  b2  b3
 *   c0  +=      a00 a01 a02 a03
 *   c1  +=      a10 a11 a12 a13
 * </pre>
 *
 * What follows element by element is done while the row is in the cache.
 */
final class PlainKernels implements Kernels {

  /** The tile: rows of C, and terms of their sums (rows of B), at a time. */
  private static final int ROWS = 2;

  private static final int TERMS = 4;

  /** The longest row of C and B in one go: a tile's rows stay in the first-level cache. */
  private static final int MOST_COLUMNS = 1280;

  /** Rows of C that a worker holds at once; with {@link #DEPTH}, half of a second-level cache. */
  private static final int MOST_ROWS = 48;

  /** Rows of B that are used for all these rows of C before the next. */
  private static final int DEPTH = 48 * TERMS;

  /** Elements to copy that are worth another thread. */
  private static final long WORTH_PACKING = 1 << 17;

  private static final int PACK_ROWS = 8;

  private final Workers workers;
  private final Rows packed = new Rows();
  private final Rows[] results; // one for each worker
  private final Rows[] partial; // the same
  private final Rows[] masks; // the same
  private final ThinForward thinForward;
  private final Forward forward = new Forward();
  private final Propagate propagate = new Propagate();
  private final Gradients gradients = new Gradients();
  private final Copy copy = new Copy();
  private final Transpose transpose = new Transpose();
  private final Updates updates;

  PlainKernels(Workers workers) {
    this.workers = workers;
    thinForward = new ThinForward(workers, new Dots());
    updates = new Updates(workers);
    results = new Rows[workers.threads()];
    partial = new Rows[workers.threads()];
    masks = new Rows[workers.threads()];
    for (int i = 0; i < results.length; i++) {
      results[i] = new Rows();
      partial[i] = new Rows();
      masks[i] = new Rows();
    }
  }

  @Override
  public String vectors() {
    return "no vectors";
  }

  @Override
  public void forward(
      Operand<HostBlock> x,
      Operand<HostBlock> w,
      Operand<HostBlock> b,
      Activation f,
      Operand<HostBlock> saved,
      Operand<HostBlock> a) {
    int m = x.rows();
    int k = x.columns();
    int n = w.rows();
    if (Kernels.thin(m, n)) {
      thinForward.run(x, w, b, f, saved, a);
      return;
    }
    forward.factor(x, k, 1);
    forward.b = b.block().floats();
    forward.atB = (int) b.offset();
    forward.f = f;
    forward.saved = f.savesInput() ? saved.block().floats() : null;
    forward.atSaved = (int) saved.offset();
    forward.a = a.block().floats();
    forward.atA = (int) a.offset();
    forward.shape(m, n, k);
    transpose.run(w, forward);
    forward.run();
  }

  @Override
  public void propagate(
      Operand<HostBlock> d,
      Operand<HostBlock> w,
      Activation f,
      Operand<HostBlock> saved,
      Operand<HostBlock> e) {
    int m = d.rows();
    int k = d.columns();
    int n = w.columns();
    propagate.factor(d, k, 1);
    propagate.f = f;
    propagate.saved = saved.block().floats();
    propagate.atSaved = (int) saved.offset();
    propagate.e = e.block().floats();
    propagate.atE = (int) e.offset();
    propagate.shape(m, n, k);
    copy.run(w, propagate);
    propagate.run();
  }

  @Override
  public void gradients(
      Operand<HostBlock> d, Operand<HostBlock> a, Operand<HostBlock> dw, Operand<HostBlock> db) {
    int m = d.columns();
    int k = d.rows();
    int n = a.columns();
    gradients.factor(d, 1, m);
    gradients.dw = dw.block().floats();
    gradients.atDw = (int) dw.offset();
    gradients.shape(m, n, k);
    copy.run(a, gradients);
    gradients.run();
    columnSums(d.block().floats(), (int) d.offset(), k, m, db.block().floats(), (int) db.offset());
  }

  @Override
  public void update(
      UpdateRule rule,
      Operand<HostBlock> theta,
      Operand<HostBlock> gradient,
      Operand<HostBlock> state,
      Operand<HostBlock> schedule,
      int step) {
    updates.run(rule, theta, gradient, state, schedule, step);
  }

  private static int roundUp(int number, int to) {
    return (number + to - 1) / to * to;
  }

  /** One product, in chunks of rows and columns of C. */
  private abstract class Multiply extends Workers.Task {
    private float[] left; // A: element (i, p) at atLeft + i rowStride + p columnStride
    private int atLeft;
    private int rowStride;
    private int columnStride;
    int m;
    int n;
    int k;
    float[][] rows; // B: row p of the columns from j width on is rows[j depth + p]
    int depth; // k, and negative zeros up to whole tiles
    int width;
    private int columnBlocks;
    private int height;

    final void factor(Operand<HostBlock> a, int row, int column) {
      left = a.block().floats();
      atLeft = (int) a.offset();
      rowStride = row;
      columnStride = column;
    }

    final void shape(int rowsOfC, int columnsOfC, int terms) {
      m = rowsOfC;
      n = columnsOfC;
      k = terms;
      depth = roundUp(k, TERMS);
      int blocks = Math.max(1, (n + MOST_COLUMNS - 1) / MOST_COLUMNS);
      width = (n + blocks - 1) / blocks;
      columnBlocks = width == 0 ? 0 : (n + width - 1) / width;
    }

    final void run() {
      boolean split = (long) m * n * Math.max(1, k) >= Kernels.WORTH_SHARING;
      int shares = split ? workers.threads() : 1;
      int blocks = (m + MOST_ROWS - 1) / MOST_ROWS;
      blocks = roundUp(blocks, shares);
      height = blocks == 0 ? 0 : roundUp((m + blocks - 1) / blocks, ROWS);
      int rowBlocks = height == 0 ? 0 : (m + height - 1) / height;
      if (split) {
        for (int i = 0; i < results.length; i++) {
          // Now, as a worker may have its first chunk of this shape at any later call.
          results[i].take(height, width);
          partial[i].take(height, width);
          masks[i].take(1, width);
        }
      }
      workers.run(this, split, rowBlocks * columnBlocks);
      left = null;
      rows = null;
      forget();
    }

    /** Lets go of the other operands, so that they can be freed. */
    abstract void forget();

    @Override
    final void run(int chunk, int worker) {
      int i0 = chunk / columnBlocks * height;
      int i1 = Math.min(m, i0 + height);
      int block = chunk % columnBlocks;
      int j0 = block * width;
      int columns = Math.min(width, n - j0);
      // Whole tiles: what lies past i1 repeats the last row and is dropped.
      int whole = roundUp(i1 - i0, ROWS);
      float[][] c = results[worker].take(whole, width);
      int stretch = Kernels.stretch(k);
      zero(c, whole, columns);
      sum(i0, i1, 0, Math.min(k, stretch), block, columns, c);
      for (int p = stretch; p < k; p += stretch) {
        float[][] further = partial[worker].take(whole, width);
        zero(further, whole, columns);
        sum(i0, i1, p, Math.min(k, p + stretch), block, columns, further);
        for (int i = 0; i < whole; i++) {
          add(further[i], c[i], columns);
        }
      }
      for (int i = i0; i < i1; i++) {
        end(c[i - i0], i, j0, columns, worker);
      }
    }

    /** Adds the terms from p0 up to p1. */
    void sum(int i0, int i1, int p0, int p1, int block, int columns, float[][] c) {
      for (int q0 = p0; q0 < p1; q0 += DEPTH) {
        int q1 = Math.min(p1, q0 + DEPTH);
        for (int i = i0; i < i1; i += ROWS) {
          int a0 = atLeft + i * rowStride + q0 * columnStride;
          int a1 = i + 1 < m ? a0 + rowStride : a0;
          for (int q = q0; q < q1; q += TERMS) {
            tile(left, a0, a1, columnStride, q1 - q, rows, block * depth + q, c, i - i0, columns);
            a0 += TERMS * columnStride;
            a1 += TERMS * columnStride;
          }
        }
      }
    }

    /** Does what follows the sums and stores them. */
    abstract void end(float[] c, int i, int j0, int columns, int worker);
  }

  private final class Forward extends Multiply {
    float[] b;
    int atB;
    Activation f;
    float[] saved; // only if it is not A
    int atSaved;
    float[] a;
    int atA;

    @Override
    void end(float[] c, int i, int j0, int columns, int worker) {
      float[] bias = masks[worker].take(1, width)[0];
      System.arraycopy(b, atB + j0, bias, 0, columns);
      add(bias, c, columns);
      if (saved != null) {
        System.arraycopy(c, 0, saved, atSaved + i * n + j0, columns);
      }
      Activations.apply(f, c, columns);
      System.arraycopy(c, 0, a, atA + i * n + j0, columns);
    }

    @Override
    void forget() {
      b = null;
      saved = null;
      a = null;
    }
  }

  private final class Propagate extends Multiply {
    Activation f;
    float[] saved;
    int atSaved;
    float[] e;
    int atE;

    @Override
    void end(float[] c, int i, int j0, int columns, int worker) {
      float[] mask = masks[worker].take(1, width)[0];
      System.arraycopy(saved, atSaved + i * n + j0, mask, 0, columns);
      Activations.mask(f, mask, c, columns);
      System.arraycopy(c, 0, e, atE + i * n + j0, columns);
    }

    @Override
    void forget() {
      saved = null;
      e = null;
    }
  }

  private final class Gradients extends Multiply {
    float[] dw;
    int atDw;

    @Override
    void end(float[] c, int i, int j0, int columns, int worker) {
      System.arraycopy(c, 0, dw, atDw + i * n + j0, columns);
    }

    @Override
    void forget() {
      dw = null;
    }
  }

  /** Packs B for a product, some of its rows in a chunk. */
  private abstract class Packing extends Workers.Task {
    float[] from;
    int at;
    int n;
    int k;
    float[][] to;
    int depth;
    int width;

    final void run(Operand<HostBlock> operand, Multiply product) {
      from = operand.block().floats();
      at = (int) operand.offset();
      n = product.n;
      k = product.k;
      depth = product.depth;
      width = product.width;
      to = rows(product);
      workers.run(this, (long) n * k >= WORTH_PACKING, (k + PACK_ROWS - 1) / PACK_ROWS);
      from = null;
      to = null;
    }

    private float[][] rows(Multiply product) {
      int blocks = Math.max(1, product.columnBlocks);
      float[][] rows = packed.take(Math.max(1, blocks * depth), width);
      for (int block = 1; block <= blocks; block++) {
        for (int p = depth - k; p > 0; p--) {
          Arrays.fill(rows[block * depth - p], -0f); // 0 times this changes no sum, not even -0
        }
      }
      product.rows = rows;
      return rows;
    }
  }

  /** Of a matrix [k x n] as it lies. */
  private final class Copy extends Packing {
    @Override
    void run(int chunk, int worker) {
      int p1 = Math.min(k, (chunk + 1) * PACK_ROWS);
      for (int p = chunk * PACK_ROWS; p < p1; p++) {
        for (int j = 0, row = p; j < n; j += width, row += depth) {
          System.arraycopy(from, at + p * n + j, to[row], 0, Math.min(width, n - j));
        }
      }
    }
  }

  /** Of a matrix [n x k]. */
  private final class Transpose extends Packing {
    @Override
    void run(int chunk, int worker) {
      int p = chunk * PACK_ROWS;
      for (int j = 0, row = p; j < n; j += width, row += depth) {
        int columns = Math.min(width, n - j);
        if (p + PACK_ROWS <= k) {
          transposeEight(from, at + j * k + p, k, columns, to, row);
        } else {
          for (int q = 0; q < k - p; q++) {
            transposeOne(from, at + j * k + p + q, k, columns, to[row + q]);
          }
        }
      }
    }
  }

  /**
   * Adds up to four rows of B, from {@code row} on, to two rows of C, from {@code i} on.
   *
   * <p>The form is what C2 needs to vectorise the loop, on JDK 17 in particular. Loads come before
   * stores. It pairs the uses of b0j in neighbouring iterations by the operand's position alone, so
   * the two rows have it in different ones; for three rows it would find the wrong partners. Larger
   * tiles, which would save more loads and stores, it gives up on.
   */
  private static void tile(
      float[] a,
      int a0,
      int a1,
      int stride,
      int terms,
      float[][] b,
      int row,
      float[][] c,
      int i,
      int n) {
    float a00 = a[a0];
    float a01 = terms > 1 ? a[a0 + stride] : 0f;
    float a02 = terms > 2 ? a[a0 + 2 * stride] : 0f;
    float a03 = terms > 3 ? a[a0 + 3 * stride] : 0f;
    float a10 = a[a1];
    float a11 = terms > 1 ? a[a1 + stride] : 0f;
    float a12 = terms > 2 ? a[a1 + 2 * stride] : 0f;
    float a13 = terms > 3 ? a[a1 + 3 * stride] : 0f;
    float[] b0 = b[row];
    float[] b1 = b[row + 1];
    float[] b2 = b[row + 2];
    float[] b3 = b[row + 3];
    float[] c0 = c[i];
    float[] c1 = c[i + 1];
    for (int j = 0; j < n; j++) {
      float b0j = b0[j];
      float b1j = b1[j];
      float b2j = b2[j];
      float b3j = b3[j];
      float c0j = c0[j];
      float c1j = c1[j];
      c0j = Math.fma(a00, b0j, c0j);
      c1j = Math.fma(b0j, a10, c1j);
      c0j = Math.fma(a01, b1j, c0j);
      c1j = Math.fma(b1j, a11, c1j);
      c0j = Math.fma(a02, b2j, c0j);
      c1j = Math.fma(b2j, a12, c1j);
      c0j = Math.fma(a03, b3j, c0j);
      c1j = Math.fma(b3j, a13, c1j);
      c0[j] = c0j;
      c1[j] = c1j;
    }
  }

  private static void zero(float[][] c, int rows, int columns) {
    for (int i = 0; i < rows; i++) {
      Arrays.fill(c[i], 0, columns, 0f);
    }
  }

  private static void add(float[] from, float[] to, int n) {
    for (int j = 0; j < n; j++) {
      to[j] += from[j];
    }
  }

  /** The sums of the columns of D [m x n]. */
  private static void columnSums(float[] d, int atD, int m, int n, float[] sums, int atSums) {
    Arrays.fill(sums, atSums, atSums + n, 0f);
    for (int i = 0, at = atD; i < m; i++, at += n) {
      for (int j = 0; j < n; j++) {
        sums[atSums + j] += d[at + j];
      }
    }
  }

  private static void transposeEight(
      float[] from, int at, int stride, int n, float[][] to, int row) {
    float[] r0 = to[row];
    float[] r1 = to[row + 1];
    float[] r2 = to[row + 2];
    float[] r3 = to[row + 3];
    float[] r4 = to[row + 4];
    float[] r5 = to[row + 5];
    float[] r6 = to[row + 6];
    float[] r7 = to[row + 7];
    for (int j = 0, q = at; j < n; j++, q += stride) {
      r0[j] = from[q];
      r1[j] = from[q + 1];
      r2[j] = from[q + 2];
      r3[j] = from[q + 3];
      r4[j] = from[q + 4];
      r5[j] = from[q + 5];
      r6[j] = from[q + 6];
      r7[j] = from[q + 7];
    }
  }

  private static void transposeOne(float[] from, int at, int stride, int n, float[] to) {
    for (int j = 0, q = at; j < n; j++, q += stride) {
      to[j] = from[q];
    }
  }
}
