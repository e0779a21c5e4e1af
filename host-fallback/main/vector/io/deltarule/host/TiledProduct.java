package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;
import static io.deltarule.host.Lanes.SPECIES;

import io.deltarule.engine.spi.Operand;
import jdk.incubator.vector.FloatVector;

/**
 * One product {@code C = A B} with A [m x k], B [k x n], and what follows it element by element.
 *
 * <p>A chunk is a block of C's columns, and of its rows where there are too few columns for all
 * threads. For each stretch of k, the block's part of B is packed into panels as wide as a tile,
 * which stay in the second-level cache while the tiles' rows of A pass by.
 */
abstract class TiledProduct extends Workers.Task {

  /** Columns of a block. */
  private static final int BLOCK = 256;

  /** Rows of A that are packed at once: bounds the memory. */
  private static final int SLAB = 960;

  /** A B of so many elements is not worth packing, and one for so few rows of A. */
  private static final int SMALL = 1 << 13;

  private static final int FEW_ROWS = 16;

  /** An A that so many tiles or fewer use beside each other is not worth packing. */
  private static final int FEW_PANELS = 2;

  /** Multiply-adds that are worth another thread. */
  private static final long WORTH_SHARING = 1 << 20;

  final Workers workers;
  final Scratch scratch;
  private final PackLeft packLeft = new PackLeft();
  private final Transpose transpose = Transpose.ofLanes();
  private float[] a; // element (i, p) at atA + i strideA + p, or transposed
  private int atA;
  private int strideA;
  private boolean transposedA;
  private float[] b; // element (p, j) at atB + p strideB + j, or transposed
  private int atB;
  private int strideB;
  private boolean transposedB;
  private float[] c;
  private int atC;
  int m;
  int n;
  int k;
  private Tile tile;
  private float[] left; // the packed slab of A, a panel for each row of tiles
  private int panel; // its length
  private boolean packsLeft;
  private boolean packsRight;
  private int stretch;
  private int top;
  private int bottom;
  private int height;
  private int width;
  private int columnBlocks;

  TiledProduct(Workers workers, Scratch scratch) {
    this.workers = workers;
    this.scratch = scratch;
  }

  final void left(Operand<HostBlock> operand, boolean transposed) {
    a = operand.block().floats();
    atA = (int) operand.offset();
    m = transposed ? operand.columns() : operand.rows();
    k = transposed ? operand.rows() : operand.columns();
    strideA = operand.columns();
    transposedA = transposed;
  }

  final void right(Operand<HostBlock> operand, boolean transposed) {
    b = operand.block().floats();
    atB = (int) operand.offset();
    strideB = operand.columns();
    n = transposed ? operand.rows() : operand.columns();
    transposedB = transposed;
  }

  final void multiply(Operand<HostBlock> result) {
    c = result.block().floats();
    atC = (int) result.offset();
    tile = Tiles.of(m, n);
    boolean shared = (long) m * n * Math.max(1, k) >= WORTH_SHARING;
    int shares = shared ? workers.threads() : 1;
    stretch = Products.stretch(k);
    int panels = (n + tile.columns - 1) / tile.columns;
    int wide = Math.max(1, BLOCK / tile.columns);
    if (shares > 1) {
      wide = Math.max(1, Math.min(wide, panels / (2 * shares)));
    }
    width = wide * tile.columns;
    columnBlocks = Math.max(1, (panels + wide - 1) / wide);
    packsLeft = transposedA || n > FEW_PANELS * tile.columns;
    panel = roundUp(k, LANES) * tile.rows + LANES;
    packsRight = transposedB || (m > FEW_ROWS && (long) k * n > SMALL);
    scratch.reserve(
        workers.threads(), packsRight ? (long) width * roundUp(stretch, LANES) : 0, rowScratch());
    for (top = 0; top < m; top = bottom) {
      bottom = Math.min(m, top + SLAB);
      int tiles = (bottom - top + tile.rows - 1) / tile.rows;
      if (packsLeft) {
        left = scratch.left((long) tiles * panel);
        share(packLeft, shares, (tiles + PackLeft.TILES - 1) / PackLeft.TILES);
      }
      int rowBlocks =
          shares == 1 ? 1 : Math.min(tiles, (2 * shares + columnBlocks - 1) / columnBlocks);
      height = (tiles + rowBlocks - 1) / rowBlocks * tile.rows;
      int chunks = (bottom - top + height - 1) / height * columnBlocks;
      share(this, shares, chunks);
    }
    a = null;
    b = null;
    c = null;
  }

  /** How long {@link Scratch#row} must be. */
  abstract int rowScratch();

  /** Does what follows the sums: rows from i on, columns from j on. */
  abstract void end(int i, int rows, int j, int columns, int worker);

  private void share(Workers.Task task, int shares, int chunks) {
    if (shares > 1) {
      workers.run(task, chunks);
    } else {
      for (int chunk = 0; chunk < chunks; chunk++) {
        task.run(chunk, 0);
      }
    }
  }

  static int roundUp(int number, int to) {
    return (number + to - 1) / to * to;
  }

