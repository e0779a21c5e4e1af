package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;
import static io.deltarule.host.Lanes.SPECIES;
import static io.deltarule.host.Tiles.roundUp;

import io.deltarule.engine.spi.Operand;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;

/**
 * A [m x k], and some of its columns packed: a panel for each row of tiles, column by column.
 * Either all rows are packed for all workers, in chunks, or each worker packs some for itself.
 * Without packing, a tile reads A as it lies.
 */
final class LeftPanels {

  /**
   * The most rows that are packed together: a transposed A is read in pieces of its rows, which are
   * long then. With 64 it took half as long again.
   */
  private static final int MOST_ROWS = 256;

  /** Exchanges the halves of a vector. */
  private static final VectorShuffle<Float> SWAP = Lanes.swap(LANES / 2);

  private static final VectorMask<Float> UPPER = Lanes.upper(LANES / 2);

  private final Pieces pieces;
  private final Transpose transpose = Transpose.ofLanes();
  private float[] a; // element (i, p) at at + i stride + p, or transposed
  private int at;
  private int stride;
  private boolean transposed;
  private int m;
  private int k;
  private boolean packed;
  private boolean shared;
  private final int[] starts; // of each worker's panels
  private final int[] tops; // the first row in them
  private int rows; // of a panel
  private int length; // of a panel
  private int first; // the terms that are packed
  private int terms;
  private int together; // panels of a chunk

  LeftPanels(Pieces pieces, int workers) {
    this.pieces = pieces;
    starts = new int[workers];
    tops = new int[workers];
  }

  void take(Operand<HostBlock> operand, boolean isTransposed) {
    a = operand.block().floats();
    at = (int) operand.offset();
    stride = operand.columns();
    transposed = isTransposed;
    m = transposed ? operand.columns() : operand.rows();
    k = transposed ? operand.rows() : operand.columns();
    packed = false;
  }

  void forget() {
    a = null;
  }

  int m() {
    return m;
  }

  int k() {
    return k;
  }

  /** Where a worker finds the panels, or A. */
  float[] floats(int worker) {
    return packed ? pieces.floats(shared ? 0 : worker) : a;
  }

  /** Where for it the terms from p on begin in the rows from i on, the first of a tile. */
  int start(int worker, int i, int p) {
    if (!packed) {
      return transposed ? at + p * stride + i : at + i * stride + p;
    }
    int of = shared ? 0 : worker;
    return starts[of] + (i - tops[of]) / rows * length;
  }

  /** From one column of A to the next, if it is packed or lies transposed; or else of its rows. */
  int stride() {
    return packed ? rows : stride;
  }

  /** Whether A lies transposed. */
  boolean transposed() {
    return transposed;
  }

  private void choose(int height, int p, int count) {
    packed = true;
    rows = height;
    first = p;
    terms = count;
    length = roundUp(terms, LANES) * rows + LANES;
  }

  /**
   * Makes room for all rows of some terms.
   *
   * @param parts into how many chunks to divide them at least, if there are so many panels
   * @return how many chunks to {@link #pack(int)}
   */
  int share(int height, int p, int count, int parts) {
    choose(height, p, count);
    shared = true;
    int high = (m + rows - 1) / rows;
    pieces.reserve(1, (long) high * length);
    starts[0] = pieces.start(0);
    tops[0] = 0;
    together = Math.max(1, Math.min(MOST_ROWS / rows, (high + parts - 1) / parts));
    return (high + together - 1) / together;
  }

  /** Makes room for so many rows of some terms in the piece of each worker. */
  void divide(int height, int p, int count, int workers, int most) {
    choose(height, p, count);
    shared = false;
    pieces.reserve(workers, (long) ((most + rows - 1) / rows) * length);
  }

  /** The first row of a chunk. */
  int start(int chunk) {
    return chunk * together * rows;
  }

  /** The row after its last. */
  int end(int chunk) {
    return Math.min(m, start(chunk + 1));
  }

  void pack(int chunk) {
    pack(pieces.floats(0), starts[0] + chunk * together * length, start(chunk), end(chunk));
  }

  /** Packs rows, the first one that of a tile, for one worker. */
  void pack(int worker, int i0, int i1) {
    starts[worker] = pieces.start(worker);
    tops[worker] = i0;
    int panels = MOST_ROWS / rows;
    int piece = panels * rows;
    for (int i = i0, to = starts[worker]; i < i1; i += piece, to += panels * length) {
      pack(pieces.floats(worker), to, i, Math.min(i1, i + piece));
    }
  }

  private void pack(float[] panels, int to, int i0, int i1) {
    if (transposed) {
      int high = (i1 - i0 + rows - 1) / rows;
      copyPieces(a, at + first * stride + i0, stride, terms, rows, high, panels, to, length);
      return;
    }
    for (int i = i0; i < i1; i += rows, to += length) {
      int from = at + i * stride + first;
      transpose.interleave(a, from, stride, m - 1 - i, terms, rows, panels, to);
    }
  }

  /** Cuts each row into pieces, one for each panel. */
  private static void copyPieces(
      float[] a,
      int at,
      int stride,
      int terms,
      int rows,
      int high,
      float[] to,
      int atTo,
      int length) {
    if (2 * rows == LANES) {
      for (int p = 0; p < terms; p += 2) {
        int from = at + p * stride;
        int next = p + 1 < terms ? from + stride : from;
        copyHalves(a, from, next, high, to, atTo + p * rows, length);
      }
      return;
    }
    for (int p = 0; p < terms; p++) {
      int from = at + p * stride;
      int piece = atTo + p * rows;
      for (int q = 0; q < high; q++, from += rows, piece += length) {
        // What is copied too much is overwritten by the next row's piece.
        for (int i = 0; i < rows; i += LANES) {
          FloatVector.fromArray(SPECIES, a, from + i).intoArray(to, piece + i);
        }
      }
    }
  }

  /** The pieces of two rows, each half a vector, beside each other. */
  private static void copyHalves(
      float[] a, int at, int atNext, int high, float[] to, int atTo, int length) {
    for (int q = 0; q < high; q += 2, at += LANES, atNext += LANES, atTo += 2 * length) {
      FloatVector x = FloatVector.fromArray(SPECIES, a, at);
      FloatVector y = FloatVector.fromArray(SPECIES, a, atNext);
      x.blend(y.rearrange(SWAP), UPPER).intoArray(to, atTo);
      if (q + 1 < high) {
        x.rearrange(SWAP).blend(y, UPPER).intoArray(to, atTo + length);
      }
    }
  }
}
