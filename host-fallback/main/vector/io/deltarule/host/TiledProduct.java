package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;
import static io.deltarule.host.Lanes.SPECIES;
import static io.deltarule.host.Tiles.roundUp;

import io.deltarule.engine.spi.Operand;
import jdk.incubator.vector.FloatVector;

/**
 * One product {@code C = A B} with A [m x k], B [k x n], and what follows it element by element.
 *
 * <p>B is packed into panels as wide as a tile, and A into panels as high as one, a stretch of
 * terms at a time. The smaller of the two is packed first, for all; a chunk packs some of the
 * larger one, multiplies it by all of the other and forgets it. So the larger one, the weights as a
 * rule, passes through the caches once. Packing all of both took 7 % more for 256 x 1024 x 1024, B
 * transposed. What is too small or too narrow to be worth packing is read as it lies.
 */
abstract class TiledProduct extends Workers.Task {

  /** Elements that a chunk packs at most: a quarter of a second-level cache. */
  private static final int PIECE = 1 << 17;

  /** For each thread: the last ones to end leave the others little to wait for. */
  private static final int CHUNKS = 4;

  /** A B of so many elements is not worth packing. */
  private static final int SMALL = 1 << 13;

  /** For so few rows of A, either; with 100, packing saves 3 % of a step of 28-300x5-1. */
  private static final int FEW_ROWS = 64;

  /**
   * Multiply-adds of a product so small that preparing chunks takes up to a quarter of its time. A
   * step of 30-64-32-1 has 1.17 of the speed that it had with chunks.
   */
  private static final int FEW = 1 << 18;

  /** Elements of the product of a column and a row that stay in the first-level cache. */
  private static final int OUTER = 1 << 12;

  final Scratch scratch;
  private final Workers workers;
  private final LeftPanels left;
  private final RightPanels right;
  private final PackLeft packLeft = new PackLeft();
  private final Outer outer = new Outer();
  private final SparseProduct sparse;
  private float[] c;
  private int atC;
  private int m;
  int n;
  private Tiles tiles;
  private int first; // the terms that are multiplied, a stretch
  private int terms;
  private boolean last;
  private boolean byColumns; // A is packed, or lies so that its columns are read
  private boolean packsRight;
  private boolean dividesLeft; // each chunk packs its rows of A
  private boolean dividesRight; // each chunk packs its columns of B
  private int high; // tiles, from the first row to the last
  private int wide; // of the widest tiles, those that are narrower count as one
  private int rowChunks;
  private int columnChunks;
  private int band; // rows that are multiplied by a tile's columns of B before its neighbour's
  private int block; // columns that are multiplied by a chunk's rows before the next

  TiledProduct(Workers workers, Scratch scratch, SparseProduct sparse) {
    this.sparse = sparse;
    this.workers = workers;
    this.scratch = scratch;
    left = new LeftPanels(scratch.left, workers.threads());
    right = new RightPanels(scratch.right, workers.threads());
  }

  /** Computes C; the operands are taken as transposed where it says so. */
  final void multiply(
      Operand<HostBlock> a,
      boolean transposedA,
      Operand<HostBlock> b,
      boolean transposedB,
      Operand<HostBlock> result) {
    n = result.columns();
    if (sparse.take(a, transposedA, b, transposedB, result)) {
      sparse.multiply(this);
      return;
    }
    left.take(a, transposedA);
    right.take(b, transposedB);
    c = result.block().floats();
    atC = (int) result.offset();
    m = left.m();
    int k = left.k();
    if (k == 1 && Kernels.wide(n) && n <= OUTER) {
      outer(transposedA);
    } else if ((long) m * n * k < FEW && k <= Kernels.LONGEST_STRETCH) {
      small(k, transposedA, transposedB);
    } else {
      chunked(k, transposedA, transposedB);
    }
    left.forget();
    right.forget();
    c = null;
  }

