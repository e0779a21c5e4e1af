package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;
import static io.deltarule.host.Lanes.SPECIES;

import io.deltarule.engine.spi.Operand;
import jdk.incubator.vector.FloatVector;

/**
 * One product {@code C = A B} with A [m x k], B [k x n], and what follows it element by element.
 *
 * <p>B is packed into panels as wide as a tile, and A into panels as high as one. The smaller of
 * the two is packed first, for all; a chunk packs some of the larger one, multiplies it by all of
 * the other and forgets it. So the larger one, the weights as a rule, passes through the caches
 * once. Packing all of both, stretch by stretch of k, took 7 % more for 256 x 1024 x 1024, B
 * transposed.
 */
abstract class TiledProduct extends Workers.Task {

  /** The most terms that are packed at once, if a stretch has not more: bounds the memory. */
  private static final int TERMS = 800;

  /** Elements that a chunk packs at most: a quarter of a second-level cache. */
  private static final int PIECE = 1 << 17;

  /** For each thread: the last ones to end leave the others little to wait for. */
  private static final int CHUNKS = 4;

  /** A B of so many elements is not worth packing. */
  private static final int SMALL = 1 << 13;

  /** For so few rows of A, either; with 100, packing saves 3 % of a step of 28-300x5-1. */
  private static final int FEW_ROWS = 64;

  /** An A that so many tiles or fewer use beside each other is not worth packing. */
  private static final int FEW_PANELS = 2;

  final Scratch scratch;
  private final Workers workers;
  private final LeftPanels left;
  private final RightPanels right;
  private final PackLeft packLeft = new PackLeft();
  private float[] c;
  private int atC;
  private int m;
  int n;
  private Tiles tiles;
  private int stretch;
  private int first; // the terms that are multiplied, some stretches
  private int terms;
  private boolean last;
  private boolean byRows; // chunks pack A, not B
  private boolean packsLeft;
  private boolean packsRight;
  private int height; // of a chunk
  private int width; // of a chunk, but for the last, which has the narrow tiles, too
  private int columnChunks;
  private int block; // columns that are multiplied by a chunk's rows before the next

  TiledProduct(Workers workers, Scratch scratch) {
    this.workers = workers;
    this.scratch = scratch;
    left = new LeftPanels(scratch, workers.threads());
    right = new RightPanels(scratch, workers.threads());
  }

  /** Computes C; the operands are taken as transposed where it says so. */
  final void multiply(
      Operand<HostBlock> a,
      boolean transposedA,
      Operand<HostBlock> b,
      boolean transposedB,
      Operand<HostBlock> result) {
    left.take(a, transposedA);
    right.take(b, transposedB);
    c = result.block().floats();
    atC = (int) result.offset();
    m = left.m();
    n = right.n();
    int k = left.k();
    tiles = Tiles.of(m, n);
    stretch = Kernels.stretch(k);
    packsLeft = transposedA || n > FEW_PANELS * tiles.columns;
    packsRight = transposedB || (m > FEW_ROWS && (long) k * n > SMALL);
    byRows = m >= n;
    int most = Math.max(1, TERMS / stretch) * stretch; // terms at once
    boolean shared = (long) m * n * Math.max(1, k) >= Kernels.WORTH_SHARING;
    int threads = shared ? workers.threads() : 1;
    int parts = threads == 1 ? 1 : CHUNKS * threads;
    int chunks = split(Math.min(most, Math.max(1, k)), parts);
    scratch.reserveRows(workers.threads(), n);
    for (first = 0; first == 0 || first < k; first += most) {
      terms = Math.min(most, k - first);
      last = first + terms == k;
      if (packsRight && byRows) {
        workers.run(right, shared, right.share(tiles, first, terms, parts));
      } else if (packsRight) {
        int widest = Math.max(width, n - (columnChunks - 1) * width);
        right.divide(tiles, first, terms, workers.threads(), widest);
      }
      if (packsLeft && !byRows) {
        workers.run(packLeft, shared, left.share(tiles.rows, first, terms, parts));
      } else if (packsLeft) {
        left.divide(tiles.rows, first, terms, workers.threads(), height);
      }
      workers.run(this, shared, chunks);
    }
    left.forget();
    right.forget();
    c = null;
  }

