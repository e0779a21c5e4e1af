package io.deltarule.host;

import io.deltarule.engine.Activation;
import io.deltarule.engine.spi.Operand;
import java.util.Arrays;

/**
 * The products in plain Java, {@code C = A B} with C [m x n] and B [k x n]: B is packed into rows,
 * and rows of C are accumulated as sums of rows of B, three times three at a time:
 *
 * <pre>
 *            b0 b1 b2             c0 += a00 b0 + a01 b1 + a02 b2
 *   c0    a00 a01 a02             c1 += a10 b0 + a11 b1 + a12 b2
 *   c1    a10 a11 a12             c2 += a20 b0 + a21 b1 + a22 b2
 *   c2    a20 a21 a22
 * </pre>
 *
 * Larger tiles save more loads and stores, but C2 of JDK 17 does not vectorise them. Every element
 * of C is one chain of fused multiply-adds over ascending k from its start value, whatever the
 * blocking; what follows element by element is done while the row is in the cache.
 */
final class RowProducts implements Products {

  /** Rows and columns of a tile. */
  private static final int TILE = 3;

  /** The longest row of C and B in one go: a tile's rows stay in the first-level cache. */
  private static final int MOST_COLUMNS = 1280;

  /** Rows of C that a worker holds at once; with {@link #DEPTH}, half of a second-level cache. */
  private static final int MOST_ROWS = 48;

  /** Rows of B that are used for all these rows of C before the next. */
  private static final int DEPTH = 64 * TILE;

  /** Below these sizes of C, rows are too short or too few to pay for packing B. */
  private static final int THIN_COLUMNS = 16;

  private static final int THIN_ROWS = 8;

  /** Multiply-adds and elements to copy that are worth another thread. */
  private static final long WORTH_MULTIPLYING = 1 << 20;

  private static final long WORTH_PACKING = 1 << 17;

  private static final int PACK_ROWS = 8;

  private final Workers workers;
  private final Rows packed = new Rows();
  private final Rows[] results; // one for each worker
  private final Rows[] masks; // the same
  private final Forward forward = new Forward();
  private final Propagate propagate = new Propagate();
  private final Gradients gradients = new Gradients();
  private final Copy copy = new Copy();
  private final Transpose transpose = new Transpose();

  RowProducts(Workers workers) {
    this.workers = workers;
    results = new Rows[workers.threads()];
    masks = new Rows[workers.threads()];
    for (int i = 0; i < results.length; i++) {
      results[i] = new Rows();
      masks[i] = new Rows();
    }
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
    forward.factor(x, k, 1);
    forward.w = w.block().floats();
    forward.atW = (int) w.offset();
    forward.b = b.block().floats();
    forward.atB = (int) b.offset();
    forward.f = f;
    forward.saved = f.savesInput() ? saved.block().floats() : null;
    forward.atSaved = (int) saved.offset();
    forward.a = a.block().floats();
    forward.atA = (int) a.offset();
    forward.shape(m, n, k);
    forward.thin = m < THIN_ROWS || n < THIN_COLUMNS;
    if (!forward.thin) {
      transpose.run(w, n, k, forward);
    }
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
    copy.run(w, n, k, false, propagate);
    propagate.run();
  }

  @Override
  public void gradients(
      Operand<HostBlock> d, Operand<HostBlock> a, Operand<HostBlock> dw, Operand<HostBlock> db) {
    int m = d.columns();
    int k = d.rows();
    int n = a.columns();
    gradients.factor(d, 1, m);
    gradients.inputs = n;
    gradients.dw = dw.block().floats();
    gradients.atDw = (int) dw.offset();
    gradients.db = db.block().floats();
    gradients.atDb = (int) db.offset();
    // A column of ones beside A gives db beside dW.
    gradients.shape(m, n + 1, k);
    copy.run(a, n, k, true, gradients);
    gradients.run();
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
    float[][] rows; // B: row p of the columns from j width on is rows[j k + p]
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
      int blocks = Math.max(1, (n + MOST_COLUMNS - 1) / MOST_COLUMNS);
      width = (n + blocks - 1) / blocks;
      columnBlocks = width == 0 ? 0 : (n + width - 1) / width;
    }

