package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;
import static io.deltarule.host.Lanes.SPECIES;
import static io.deltarule.host.Tiles.roundUp;

import io.deltarule.engine.spi.Operand;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;

/**
 * A [m x k] as lists: for each pair of rows the terms in which not both are zero, and their
 * elements of A. The terms are cut into blocks, so that the rows of B that a block needs stay in
 * the first-level cache for all pairs. As a task, it makes the lists of some rows, in chunks.
 */
final class LeftLists extends Workers.Task {

  /** The most terms of a block: of B that is 32 KiB with 512 bits, 16 KiB with 256. */
  private static final int BLOCK = LANES == 16 ? 64 : 128;

  /**
   * The most rows of a chunk: a transposed A is read in pieces of its rows, which are long then.
   */
  private static final int MOST_ROWS = 256;

  /** To guess how many terms are left: of so many times a pair of rows and a group of terms. */
  private static final int SAMPLES = 64;

  /** Whether the JIT compiler has masks as numbers; on JDK 17, a loop takes half of the time. */
  static final boolean FAST_MASKS = Runtime.version().feature() >= 21;

  /** Terms that are looked at together. */
  private static final int GROUP = Math.min(8, LANES);

  /** For each mask of a group, what brings those that it has to the front. */
  private static final VectorShuffle<Float>[] TO_FRONT = toFront();

  /** Likewise which those are, {@link #GROUP} numbers for each mask. */
  private static final int[] PLACES = places();

  private final Transpose transpose = Transpose.ofLanes();
  private final float[][] turned; // for each worker: some rows of a transposed A
  private final int[][] allTerms; // likewise for a list with all terms
  private final float[][][] allElements;
  private float[] a; // element (i, p) at at + i stride + p, or transposed
  private int at;
  private int stride;
  private boolean transposed;
  private int m;
  private int k;
  private int top; // the rows with lists
  private int bottom;
  private int first; // their terms
  private int terms;
  private int pairs;
  private int blocks;
  private int depth; // terms of a block, but for the last
  private int room; // of a list
  private int together; // rows of a chunk
  private int[] list = {}; // the terms of all lists, block by block
  private float[] upper = {}; // their elements in the first row of the pair
  private float[] lower = {}; // and in the second
  private int[] ends = {}; // of each list

  LeftLists(int workers) {
    turned = new float[workers][0];
    allTerms = new int[workers][BLOCK];
    allElements = new float[workers][2][BLOCK];
  }

  @SuppressWarnings({"unchecked", "rawtypes"})
  private static VectorShuffle<Float>[] toFront() {
    VectorShuffle<Float>[] all = new VectorShuffle[1 << GROUP];
    for (int mask = 0; mask < all.length; mask++) {
      int[] places = new int[LANES];
      front(mask, places, 0);
      all[mask] = VectorShuffle.fromArray(SPECIES, places, 0);
    }
    return all;
  }

  private static int[] places() {
    int[] all = new int[(1 << GROUP) * GROUP + LANES]; // the last is loaded as a whole vector
    for (int mask = 0; mask < 1 << GROUP; mask++) {
      front(mask, all, mask * GROUP);
    }
    return all;
  }

  /** The numbers of a mask's bits. */
  private static void front(int mask, int[] places, int at) {
    for (int i = 0, count = 0; i < GROUP; i++) {
      if ((mask >> i & 1) == 1) {
        places[at + count++] = i;
      }
    }
  }

  void take(Operand<HostBlock> operand, boolean isTransposed) {
    a = operand.block().floats();
    at = (int) operand.offset();
    stride = operand.columns();
    transposed = isTransposed;
    m = transposed ? operand.columns() : operand.rows();
    k = transposed ? operand.rows() : operand.columns();
  }

  void forget() {
    a = null;
  }

  private float element(int i, int p) {
    return a[at + (transposed ? p * stride + i : i * stride + p)];
  }

  /**
   * What part of the terms lists would have: a guess from samples all over A, which is not small.
   */
  double density() {
    int count = 0;
    for (int sample = 0; sample < SAMPLES; sample++) {
      int i = (int) ((long) (m - 2) * sample / (SAMPLES - 1));
      // Multiples of the golden ratio lie evenly, however many there are.
      int p = (int) (sample * 0x9E3779B9L % 0x100000000L * (k - GROUP) >>> 32);
      for (int q = p; q < p + GROUP; q++) {
        count += element(i, q) != 0 || element(i + 1, q) != 0 ? 1 : 0;
      }
    }
    return (double) count / (SAMPLES * GROUP);
  }