  /**
   * Cuts C into chunks: the operand that they pack into pieces that fit the cache, and a few for
   * each thread; the other one as well if that gives too few.
   *
   * @return how many
   */
  private int split(int depth, int parts) {
    int high = Math.max(1, (m + tiles.rows - 1) / tiles.rows);
    int wide = Math.max(1, tiles.whole(n));
    int fitHigh = Math.max(1, PIECE / (tiles.rows * depth));
    int fitWide = Math.max(1, PIECE / (tiles.columns * depth));
    int rowChunks;
    if (byRows) {
      rowChunks = chunks(high, fitHigh, parts);
      columnChunks = chunks(wide, wide, (parts + rowChunks - 1) / rowChunks);
    } else {
      columnChunks = chunks(wide, fitWide, parts);
      rowChunks = chunks(high, high, (parts + columnChunks - 1) / columnChunks);
    }
    int each = (high + rowChunks - 1) / rowChunks;
    height = each * tiles.rows;
    rowChunks = (high + each - 1) / each;
    each = (wide + columnChunks - 1) / columnChunks;
    width = each * tiles.columns;
    columnChunks = (wide + each - 1) / each;
    block = wide > 2 * fitWide ? fitWide * tiles.columns : n;
    return rowChunks * columnChunks;
  }

  /** Into how many to cut so many tiles: none has more than fit, and all parts have some. */
  private static int chunks(int count, int fit, int parts) {
    return Math.min(count, Math.max((count + fit - 1) / fit, parts));
  }

  /**
   * Is told what has been packed of a transposed A, and is in the cache: {@code count} of its rows
   * from p on, in the columns from i0 up to i1.
   */
  void packed(int i0, int i1, int p, int count) {
    // Nothing to do with them.
  }

  /** Does what follows the sums: rows from i on, columns from j on. */
  abstract void end(int i, int rows, int j, int columns, int worker);

  private final class PackLeft extends Workers.Task {
    @Override
    void run(int chunk, int worker) {
      left.pack(chunk);
      if (left.transposed()) {
        packed(left.start(chunk), left.end(chunk), first, terms);
      }
    }
  }

  @Override
  final void run(int chunk, int worker) {
    int column = chunk % columnChunks;
    int i0 = chunk / columnChunks * height;
    int i1 = Math.min(m, i0 + height);
    int j0 = column * width;
    int j1 = column == columnChunks - 1 ? n : j0 + width;
    if (packsLeft && byRows) {
      left.pack(worker, i0, i1);
      if (left.transposed() && column == 0) {
        packed(i0, i1, first, terms);
      }
    } else if (packsRight && !byRows) {
      right.pack(worker, j0, j1);
    }
    for (int j = j0; j < j1; j += block) {
      rows(i0, i1, j, j1 - j < 2 * block ? j1 : j + block, worker);
      if (j1 - j < 2 * block) {
        return;
      }
    }
  }

  private void rows(int i0, int i1, int j0, int j1, int worker) {
    // A lone tile may store more than a row of C: the next row of tiles overwrites it.
    int end = n <= tiles.next(n).columns ? i1 * n : 0;
    for (int i = i0; i < i1; i += tiles.rows) {
      int rows = Math.min(tiles.rows, i1 - i);
      for (int j = j0; j < j1; ) {
        Tile tile = tiles.next(n - j);
        tile(tile, i, rows, j, Math.min(tile.columns, n - j), end, worker);
        j += tile.columns;
      }
      if (last) {
        end(i, rows, j0, j1 - j0, worker);
      }
    }
  }

  /**
   * Multiplies a tile, stretch by stretch.
   *
   * @param end where the results end that are overwritten later, so that the tile may be stored
   *     with what lies past the ends of its rows; 0 if there are none
   */
  private void tile(Tile tile, int i, int rows, int j, int columns, int end, int worker) {
    float[] b = right.floats(worker);
    int strideB = right.stride(tile);
    boolean fits = columns == tile.columns || (i + rows - 1) * n + tile.columns <= end;
    int at = atC + i * n + j;
    int p = first;
    do {
      int count = Math.min(stretch, first + terms - p);
      int atB = right.start(worker, p, j, tile);
      if (p == 0 && rows == tile.rows && fits) {
        left.multiply(worker, tile, i, rows, p, count, b, atB, strideB, c, at, n);
      } else {
        float[] edge = scratch.tile(worker);
        left.multiply(worker, tile, i, rows, p, count, b, atB, strideB, edge, 0, tile.columns);
        if (p == 0) {
          store(edge, tile.columns, rows, columns, c, at, n);
        } else {
          add(edge, tile.columns, rows, columns, c, at, n);
        }
      }
      p += stretch;
    } while (p < first + terms);
  }

  private static void store(
      float[] tile, int stride, int rows, int columns, float[] c, int atC, int n) {
    for (int i = 0; i < rows; i++) {
      System.arraycopy(tile, i * stride, c, atC + i * n, columns);
    }
  }

  private static void add(
      float[] tile, int stride, int rows, int columns, float[] c, int atC, int n) {
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