    final void run() {
      boolean split = (long) m * n * Math.max(1, k) >= WORTH_MULTIPLYING;
      int shares = split ? workers.threads() : 1;
      int blocks = (m + MOST_ROWS - 1) / MOST_ROWS;
      blocks = (blocks + shares - 1) / shares * shares;
      height = blocks == 0 ? 0 : ((m + blocks - 1) / blocks + TILE - 1) / TILE * TILE;
      int rowBlocks = height == 0 ? 0 : (m + height - 1) / height;
      if (split) {
        for (int i = 0; i < results.length; i++) {
          // Now, as a worker may have its first chunk of this shape at any later call.
          results[i].take(height, width);
          masks[i].take(1, width);
        }
        workers.run(this, rowBlocks * columnBlocks);
      } else {
        for (int chunk = 0; chunk < rowBlocks * columnBlocks; chunk++) {
          run(chunk, 0);
        }
      }
      left = null;
      rows = null;
    }

    @Override
    final void run(int chunk, int worker) {
      int i0 = chunk / columnBlocks * height;
      int i1 = Math.min(m, i0 + height);
      int block = chunk % columnBlocks;
      int j0 = block * width;
      int columns = Math.min(width, n - j0);
      // Whole tiles: what lies past i1 repeats the last row and is dropped.
      int whole = (i1 - i0 + TILE - 1) / TILE * TILE;
      float[][] c = results[worker].take(whole, width);
      for (int i = 0; i < whole; i++) {
        begin(c[i], j0, columns);
      }
      sum(i0, i1, block, columns, c);
      for (int i = i0; i < i1; i++) {
        end(c[i - i0], i, j0, columns, worker);
      }
    }

    void sum(int i0, int i1, int block, int columns, float[][] c) {
      int last = (m - 1) * rowStride;
      for (int p0 = 0; p0 < k; p0 += DEPTH) {
        int p1 = Math.min(k, p0 + DEPTH);
        for (int i = i0; i < i1; i += TILE) {
          int a0 = atLeft + i * rowStride + p0 * columnStride;
          int a1 = Math.min(a0 + rowStride, atLeft + last + p0 * columnStride);
          int a2 = Math.min(a1 + rowStride, atLeft + last + p0 * columnStride);
          tiles(left, a0, a1, a2, columnStride, rows, block * k + p0, p1 - p0, c, i - i0, columns);
        }
      }
    }

    /** Sets a row of C to its start value. */
    abstract void begin(float[] c, int j0, int columns);