  /** A column times a row, both of which lie as they are needed, transposed or not. */
  private void outer(boolean transposedA) {
    scratch.reserveRows(workers.threads(), n);
    if (transposedA) {
      transposedLeft(0, m, 0, 1);
    }
    int rows = Math.max(1, OUTER / n);
    boolean shared = (long) m * n >= Kernels.WORTH_SHARING;
    outer.parts = shared ? Math.min(CHUNKS * workers.threads(), (m + rows - 1) / rows) : 1;
    workers.run(outer, shared, outer.parts);
  }

  private final class Outer extends Workers.Task {
    private int parts;

    @Override
    void run(int chunk, int worker) {
      int bottom = (int) ((long) m * (chunk + 1) / parts);
      int rows = Math.max(1, OUTER / n);
      float[] a = left.floats(worker);
      float[] b = right.floats(worker);
      int atA = left.start(worker, 0, 0);
      int atB = right.start(worker, 0, 0);
      for (int i0 = (int) ((long) m * chunk / parts), i1; i0 < bottom; i0 = i1) {
        i1 = Math.min(bottom, i0 + rows);
        for (int i = i0; i < i1; i++) {
          multiples(a[atA + i], b, atB, n, c, atC + i * n);
        }
        end(i0, i1 - i0, 0, n, worker);
      }
    }
  }

  /**
   * {@code factor b}, in vectors, of which the last one overlaps the one before; added to zero, as
   * chains begin, which makes 0 of -0.
   */
  private static void multiples(float factor, float[] b, int atB, int n, float[] c, int atC) {
    FloatVector x = FloatVector.broadcast(SPECIES, factor);
    FloatVector zero = FloatVector.zero(SPECIES);
    for (int j = 0; j < n - LANES; j += LANES) {
      x.fma(FloatVector.fromArray(SPECIES, b, atB + j), zero).intoArray(c, atC + j);
    }
    int j = n - LANES;
    x.fma(FloatVector.fromArray(SPECIES, b, atB + j), zero).intoArray(c, atC + j);
  }

  /** Here, as one chunk, in one stretch. */
  private void small(int k, boolean transposedA, boolean transposedB) {
    byColumns = transposedA || Kernels.wide(n);
    tiles = Tiles.of(m, n, byColumns);
    scratch.reserveRows(1, n);
    if (transposedB || tiles.packRight) {
      int chunks = right.share(tiles.widths, 0, k, 1, false);
      for (int chunk = 0; chunk < chunks; chunk++) {
        right.run(chunk, 0);
      }
    }
    if (byColumns && !(transposedA && tiles.takeColumns(n))) {
      int chunks = left.share(tiles.rows, 0, k, 1);
      for (int chunk = 0; chunk < chunks; chunk++) {
        left.pack(chunk);
      }
    }
    if (transposedA) {
      transposedLeft(0, m, 0, k);
    }
    first = 0;
    terms = k;
    last = true;
    band = Math.max(1, m);
    rows(0, m, 0, n, 0);
  }

  /** In chunks, by all workers if that is worth it, stretch by stretch. */
  private void chunked(int k, boolean transposedA, boolean transposedB) {
    byColumns = transposedA || Kernels.wide(n);
    tiles = Tiles.of(m, n, byColumns);
    band = tiles.band;
    int stretch = Kernels.stretch(k);
    packsRight = transposedB || tiles.packRight || (m > FEW_ROWS && (long) k * n > SMALL);
    int depth = Math.min(stretch, k);
    boolean byRows = m >= n;
    boolean large = (long) Math.max(m, n) * depth > PIECE;
    dividesLeft = byColumns && large && byRows;
    dividesRight = packsRight && large && !byRows;
    boolean shared = (long) m * n * k >= Kernels.WORTH_SHARING;
    int threads = shared ? workers.threads() : 1;
    int parts = threads == 1 ? 1 : CHUNKS * threads;
    split(depth, byRows, large, threads, parts);
    scratch.reserveRows(workers.threads(), n);
    for (first = 0; first < k; first += stretch) {
      terms = Math.min(stretch, k - first);
      last = first + terms == k;
      if (dividesRight) {
        right.divide(tiles.widths, first, terms, threads, widest(), false);
      } else if (packsRight) {
        workers.run(right, shared, right.share(tiles.widths, first, terms, parts, false));
      }
      if (dividesLeft) {
        left.divide(tiles.rows, first, terms, threads, highest());
      } else if (byColumns) {
        workers.run(packLeft, shared, left.share(tiles.rows, first, terms, parts));
      }
      workers.run(this, shared, rowChunks * columnChunks);
    }
  }

