package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;
import static io.deltarule.host.Lanes.SPECIES;
import static io.deltarule.host.Tiles.roundUp;

import io.deltarule.engine.spi.Operand;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

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
  private final boolean[] finite; // what each worker has packed, if that is checked
  private boolean checks;
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
    finite = new boolean[workers];
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

  private void choose(Widths panels, int p, int count, boolean checksFinite) {
    checks = checksFinite;
    Arrays.fill(finite, true);
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
   * @param checksFinite whether {@link #finite} will be asked
   * @return how many chunks to {@link #run}
   */
  int share(Widths panels, int p, int count, int parts, boolean checksFinite) {
    choose(panels, p, count, checksFinite);
    shared = true;
    width = Math.max(1, (whole / widths.columns + parts - 1) / parts) * widths.columns;
    pieces.reserve(1, (long) roundUp(n, widths.columns) * depth);
    starts[0] = pieces.start(0);
    lefts[0] = 0;
    return (whole + width - 1) / width + (whole < n ? 1 : 0);
  }

  /** Makes room for so many columns of some rows in the piece of each worker. */
  void divide(Widths panels, int p, int count, int workers, int columns, boolean checksFinite) {
    choose(panels, p, count, checksFinite);
    shared = false;
    pieces.reserve(workers, (long) roundUp(columns, widths.columns) * depth);
  }

  /** Packs columns, the first one that of a tile, for one worker. */
  void pack(int worker, int j0, int j1) {
    starts[worker] = pieces.start(worker);
    lefts[worker] = j0;
    finite[worker] = true;
    int narrow = Math.max(j0, Math.min(j1, whole));
    pack(worker, worker, j0, narrow);
    pack(worker, worker, narrow, j1);
  }

  /** Whether no number of what a worker finds packed is infinite or NaN. */
  boolean finite(int worker) {
    boolean all = finite[worker];
    for (int i = 0; shared && i < finite.length; i++) {
      all &= finite[i];
    }
    return all;
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
    pack(0, worker, start, end);
  }

  /**
   * Packs columns of wide panels, or of narrow ones.
   *
   * @param of whose they are
   * @param by who does it
   */
  private void pack(int of, int by, int start, int end) {
    float[] to = pieces.floats(of);
    int atTo = starts[of] - lefts[of] * depth; // the panel of column j is at atTo + j depth
    int last = Math.min(n, end);
    if (transposed) {
      for (int j = start; j < last; j += LANES) {
        transpose(to, atTo, j);
      }
    } else if (start < end) {
      copy(to, atTo, start, end);
    }
    for (int j = start, columns; checks && j < last; j += columns) {
      columns = widths.next(n - j);
      int count = Math.min(columns, last - j);
      finite[by] &= finite(to, atTo + j * depth, terms, columns, count);
    }
  }

  /** Whether no number of a panel's first columns, so many, is infinite or NaN. */
  private static boolean finite(float[] x, int at, int rows, int stride, int columns) {
    if (columns == stride) {
      return allFinite(x, at, rows * columns / (4 * LANES), 4 * LANES, LANES);
    }
    boolean all = true;
    int whole = rows < 4 ? 0 : SPECIES.loopBound(columns);
    for (int j = 0; j < whole; j += LANES) {
      all &= allFinite(x, at + j, rows / 4, 4 * stride, stride);
      all &= allFinite(x, at + j + (rows - 4) * stride, 1, 0, stride);
    }
    int bits = 0; // negative once the exponent of a number is that of infinity and NaN
    for (int p = 0, from = at; p < rows; p++, from += stride) {
      for (int j = whole; j < columns; j++) {
        bits |= (Float.floatToRawIntBits(x[from + j]) & Integer.MAX_VALUE) + (1 << 23);
      }
    }
    return all && bits >= 0;
  }

  /**
   * Likewise of four vectors, {@code apart} from each other, so many times. One loop: with two, C2
   * of JDK 17 makes an object of each vector.
   */
  private static boolean allFinite(float[] x, int at, int times, int step, int apart) {
    FloatVector zero = FloatVector.zero(SPECIES);
    FloatVector s0 = zero;
    FloatVector s1 = zero;
    FloatVector s2 = zero;
    FloatVector s3 = zero;
    for (int i = 0, from = at; i < times; i++, from += step) {
      s0 = FloatVector.fromArray(SPECIES, x, from).fma(zero, s0);
      s1 = FloatVector.fromArray(SPECIES, x, from + apart).fma(zero, s1);
      s2 = FloatVector.fromArray(SPECIES, x, from + 2 * apart).fma(zero, s2);
      s3 = FloatVector.fromArray(SPECIES, x, from + 3 * apart).fma(zero, s3);
    }
    return s0.add(s1).add(s2.add(s3)).reduceLanes(VectorOperators.ADD) == 0;
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