    /** Does what follows the sums and stores them. */
    abstract void end(float[] c, int i, int j0, int columns, int worker);
  }

  private final class Forward extends Multiply {
    float[] w;
    int atW;
    float[] b;
    int atB;
    Activation f;
    float[] saved; // only if it is not A
    int atSaved;
    float[] a;
    int atA;
    boolean thin;

    @Override
    void begin(float[] c, int j0, int columns) {
      System.arraycopy(b, atB + j0, c, 0, columns);
    }

    @Override
    void sum(int i0, int i1, int block, int columns, float[][] c) {
      if (!thin) {
        super.sum(i0, i1, block, columns, c);
        return;
      }
      int last = super.atLeft + (m - 1) * k;
      for (int i = i0; i < i1; i += TILE) {
        int x0 = super.atLeft + i * k;
        int x1 = Math.min(x0 + k, last);
        int x2 = Math.min(x1 + k, last);
        for (int j = 0; j < columns; j++) {
          dots(super.left, x0, x1, x2, w, atW + (block * width + j) * k, k, c, i - i0, j);
        }
      }
    }

    @Override
    void end(float[] c, int i, int j0, int columns, int worker) {
      if (saved != null) {
        System.arraycopy(c, 0, saved, atSaved + i * n + j0, columns);
      }
      Activations.apply(f, c, columns);
      System.arraycopy(c, 0, a, atA + i * n + j0, columns);
    }
  }

  private final class Propagate extends Multiply {
    Activation f;
    float[] saved;
    int atSaved;
    float[] e;
    int atE;

    @Override
    void begin(float[] c, int j0, int columns) {
      Arrays.fill(c, 0, columns, 0f);
    }

    @Override
    void end(float[] c, int i, int j0, int columns, int worker) {
      float[] mask = masks[worker].take(1, width)[0];
      System.arraycopy(saved, atSaved + i * n + j0, mask, 0, columns);
      Activations.mask(f, mask, c, columns);
      System.arraycopy(c, 0, e, atE + i * n + j0, columns);
    }
  }

  private final class Gradients extends Multiply {
    int inputs; // columns of dW, one less than there are here
    float[] dw;
    int atDw;
    float[] db;
    int atDb;

    @Override
    void begin(float[] c, int j0, int columns) {
      Arrays.fill(c, 0, columns, 0f);
    }

    @Override
    void end(float[] c, int i, int j0, int columns, int worker) {
      int weights = Math.min(columns, inputs - j0);
      System.arraycopy(c, 0, dw, atDw + i * inputs + j0, weights);
      if (weights < columns) {
        db[atDb + i] = c[weights];
      }
    }
  }

  /** Packs the rows of a matrix [k x n], with a column of ones if asked. */
  private final class Copy extends Workers.Task {
    private float[] from;
    private int at;
    private int n;
    private int k;
    private boolean ones;
    private float[][] to;
    private int width;

    void run(Operand<HostBlock> b, int columns, int terms, boolean withOnes, Multiply product) {
      from = b.block().floats();
      at = (int) b.offset();
      n = columns;
      k = terms;
      ones = withOnes;
      width = product.width;
      pack(this, product);
      from = null;
    }

    @Override
    void run(int chunk, int worker) {
      int p1 = Math.min(k, (chunk + 1) * PACK_ROWS);
      for (int p = chunk * PACK_ROWS; p < p1; p++) {
        for (int j = 0, row = p; j < n; j += width, row += k) {
          System.arraycopy(from, at + p * n + j, to[row], 0, Math.min(width, n - j));
        }
        if (ones) {
          to[n / width * k + p][n % width] = 1f;
        }
      }
    }
  }

  /** Packs the columns of a matrix [n x k]. */
  private final class Transpose extends Workers.Task {
    private float[] from;
    private int at;
    private int n;
    private int k;
    private float[][] to;
    private int width;

    void run(Operand<HostBlock> w, int columns, int terms, Multiply product) {
      from = w.block().floats();
      at = (int) w.offset();
      n = columns;
      k = terms;
      width = product.width;
      pack(this, product);
      from = null;
    }

    @Override
    void run(int chunk, int worker) {
      int p = chunk * PACK_ROWS;
      for (int j = 0, row = p; j < n; j += width, row += k) {
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

  private void pack(Copy task, Multiply product) {
    task.to = rows(product);
    pack(task, product.n, product.k);
    task.to = null;
  }

  private void pack(Transpose task, Multiply product) {
    task.to = rows(product);
    pack(task, product.n, product.k);
    task.to = null;
  }

  private float[][] rows(Multiply product) {
    int blocks = Math.max(1, product.columnBlocks);
    product.rows = packed.take(Math.max(1, blocks * product.k), product.width);
    return product.rows;
  }

  private void pack(Workers.Task task, int n, int k) {
    int chunks = (k + PACK_ROWS - 1) / PACK_ROWS;
    if ((long) n * k >= WORTH_PACKING) {
      workers.run(task, chunks);
    } else {
      for (int chunk = 0; chunk < chunks; chunk++) {
        task.run(chunk, 0);
      }
    }
  }

  // The loops. Loads come before stores, which C2 could not move past each other.

  /** Three rows of C plus {@code terms} rows of B. */
  private static void tiles(
      float[] a,
      int a0,
      int a1,
      int a2,
      int stride,
      float[][] b,
      int row,
      int terms,
      float[][] c,
      int i,
      int n) {
    float[] c0 = c[i];
    float[] c1 = c[i + 1];
    float[] c2 = c[i + 2];
    int p = 0;
    for (; p <= terms - TILE; p += TILE) {
      tile(a, a0, a1, a2, stride, b[row + p], b[row + p + 1], b[row + p + 2], c0, c1, c2, n);
      a0 += TILE * stride;
      a1 += TILE * stride;
      a2 += TILE * stride;
    }
    if (terms - p == 2) {
      tile(a, a0, a1, a2, stride, b[row + p], b[row + p + 1], c0, c1, c2, n);
    } else if (terms - p == 1) {
      tile(a[a0], a[a1], a[a2], b[row + p], c0, c1, c2, n);
    }
  }

  private static void tile(
      float[] a,
      int at0,
      int at1,
      int at2,
      int stride,
      float[] b0,
      float[] b1,
      float[] b2,
      float[] c0,
      float[] c1,
      float[] c2,
      int n) {
    float a00 = a[at0];
    float a01 = a[at0 + stride];
    float a02 = a[at0 + 2 * stride];
    float a10 = a[at1];
    float a11 = a[at1 + stride];
    float a12 = a[at1 + 2 * stride];
    float a20 = a[at2];
    float a21 = a[at2 + stride];
    float a22 = a[at2 + 2 * stride];
    for (int j = 0; j < n; j++) {
      float b0j = b0[j];
      float b1j = b1[j];
      float b2j = b2[j];
      float c0j = c0[j];
      float c1j = c1[j];
      float c2j = c2[j];
      c0j = Math.fma(a00, b0j, c0j);
      c1j = Math.fma(a10, b0j, c1j);
      c2j = Math.fma(a20, b0j, c2j);
      c0j = Math.fma(a01, b1j, c0j);
      c1j = Math.fma(a11, b1j, c1j);
      c2j = Math.fma(a21, b1j, c2j);
      c0j = Math.fma(a02, b2j, c0j);
      c1j = Math.fma(a12, b2j, c1j);
      c2j = Math.fma(a22, b2j, c2j);
      c0[j] = c0j;
      c1[j] = c1j;
      c2[j] = c2j;
    }
  }

  private static void tile(
      float[] a,
      int at0,
      int at1,
      int at2,
      int stride,
      float[] b0,
      float[] b1,
      float[] c0,
      float[] c1,
      float[] c2,
      int n) {
    float a00 = a[at0];
    float a01 = a[at0 + stride];
    float a10 = a[at1];
    float a11 = a[at1 + stride];
    float a20 = a[at2];
    float a21 = a[at2 + stride];
    for (int j = 0; j < n; j++) {
      float b0j = b0[j];
      float b1j = b1[j];
      float c0j = Math.fma(a01, b1j, Math.fma(a00, b0j, c0[j]));
      float c1j = Math.fma(a11, b1j, Math.fma(a10, b0j, c1[j]));
      float c2j = Math.fma(a21, b1j, Math.fma(a20, b0j, c2[j]));
      c0[j] = c0j;
      c1[j] = c1j;
      c2[j] = c2j;
    }
  }

  private static void tile(
      float a0, float a1, float a2, float[] b, float[] c0, float[] c1, float[] c2, int n) {
    for (int j = 0; j < n; j++) {
      float bj = b[j];
      float c0j = Math.fma(a0, bj, c0[j]);
      float c1j = Math.fma(a1, bj, c1[j]);
      float c2j = Math.fma(a2, bj, c2[j]);
      c0[j] = c0j;
      c1[j] = c1j;
      c2[j] = c2j;
    }
  }

  /** Adds to column j of three rows of C the dot products of rows of X with one of W. */
  private static void dots(
      float[] x, int x0, int x1, int x2, float[] w, int atW, int k, float[][] c, int i, int j) {
    // Three accumulators a row, nine in all: as many as hide the latency of fused multiply-adds.
    float s00 = 0;
    float s01 = 0;
    float s02 = 0;
    float s10 = 0;
    float s11 = 0;
    float s12 = 0;
    float s20 = 0;
    float s21 = 0;
    float s22 = 0;
    int p = 0;
    for (; p <= k - 3; p += 3) {
      float w0 = w[atW + p];
      float w1 = w[atW + p + 1];
      float w2 = w[atW + p + 2];
      s00 = Math.fma(x[x0 + p], w0, s00);
      s01 = Math.fma(x[x0 + p + 1], w1, s01);
      s02 = Math.fma(x[x0 + p + 2], w2, s02);
      s10 = Math.fma(x[x1 + p], w0, s10);
      s11 = Math.fma(x[x1 + p + 1], w1, s11);
      s12 = Math.fma(x[x1 + p + 2], w2, s12);
      s20 = Math.fma(x[x2 + p], w0, s20);
      s21 = Math.fma(x[x2 + p + 1], w1, s21);
      s22 = Math.fma(x[x2 + p + 2], w2, s22);
    }
    for (; p < k; p++) {
      float wp = w[atW + p];
      s00 = Math.fma(x[x0 + p], wp, s00);
      s10 = Math.fma(x[x1 + p], wp, s10);
      s20 = Math.fma(x[x2 + p], wp, s20);
    }
    c[i][j] += s00 + s01 + s02;
    c[i + 1][j] += s10 + s11 + s12;
    c[i + 2][j] += s20 + s21 + s22;
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
