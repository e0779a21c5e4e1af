package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;
import static io.deltarule.host.Lanes.SPECIES;
import static io.deltarule.host.Tiles.roundUp;

import io.deltarule.engine.spi.Operand;
import jdk.incubator.vector.FloatVector;

/**
 * B [k x n], and some of its rows packed: a panel for each column of tiles, row by row; what lies
 * past its last column and row is undefined. Either all columns are packed for all workers, by the
 * chunks of this task, or each worker packs some for itself. Without packing, a tile reads B as it
 * lies.
 */
final class RightPanels extends Workers.Task {

  private final Pieces pieces;
  private final Transpose transpose = Transpose.ofLanes();
  private float[] b; // element (p, j) at at + p stride + j, or transposed
  private int at;
  private int stride;
  private boolean transposed;
  private int n;
  private boolean packed;
  private boolean shared;
  private final int[] starts; // of each worker's panels
  private final int[] lefts; // the first column in them
  private Widths widths;
  private int first; // the rows that are packed
  private int terms;
  private int depth; // of a panel
  private int whole; // columns of the widest panels, the first ones; may exceed n
  private int width; // columns of a chunk; the last one has the narrow panels

  RightPanels(Pieces pieces, int workers) {
    this.pieces = pieces;
    starts = new int[workers];
    lefts = new int[workers];
  }

  void take(Operand<HostBlock> operand, boolean isTransposed) {
    b = operand.block().floats();
    at = (int) operand.offset();
    stride = operand.columns();
    transposed = isTransposed;
    n = transposed ? operand.rows() : operand.columns();
    packed = false;
  }

  void forget() {
    b = null;
  }

  private void choose(Widths panels, int p, int count) {
    packed = true;
    widths = panels;
    first = p;
    terms = count;
    depth = roundUp(terms, LANES);
    whole = widths.whole(n) * widths.columns;
  }

  /**
   * Makes room for all columns of some rows.
   *
   * @param parts into how many chunks to divide them, if there are so many panels
   * @return how many chunks to {@link #run}
   */
  int share(Widths panels, int p, int count, int parts) {
    choose(panels, p, count);
    shared = true;
    width = Math.max(1, (whole / widths.columns + parts - 1) / parts) * widths.columns;
    pieces.reserve(1, (long) roundUp(n, widths.columns) * depth);
    starts[0] = pieces.start(0);
    lefts[0] = 0;
    return (whole + width - 1) / width + (whole < n ? 1 : 0);
  }

  /** Makes room for so many columns of some rows in the piece of each worker. */
  void divide(Widths panels, int p, int count, int workers, int columns) {
    choose(panels, p, count);
    shared = false;
    pieces.reserve(workers, (long) roundUp(columns, widths.columns) * depth);
  }

  /** Packs columns, the first one that of a tile, for one worker. */
  void pack(int worker, int j0, int j1) {
    starts[worker] = pieces.start(worker);
    lefts[worker] = j0;
    int narrow = Math.max(j0, Math.min(j1, whole));
    pack(pieces.floats(worker), starts[worker] - j0 * depth, j0, narrow);
    pack(pieces.floats(worker), starts[worker] - j0 * depth, narrow, j1);
  }

  /** Where a worker finds the panels, or B. */
  float[] floats(int worker) {
    return packed ? pieces.floats(shared ? 0 : worker) : b;
  }

  /** Where for it the rows from p on begin in the columns from j on, the first of a tile. */
  int start(int worker, int p, int j) {
    if (!packed) {
      return at + p * stride + j;
    }
    int of = shared ? 0 : worker;
    return starts[of] + (j - lefts[of]) * depth;
  }

  /** From one row of a tile's columns, so many, to the next. */
  int stride(int columns) {
    return packed ? columns : stride;
  }

  @Override
  void run(int chunk, int worker) {
    int j0 = chunk * width;
    boolean narrow = j0 >= whole;
    int start = narrow ? whole : j0;
    int end = narrow ? n : Math.min(whole, j0 + width);
    pack(pieces.floats(0), starts[0], start, end);
  }

  /** Packs columns of wide panels, or of narrow ones; that of column j is at atTo + j depth. */
  private void pack(float[] to, int atTo, int start, int end) {
    if (transposed) {
      for (int j = start; j < Math.min(n, end); j += LANES) {
        transpose(to, atTo, j);
      }
    } else if (start < end) {
      copy(to, atTo, start, end);
    }
  }

  private void transpose(float[] to, int atTo, int j) {
    int panel = widths.start(j, n);
    int columns = widths.next(n - panel);
    int row = atTo + panel * depth + j - panel;
    int from = at + j * stride + first;
    transpose.run(b, from, stride, n - 1 - j, terms, to, row, columns);
  }

  private void copy(float[] to, int atTo, int j0, int j1) {
    int from = at + first * stride;
    if (j1 <= whole) {
      int row = atTo + j0 * depth;
      copy(b, from + j0, stride, terms, j1 - j0, widths.columns, to, row, depth);
      return;
    }
    for (int j = j0, columns; j < j1; j += columns) {
      columns = widths.next(n - j);
      copy(b, from + j, stride, terms, columns, columns, to, atTo + j * depth, depth);
    }
  }

  /** Row by row, so that memory is read as it lies. */
  private static void copy(
      float[] b,
      int at,
      int stride,
      int rows,
      int count,
      int columns,
      float[] to,
      int atTo,
      int depth) {
    for (int p = 0; p < rows; p++) {
      int from = at + p * stride;
      int end = from + count;
      for (int row = atTo + p * columns; from < end; row += columns * depth, from += columns) {
        for (int j = 0; j < columns; j += LANES) {
          FloatVector.fromArray(SPECIES, b, from + j).intoArray(to, row + j);
        }
      }
    }
  }
}