  /**
   * Cuts C into chunks, a few for each thread: by rows or columns, whichever are packed by chunks.
   * By both if that gives too few, though what chunks pack is then packed twice.
   */
  private void split(int depth, boolean byRows, boolean large, int threads, int parts) {
    high = (m + tiles.rows - 1) / tiles.rows;
    wide = tiles.widths.whole(n);
    wide += wide * tiles.columns < n ? 1 : 0;
    rowChunks = 1;
    columnChunks = 1;
    block = Math.max(1, n);
    if (parts == 1 && !large) {
      return;
    }
    int enough = large ? parts / 2 : parts;
    int fitHigh = Math.max(1, PIECE / (tiles.rows * depth));
    int fitWide = Math.max(1, PIECE / (tiles.columns * depth));
    if (byRows) {
      rowChunks = chunks(high, (high + fitHigh - 1) / fitHigh, threads, parts);
      columnChunks = chunks(wide, 1, 1, (enough + rowChunks - 1) / rowChunks);
      block = wide > 2 * fitWide ? fitWide * tiles.columns : block;
    } else {
      columnChunks = chunks(wide, (wide + fitWide - 1) / fitWide, threads, large ? parts : threads);
      rowChunks = chunks(high, 1, 1, (enough + columnChunks - 1) / columnChunks);
    }
  }

  /** Into how many to cut so many tiles: a multiple of the threads, if there are so many. */
  private static int chunks(int count, int least, int threads, int parts) {
    return Math.max(1, Math.min(count, roundUp(Math.max(least, parts), threads)));
  }

  /** The most rows of a chunk. */
  private int highest() {
    return (high + rowChunks - 1) / rowChunks * tiles.rows;
  }

  /** The most columns of a chunk; the last one has the narrow tiles, too, which may be two. */
  private int widest() {
    return (wide + columnChunks - 1) / columnChunks * tiles.columns + LANES;
  }

  private int top(int rowChunk) {
    return Math.min(m, (int) ((long) high * rowChunk / rowChunks) * tiles.rows);
  }

  private int leftmost(int columnChunk) {
    return columnChunk == columnChunks
        ? n
        : (int) ((long) wide * columnChunk / columnChunks) * tiles.columns;
  }

  /**
   * Is told once of each part of a transposed A, as it is packed if it is: {@code count} of its
   * rows from p on, in the columns from i0 up to i1.
   */
  void transposedLeft(int i0, int i1, int p, int count) {
    // Nothing to do with them.
  }

  /** Does what follows the sums: rows from i on, columns from j on. */
  abstract void end(int i, int rows, int j, int columns, int worker);

  private final class PackLeft extends Workers.Task {
    @Override
    void run(int chunk, int worker) {
      left.pack(chunk);
      if (left.transposed()) {
        transposedLeft(left.start(chunk), left.end(chunk), first, terms);
      }
    }
  }

  @Override
  final void run(int chunk, int worker) {
    int row = chunk / columnChunks;
    int column = chunk % columnChunks;
    int i0 = top(row);
    int i1 = top(row + 1);
    int j0 = leftmost(column);
    int j1 = leftmost(column + 1);
    if (dividesLeft) {
      left.pack(worker, i0, i1);
      if (left.transposed() && column == 0) {
        transposedLeft(i0, i1, first, terms);
      }
    }
    if (dividesRight) {
      right.pack(worker, j0, j1);
    }
    int j = j0;
    for (; j1 - j >= 2L * block; j += block) {
      rows(i0, i1, j, j + block, worker);
    }
    rows(i0, i1, j, j1, worker);
  }

