package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;
import static io.deltarule.host.Lanes.SPECIES;
import static io.deltarule.host.Tiles.roundUp;

import io.deltarule.engine.spi.Operand;
import java.util.Arrays;
import java.util.function.LongSupplier;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * A {@link TiledProduct} whose left operand has many zeros, as activations and masked errors of
 * ReLU do, dark pixels and one-hot features: those are left out, see {@link LeftLists}. A gradient
 * may leave out those of its right operand instead: then it is computed transposed, {@code C' = B'
 * A'}.
 *
 * <p>The bits are those of the whole sums. Zero times a finite number is a zero, which changes no
 * sum but -0, to 0; the next product that is not zero makes the two the same again. A sum comes to
 * -0 only by underflow. So if one ends as -0, or if B has a number that is not finite, nothing is
 * left out.
 */
final class SparseProduct extends Workers.Task {

  /**
   * Lists pay if no more of the terms than this is left: with three quarters, as of an A of which
   * half is zero, 256 x 1024 x 1024 takes 0.87 to 0.97 of the time, with one third 0.6.
   */
  private static final double MOST = LeftLists.FAST_MASKS ? 0.8 : 0.7;

  /** To turn a gradient, so much fewer terms must be left then: it is stored transposed. */
  private static final double TURNING = 0.9;

  /** With fewer rows, or terms, packing B takes too long a part of the time. */
  private static final int LEAST = 64;

  /** Rows that have lists at the same time. */
  private static final int ROWS = 1024;

  /** Of these, those that are multiplied by a panel of B before it is left. */
  private static final int BAND = 256;

  /** Rows of a chunk, at least. */
  private static final int LEAST_ROWS = 16;

  /** Chunks for each thread, if there are too few panels to give each thread some. */
  private static final int CHUNKS = 4;

  private final Workers workers;
  private final Scratch scratch;
  private final LongSupplier least;
  private final LeftLists lists;
  private final RightPanels right;
  private final Transpose transpose = Transpose.ofLanes();
  private final Sums columnSums = new Sums();
  private TiledProduct product;
  private boolean transposedLeft;
  private boolean turned;
  private float[] c;
  private int atC;
  private int stride; // of C
  private int rows; // of what is computed, C or C'
  private int columns;
  private int k;
  private int top; // the rows with lists
  private int bottom;
  private int first; // the terms that are multiplied, a stretch
  private int terms;
  private boolean divides; // each chunk packs its columns of B
  private int rowChunks;

  SparseProduct(Workers workers, Scratch scratch, LongSupplier least) {
    this.workers = workers;
    this.scratch = scratch;
    this.least = least;
    lists = new LeftLists(workers.threads());
    right = new RightPanels(scratch.right, workers.threads());
  }

  /** Takes a product if it is large enough and leaving out zeros seems to pay. */
  boolean take(
      Operand<HostBlock> a,
      boolean transposedA,
      Operand<HostBlock> b,
      boolean transposedB,
      Operand<HostBlock> result) {
    rows = result.rows();
    columns = result.columns();
    k = transposedA ? a.rows() : a.columns();
    boolean fits = rows >= LEAST && k >= LEAST && Kernels.wide(columns);
    if (!fits || (long) rows * columns * k < least.getAsLong()) {
      return false;
    }
    transposedLeft = transposedA;
    lists.take(a, transposedA);
    double density = lists.density();
    turned = false;
    if (transposedA && Kernels.wide(rows)) {
      lists.take(b, !transposedB);
      double other = lists.density();
      turned = other < TURNING * density;
      density = turned ? other : density;
    }
    if (density > MOST) {
      lists.forget();
      return false;
    }
    if (turned) {
      rows = result.columns();
      columns = result.rows();
      right.take(a, !transposedA);
    } else {
      lists.take(a, transposedA);
      right.take(b, transposedB);
    }
    c = result.block().floats();
    atC = (int) result.offset();
    stride = result.columns();
    return true;
  }

  /** Computes what was taken, and what follows for the product it is of. */
  void multiply(TiledProduct of) {
    product = of;
    boolean shared = (long) rows * columns * k >= Kernels.WORTH_SHARING;
    int threads = shared ? workers.threads() : 1;
    int parts = threads == 1 ? 1 : CHUNKS * threads;
    Widths widths = SparseTile.WIDTHS;
    int panels = (columns + widths.columns - 1) / widths.columns;
    divides = threads == 1 || panels >= 2 * threads;
    int most = (Math.min(rows, ROWS) + LEAST_ROWS - 1) / LEAST_ROWS;
    rowChunks = divides ? 1 : Math.min(most, (parts + panels - 1) / panels);
    scratch.reserveRows(workers.threads(), stride);
    scratch.sums.reserve(workers.threads(), (long) (BAND + LANES) * widths.columns);
    if (transposedLeft) {
      columnSums.parts = Math.min(parts, turned ? columns : rows);
      workers.run(columnSums, shared, columnSums.parts);
    }
    int stretch = Kernels.stretch(k);
    for (top = 0; top < rows; top = bottom) {
      bottom = Math.min(rows, top + ROWS);
      for (first = 0; first < k; first += stretch) {
        terms = Math.min(stretch, k - first);
        workers.run(lists, shared, lists.share(top, bottom, first, terms, parts));
        if (divides) {
          right.divide(widths, first, terms, threads, widths.columns, true);
        } else {
          workers.run(right, shared, right.share(widths, first, terms, parts, true));
        }
        workers.run(this, shared, panels * rowChunks);
      }
    }
    lists.forget();
    right.forget();
    c = null;
    product = null;
  }

  /** What a gradient does with the columns of D. */
  private final class Sums extends Workers.Task {
    private int parts;

    @Override
    void run(int chunk, int worker) {
      int count = turned ? columns : rows;
      int i0 = (int) ((long) count * chunk / parts);
      int i1 = (int) ((long) count * (chunk + 1) / parts);
      product.transposedLeft(i0, i1, 0, k);
    }
  }

  @Override
  void run(int chunk, int worker) {
    int j = chunk / rowChunks * SparseTile.WIDTHS.columns;
    int width = Math.min(SparseTile.WIDTHS.columns, columns - j);
    if (divides) {
      right.pack(worker, j, j + width);
    }
    SparseTile tile = SparseTile.next(columns - j);
    float[] b = right.floats(worker);
    int atB = right.start(worker, first, j);
    boolean finite = right.finite(worker);
    int pairs = (bottom - top + 1) / 2;
    int part = chunk % rowChunks;
    int i0 = top + (int) ((long) pairs * part / rowChunks) * 2;
    int i1 = Math.min(bottom, top + (int) ((long) pairs * (part + 1) / rowChunks) * 2);
    for (int i = i0; i < i1; i += BAND) {
      int end = Math.min(i1, i + BAND);
      band(tile, i, end - i, j, width, b, atB, finite, worker);
    }
  }

  private void band(
      SparseTile tile,
      int i,
      int count,
      int j,
      int width,
      float[] b,
      int atB,
      boolean finite,
      int worker) {
    float[] sums = scratch.sums.floats(worker);
    int at = scratch.sums.start(worker);
    int length = roundUp(count, 2) * tile.columns;
    Arrays.fill(sums, at, at + length, 0f);
    if (finite) {
      lists.multiply(tile, i, i + count, b, atB, sums, at);
    }
    if (!finite || endsNegativeZero(sums, at, length)) {
      Arrays.fill(sums, at, at + length, 0f);
      lists.multiplyAll(tile, i, i + count, b, atB, sums, at, worker);
    }
    if (turned) {
      storeTransposed(sums, at, tile.columns, i, count, j, width);
    } else {
      store(sums, at, tile.columns, i, count, j, width);
    }
    if (first + terms == k && !turned) {
      product.end(i, count, j, width, worker);
    }
  }

  private void store(float[] sums, int at, int line, int i, int count, int j, int width) {
    for (int r = 0; r < count; r++) {
      put(sums, at + r * line, width, atC + (i + r) * stride + j);
    }
  }

  /** Column by column, which are rows of C: a vector of each. */
  private void storeTransposed(float[] sums, int at, int line, int i, int count, int j, int width) {
    for (int r = 0; r < count; r += LANES) {
      int from = at + r * line;
      int to = atC + j * stride + i + r;
      int height = Math.min(LANES, count - r);
      if (first == 0 && height == LANES && width % LANES == 0) {
        transpose.run(sums, from, line, LANES - 1, width, c, to, stride);
        continue;
      }
      int strip = at + BAND * line; // behind the sums
      transpose.run(sums, from, line, height - 1, width, sums, strip, LANES);
      for (int q = 0; q < width; q++) {
        put(sums, strip + q * LANES, height, to + q * stride);
      }
    }
  }

  /** Puts some sums in their place, or adds them to those of earlier stretches. */
  private void put(float[] sums, int at, int count, int to) {
    if (first == 0) {
      System.arraycopy(sums, at, c, to, count);
      return;
    }
    int whole = SPECIES.loopBound(count);
    int q = 0;
    for (; q < whole; q += LANES) {
      FloatVector.fromArray(SPECIES, c, to + q)
          .add(FloatVector.fromArray(SPECIES, sums, at + q))
          .intoArray(c, to + q);
    }
    for (; q < count; q++) {
      c[to + q] += sums[at + q];
    }
  }

  /** Whether one of so many sums, a multiple of four vectors, is -0. */
  private static boolean endsNegativeZero(float[] sums, int at, int count) {
    IntVector least = IntVector.zero(IntVector.SPECIES_PREFERRED);
    IntVector other = least;
    for (int i = at; i < at + count; i += 2 * LANES) {
      least = least.min(FloatVector.fromArray(SPECIES, sums, i).reinterpretAsInts());
      other = other.min(FloatVector.fromArray(SPECIES, sums, i + LANES).reinterpretAsInts());
    }
    return least.min(other).reduceLanes(VectorOperators.MIN) == Integer.MIN_VALUE; // its bits
  }
}