  /**
   * Makes room for the lists of rows and terms.
   *
   * @param parts into how many chunks to divide them, about
   * @return how many chunks to {@link #run}
   */
  int share(int i0, int i1, int p, int count, int parts) {
    top = i0;
    bottom = i1;
    first = p;
    terms = count;
    pairs = (bottom - top + 1) / 2;
    blocks = (terms + BLOCK - 1) / BLOCK;
    depth = roundUp((terms + blocks - 1) / blocks, GROUP);
    room = depth + LANES; // a group is stored as a whole vector
    long length = (long) pairs * blocks * room;
    list = Scratch.grow(list, length);
    upper = Scratch.grow(upper, length);
    lower = Scratch.grow(lower, length);
    ends = Scratch.grow(ends, (long) pairs * blocks);
    for (int worker = 0; transposed && worker < turned.length; worker++) {
      turned[worker] = Scratch.grow(turned[worker], (long) (MOST_ROWS + LANES) * room);
    }
    int even = (bottom - top + parts - 1) / parts;
    together = Math.max(LANES, Math.min(MOST_ROWS, roundUp(even, LANES))); // as they are transposed
    return (bottom - top + together - 1) / together;
  }

  /** Makes the lists of a chunk. */
  @Override
  void run(int chunk, int worker) {
    int i0 = top + chunk * together;
    int i1 = Math.min(bottom, i0 + together);
    for (int block = 0, p = 0; block < blocks; block++, p += depth) {
      int count = Math.min(depth, terms - p);
      if (transposed) {
        float[] rows = turned[worker];
        for (int q = 0; q < count; q += LANES) {
          int from = at + (first + p + q) * stride + i0;
          transpose.run(a, from, stride, k - 1 - first - p - q, i1 - i0, rows, q, room);
        }
        collect(block, i0, i1, rows, 0, room, p, count);
      } else {
        collect(block, i0, i1, a, at + i0 * stride + first + p, stride, p, count);
      }
    }
  }

  private void collect(
      int block, int i0, int i1, float[] rows, int from, int next, int p, int count) {
    int number = block * pairs + (i0 - top) / 2;
    for (int i = i0, row = from; i < i1; i += 2, row += 2 * next, number++) {
      int second = i + 1 < i1 ? row + next : row;
      ends[number] = collect(rows, row, second, p, count, list, upper, lower, number * room);
    }
  }

  /** Appends the terms of a pair to a list, and returns its end. */
  private static int collect(
      float[] a,
      int first,
      int second,
      int p,
      int count,
      int[] list,
      float[] upper,
      float[] lower,
      int end) {
    int n = end;
    int q = 0;
    for (; q <= count - GROUP && FAST_MASKS; q += GROUP) {
      FloatVector x = FloatVector.fromArray(SPECIES, a, first + q);
      FloatVector y = FloatVector.fromArray(SPECIES, a, second + q);
      long kept = x.compare(VectorOperators.NE, 0f).or(y.compare(VectorOperators.NE, 0f)).toLong();
      int mask = (int) kept & (1 << GROUP) - 1;
      VectorShuffle<Float> toFront = TO_FRONT[mask];
      x.rearrange(toFront).intoArray(upper, n);
      y.rearrange(toFront).intoArray(lower, n);
      IntVector.fromArray(IntVector.SPECIES_PREFERRED, PLACES, mask * GROUP)
          .add(p + q)
          .intoArray(list, n);
      n += Integer.bitCount(mask);
    }
    for (; q < count; q++) {
      float x = a[first + q];
      float y = a[second + q];
      upper[n] = x;
      lower[n] = y;
      list[n] = p + q;
      // Without a branch, which would be taken by chance: 1 unless all bits but the signs are 0.
      int bits = (Float.floatToRawIntBits(x) | Float.floatToRawIntBits(y)) << 1;
      n += (bits | -bits) >>> 31;
    }
    return n;
  }

  /**
   * Adds the products of some rows, the first one that of a pair, to sums.
   *
   * @param b has the columns of a tile, row by row, from the first term on
   * @param sums has the rows one after the other, each as wide as a tile
   */
  void multiply(SparseTile tile, int i0, int i1, float[] b, int atB, float[] sums, int atSums) {
    for (int block = 0; block < blocks; block++) {
      int number = block * pairs + (i0 - top) / 2;
      int to = atSums;
      for (int i = i0; i < i1; i += 2, number++, to += 2 * tile.columns) {
        tile.multiply(number * room, ends[number], list, upper, lower, b, atB, sums, to);
      }
    }
  }

  /** The same with all terms: those that the lists leave out, too. */
  void multiplyAll(
      SparseTile tile, int i0, int i1, float[] b, int atB, float[] sums, int atSums, int worker) {
    int[] all = allTerms[worker];
    float[] x = allElements[worker][0];
    float[] y = allElements[worker][1];
    for (int p = 0; p < terms; p += BLOCK) {
      int count = Math.min(BLOCK, terms - p);
      int to = atSums;
      for (int i = i0; i < i1; i += 2, to += 2 * tile.columns) {
        int next = Math.min(bottom - 1, i + 1);
        for (int q = 0; q < count; q++) {
          all[q] = p + q;
          x[q] = element(i, first + p + q);
          y[q] = element(next, first + p + q);
        }
        tile.multiply(0, count, all, x, y, b, atB, sums, to);
      }
    }
  }
}
