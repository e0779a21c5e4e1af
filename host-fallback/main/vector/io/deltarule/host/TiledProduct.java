package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;
import static io.deltarule.host.Lanes.SPECIES;
import static io.deltarule.host.Tiles.roundUp;

import io.deltarule.engine.spi.Operand;
import jdk.incubator.vector.FloatVector;

/**
 * One product {@code C = A B} with A [m x k], B [k x n], and what follows it element by element.
 *
 * <p>For each stretch of k, B is packed into panels as wide as a tile, and A into panels as high as
 * one. A chunk is some rows of a block of C's columns: the block's panels of B stay in the
 * second-level cache while those of A pass by.
 */
abstract class TiledProduct extends Workers.Task {

  /** Elements of a block: half of a second-level cache. A quarter costs 5 % at 2048 cubed. */
  private static final int BLOCK = 1 << 17;

  /** Rows of A that are packed at once: bounds the memory. */
  private static final int SLAB = 1024;

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
  int n;
  private Tiles tiles;
  private int first; // the stretch
  private int terms;
  private boolean last;
  private int top; // the slab
  private int bottom;
  private int height; // of a chunk
  private int width; // of a chunk, but for the last, which has the narrow tiles, too
  private int columnBlocks;
  private boolean byRows; // neighbouring chunks share rows, not columns

  TiledProduct(Workers workers, Scratch scratch) {
    this.workers = workers;
    this.scratch = scratch;
    left = new LeftPanels(scratch);
    right = new RightPanels(scratch);
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
    int m = left.m();
    int k = left.k();
    n = right.n();
    tiles = Tiles.of(m, n);
    boolean shared = (long) m * n * Math.max(1, k) >= Kernels.WORTH_SHARING;
    int stretch = Kernels.stretch(k);
    boolean packsLeft = transposedA || n > FEW_PANELS * tiles.columns;
    boolean packsRight = transposedB || (m > FEW_ROWS && (long) k * n > SMALL);
    int slabs = Math.max(1, (m + SLAB - 1) / SLAB);
    int slab = roundUp((m + slabs - 1) / slabs, tiles.rows);
    int threads = shared ? workers.threads() : 1;
    int parts = threads == 1 ? 1 : CHUNKS * threads;
    split(stretch, slab / tiles.rows, threads, parts);
    scratch.reserve(workers.threads(), n);
    for (first = 0; first == 0 || first < k; first += stretch) {
      terms = Math.min(stretch, k - first);
      last = first + terms == k;
      if (packsRight) {
        workers.run(right, shared, right.reserve(tiles, first, terms, parts));
      }
      for (top = 0; top < m; top = bottom) {
        bottom = Math.min(m, top + slab);
        if (packsLeft) {
          int chunks = left.reserve(tiles.rows, top, bottom, first, terms, parts);
          workers.run(packLeft, shared, chunks);
        }
        workers.run(this, shared, (bottom - top + height - 1) / height * columnBlocks);
      }
    }
    left.forget();
    right.forget();
    c = null;
  }

  /**
   * Cuts C into blocks of columns whose panels of B fit the cache, and these by rows into a few
   * chunks for each thread. Threads share columns, so that each reads what it has packed itself of
   * B; or rows, if A is what they pack: the rows of a gradient.
   */
  private void split(int stretch, int high, int threads, int chunks) {
    int whole = Math.max(1, tiles.whole(n));
    int wide = Math.max(1, BLOCK / (tiles.columns * stretch));
    byRows = left.transposed() && high >= chunks;
    int blocks = Math.max((whole + wide - 1) / wide, byRows ? 1 : threads);
    blocks = Math.max(blocks, (chunks + high - 1) / Math.max(1, high));
    wide = (whole + blocks - 1) / blocks;
    width = wide * tiles.columns;
    columnBlocks = (whole + wide - 1) / wide;
    int rowBlocks = Math.max(1, Math.min(high, (chunks + columnBlocks - 1) / columnBlocks));
    height = Math.max(1, (high + rowBlocks - 1) / rowBlocks) * tiles.rows;
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
    int rowBlocks = (bottom - top + height - 1) / height;
    int block = byRows ? chunk % columnBlocks : chunk / rowBlocks;
    int i0 = top + (byRows ? chunk / columnBlocks : chunk % rowBlocks) * height;
    int i1 = Math.min(bottom, i0 + height);
    int j0 = block * width;
    int j1 = block == columnBlocks - 1 ? n : j0 + width;
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
   * Multiplies a tile.
   *
   * @param end where the results end that are overwritten later, so that the tile may be stored
   *     with what lies past the ends of its rows; 0 if there are none
   */
  private void tile(Tile tile, int i, int rows, int j, int columns, int end, int worker) {
    float[] b = right.floats();
    int atB = right.start(first, j);
    int strideB = right.stride(tile);
    boolean fits = columns == tile.columns || (i + rows - 1) * n + tile.columns <= end;
    int at = atC + i * n + j;
    if (first == 0 && rows == tile.rows && fits) {
      left.multiply(tile, i, rows, first, terms, b, atB, strideB, c, at, n);
      return;
    }
    float[] edge = scratch.tile(worker);
    left.multiply(tile, i, rows, first, terms, b, atB, strideB, edge, 0, tile.columns);
    if (first == 0) {
      store(edge, tile.columns, rows, columns, c, at, n);
    } else {
      add(edge, tile.columns, rows, columns, c, at, n);
    }
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