  private void rows(int i0, int i1, int j0, int j1, int worker) {
    float[] a = left.floats(worker);
    float[] b = right.floats(worker);
    // A lone tile may store more than a row of C: the next row of tiles overwrites it.
    int end = n <= tiles.next(n).columns ? i1 * n : 0;
    for (int top = i0; top < i1; top += band) {
      int bottom = Math.min(i1, top + band);
      for (int j = j0; j < j1; ) {
        Tile tile = tiles.next(n - j);
        int columns = Math.min(tile.columns, n - j);
        int atB = right.start(worker, first, j);
        for (int i = top; i < bottom; i += tiles.rows) {
          int rows = Math.min(tiles.rows, bottom - i);
          boolean whole =
              rows == tiles.rows
                  && (columns == tile.columns || (i + rows - 1) * n + j + tile.columns <= end);
          int atA = left.start(worker, i, first);
          tile(tile, rows, columns, whole, a, atA, b, atB, atC + i * n + j, worker);
        }
        j += tile.columns;
      }
      if (last) {
        end(top, bottom - top, j0, j1 - j0, worker);
      }
    }
  }

  /**
   * Multiplies a tile.
   *
   * @param whole whether all of it may be stored in C
   * @param at its first element in C
   */
  private void tile(
      Tile tile,
      int rows,
      int columns,
      boolean whole,
      float[] a,
      int atA,
      float[] b,
      int atB,
      int at,
      int worker) {
    boolean direct = whole && first == 0;
    float[] sums = direct ? c : scratch.tile(worker);
    int atSums = direct ? at : 0;
    int stride = direct ? n : tile.columns;
    int strideB = right.stride(tile.columns);
    int strideA = left.stride();
    if (byColumns) {
      tile.multiply(terms, a, atA, strideA, b, atB, strideB, sums, atSums, stride);
    } else {
      tile.multiplyRows(rows, terms, a, atA, strideA, b, atB, strideB, sums, atSums, stride);
    }
    if (!direct && first == 0) {
      store(sums, tile.columns, rows, columns, c, at, n);
    } else if (!direct) {
      add(sums, tile.columns, rows, columns, c, at, n);
    }
  }

  private static void store(
      float[] tile, int stride, int rows, int columns, float[] c, int atC, int n) {
    for (int i = 0; i < rows; i++) {
      System.arraycopy(tile, i * stride, c, atC + i * n, columns);
    }
  }

  /** Of the widest tiles, three vectors wide: a loop within costs more than the additions. */
  private static void addThree(float[] tile, int rows, float[] c, int atC, int n) {
    for (int i = 0, t = 0, r = atC; i < rows; i++, t += 3 * LANES, r += n) {
      FloatVector c0 = FloatVector.fromArray(SPECIES, c, r);
      FloatVector c1 = FloatVector.fromArray(SPECIES, c, r + LANES);
      FloatVector c2 = FloatVector.fromArray(SPECIES, c, r + 2 * LANES);
      c0.add(FloatVector.fromArray(SPECIES, tile, t)).intoArray(c, r);
      c1.add(FloatVector.fromArray(SPECIES, tile, t + LANES)).intoArray(c, r + LANES);
      c2.add(FloatVector.fromArray(SPECIES, tile, t + 2 * LANES)).intoArray(c, r + 2 * LANES);
    }
  }

  private static void add(
      float[] tile, int stride, int rows, int columns, float[] c, int atC, int n) {
    if (columns == 3 * LANES) {
      addThree(tile, rows, c, atC, n);
      return;
    }
    int whole = SPECIES.loopBound(columns);
    for (int i = 0; i < rows; i++) {
      int t = i * stride;
      int r = atC + i * n;
      int j = 0;
      for (; j < whole; j += LANES) {
        FloatVector.fromArray(SPECIES, c, r + j)
            .add(FloatVector.fromArray(SPECIES, tile, t + j))
            .intoArray(c, r + j);
      }
      for (; j < columns; j++) {
        c[r + j] += tile[t + j];
      }
    }
  }
}