  @Override
  final void run(int chunk, int worker) {
    int i0 = top + chunk / columnBlocks * height;
    int i1 = Math.min(bottom, i0 + height);
    int j0 = chunk % columnBlocks * width;
    int j1 = Math.min(n, j0 + width);
    int p = 0;
    do {
      int terms = Math.min(stretch, k - p);
      if (packsRight) {
        pack(p, terms, j0, j1, scratch.right(worker));
      }
      for (int i = i0; i < i1; i += tile.rows) {
        int rows = Math.min(tile.rows, i1 - i);
        row(
            i,
            rows,
            p,
            terms,
            j0,
            j1,
            columnBlocks == 1 && j1 - j0 <= tile.columns ? i1 * n : 0,
            worker);
        if (p + terms >= k) {
          end(i, rows, j0, j1 - j0, worker);
        }
      }
      p += stretch;
    } while (p < k);
  }

  /**
   * Multiplies a row of tiles.
   *
   * @param whole where the results end that are overwritten later, so that a tile may be stored
   *     with what lies past the ends of its rows; 0 if there are none
   */
  private void row(int i, int rows, int p, int terms, int j0, int j1, int whole, int worker) {
    int atLeft = packsLeft ? (i - top) / tile.rows * panel + p * tile.rows : atA + i * strideA + p;
    float[] right = packsRight ? scratch.right(worker) : b;
    int strideRight = packsRight ? tile.columns : strideB;
    int step = packsRight ? tile.columns * roundUp(terms, LANES) : tile.columns;
    int atRight = packsRight ? 0 : atB + p * strideB + j0;
    int at = atC + i * n + j0;
    for (int j = j0; j < j1; j += tile.columns, atRight += step, at += tile.columns) {
      int columns = Math.min(tile.columns, j1 - j);
      boolean fits = columns == tile.columns || (i + rows - 1) * n + tile.columns <= whole;
      if (p == 0 && rows == tile.rows && fits) {
        tile(rows, terms, atLeft, right, atRight, strideRight, c, at, n);
      } else {
        float[] edge = scratch.tile(worker);
        tile(rows, terms, atLeft, right, atRight, strideRight, edge, 0, tile.columns);
        if (p == 0) {
          store(edge, tile.columns, rows, columns, c, at, n);
        } else {
          add(edge, tile.columns, rows, columns, c, at, n);
        }
      }
    }
  }

  private void tile(
      int rows,
      int terms,
      int atLeft,
      float[] right,
      int atRight,
      int strideRight,
      float[] to,
      int at,
      int stride) {
    if (packsLeft) {
      tile.multiply(terms, left, atLeft, right, atRight, strideRight, to, at, stride);
    } else {
      tile.multiplyRows(
          rows, terms, a, atLeft, strideA, right, atRight, strideRight, to, at, stride);
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

  /** Packs some rows of B into panels as wide as a tile; what lies past the last is undefined. */
  private void pack(int p, int terms, int j0, int j1, float[] to) {
    int columns = tile.columns;
    int step = columns * roundUp(terms, LANES);
    for (int j = j0, at = 0; j < j1; j += columns, at += step) {
      if (transposedB) {
        for (int column = 0; column < columns; column += LANES) {
          int first = Math.min(j + column, n - 1);
          int from = atB + first * strideB + p;
          for (int q = 0; q < terms; q += LANES) {
            transpose.run(
                b, from + q, strideB, n - 1 - first, to, at + q * columns + column, columns);
          }
        }
      } else {
        copy(b, atB + p * strideB + j, strideB, terms, columns, to, at);
      }
    }
  }

  private static void copy(
      float[] b, int at, int stride, int rows, int columns, float[] to, int atTo) {
    for (int p = 0; p < rows; p++) {
      for (int j = 0; j < columns; j += LANES) {
        FloatVector.fromArray(SPECIES, b, at + p * stride + j)
            .intoArray(to, atTo + p * columns + j);
      }
    }
  }

  /** Packs rows of A, for each tile column by column. */
  private final class PackLeft extends Workers.Task {
    private static final int TILES = 8;

    @Override
    void run(int chunk, int worker) {
      int i1 = Math.min(bottom, top + (chunk + 1) * TILES * tile.rows);
      for (int i = top + chunk * TILES * tile.rows; i < i1; i += tile.rows) {
        int at = (i - top) / tile.rows * panel;
        if (transposedA) {
          copyPieces(a, atA + i, strideA, k, tile.rows, left, at);
        } else {
          for (int r = 0; r < tile.rows; r += LANES) {
            int first = Math.min(i + r, bottom - 1);
            int from = atA + first * strideA;
            for (int p = 0; p < k; p += LANES) {
              int to = at + p * tile.rows + r;
              transpose.run(a, from + p, strideA, bottom - 1 - first, left, to, tile.rows);
            }
          }
        }
      }
    }
  }

  /** Copies a piece of each row; what is copied too much is overwritten by the next row. */
  private static void copyPieces(
      float[] a, int at, int stride, int rows, int length, float[] to, int atTo) {
    for (int j = 0; j < length; j += LANES) {
      for (int p = 0; p < rows; p++) {
        FloatVector.fromArray(SPECIES, a, at + p * stride + j).intoArray(to, atTo + p * length + j);
      }
    }
  }
}
