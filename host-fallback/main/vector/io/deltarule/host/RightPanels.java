package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;
import static io.deltarule.host.Lanes.SPECIES;
import static io.deltarule.host.Tiles.roundUp;

import io.deltarule.engine.spi.Operand;
import jdk.incubator.vector.FloatVector;

/**
 * B [k x n], and a stretch of its rows packed: a panel for each column of tiles, row by row; what
 * lies past its last column and row is undefined. Without packing, a tile reads B as it lies.
 */
final class RightPanels extends Workers.Task {

  private final Scratch scratch;
  private final Transpose transpose = Transpose.ofLanes();
  private float[] b; // element (p, j) at at + p stride + j, or transposed
  private int at;
  private int stride;
  private boolean transposed;
  private int n;
  private Tiles tiles;
  private float[] panels;
  private int atPanels;
  private int first; // the rows that are packed
  private int terms;
  private int depth; // of a panel
  private int whole; // columns of the widest panels, the first ones; may exceed n
  private int width; // columns of a chunk; the last one has the narrow panels

  RightPanels(Scratch scratch) {
    this.scratch = scratch;
  }

  void take(Operand<HostBlock> operand, boolean isTransposed) {
    b = operand.block().floats();
    at = (int) operand.offset();
    stride = operand.columns();
    transposed = isTransposed;
    n = transposed ? operand.rows() : operand.columns();
    panels = null;
  }

  void forget() {
    b = null;
    panels = null;
  }

  int n() {
    return n;
  }

  /**
   * Makes room for some rows.
   *
   * @param parts into how many chunks of columns to divide them, if there are so many panels
   * @return how many chunks to {@link #run}
   */
  int reserve(Tiles widths, int p, int count, int parts) {
    tiles = widths;
    first = p;
    terms = count;
    depth = roundUp(terms, LANES);
    int wide = tiles.whole(n);
    whole = wide * tiles.columns;
    width = Math.max(1, (wide + parts - 1) / parts) * tiles.columns;
    panels = scratch.right((long) roundUp(n, tiles.columns) * depth);
    atPanels = scratch.rightStart();
    return (whole + width - 1) / width + (whole < n ? 1 : 0);
  }

  /** Where the panels are, or B. */
  float[] floats() {
    return panels == null ? b : panels;
  }

  /** Where the stretch from p on begins in the columns from j on, the first of a tile. */
  int start(int p, int j) {
    return panels == null ? at + p * stride + j : atPanels + j * depth;
  }

  /** From one row of a tile's columns to the next. */
  int stride(Tile tile) {
    return panels == null ? stride : tile.columns;
  }

  @Override
  void run(int chunk, int worker) {
    int j0 = chunk * width;
    boolean narrow = j0 >= whole;
    int start = narrow ? whole : j0;
    int end = narrow ? n : Math.min(whole, j0 + width);
    if (transposed) {
      for (int j = start; j < Math.min(n, end); j += LANES) {
        transpose(j);
      }
    } else {
      copy(start, end);
    }
  }

  private void transpose(int j) {
    int panel = panel(j);
    int columns = tiles.next(n - panel).columns;
    int to = atPanels + panel * depth + j - panel;
    int from = at + j * stride + first;
    for (int p = 0; p < terms; p += LANES) {
      transpose.run(b, from + p, stride, n - 1 - j, panels, to + p * columns, columns);
    }
  }

  /** The first column of the panel that has column j. */
  private int panel(int j) {
    if (j < whole) {
      return j - j % tiles.columns;
    }
    int start = whole;
    while (j >= start + tiles.next(n - start).columns) {
      start += tiles.next(n - start).columns;
    }
    return start;
  }

  private void copy(int j0, int j1) {
    int from = at + first * stride;
    if (j1 <= whole) {
      copy(
          b,
          from + j0,
          stride,
          terms,
          j1 - j0,
          tiles.columns,
          panels,
          atPanels + j0 * depth,
          depth);
      return;
    }
    for (int j = j0, columns; j < j1; j += columns) {
      columns = tiles.next(n - j).columns;
      copy(b, from + j, stride, terms, columns, columns, panels, atPanels + j * depth, depth);
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
