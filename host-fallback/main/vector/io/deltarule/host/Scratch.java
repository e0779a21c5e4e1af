package io.deltarule.host;

/**
 * What the products pack operands into, a piece for each worker or one for all; kept for the next
 * product, whatever its shape.
 */
final class Scratch {
  private final float[][] left;
  private final float[][] right;
  private final CacheLines[] leftLines;
  private final CacheLines[] rightLines;
  private final float[][] tiles;
  private final float[][][] rows; // two for each worker

  Scratch(int workers) {
    left = new float[workers][0];
    right = new float[workers][0];
    leftLines = new CacheLines[workers];
    rightLines = new CacheLines[workers];
    for (int i = 0; i < workers; i++) {
      leftLines[i] = new CacheLines();
      rightLines[i] = new CacheLines();
    }
    tiles = new float[workers][Tile.MOST_ELEMENTS];
    rows = new float[workers][2][0];
  }

  /** Makes room for packed rows of A in the pieces of the first workers, so many. */
  void reserveLeft(int workers, long length) {
    reserve(left, workers, CacheLines.ELEMENTS + length);
  }

  /** Of a worker; packed rows begin at {@link #leftStart}. */
  float[] left(int worker) {
    return left[worker];
  }

  int leftStart(int worker) {
    return leftLines[worker].start(left[worker]);
  }

  /** Makes room for packed columns of B in the pieces of the first workers, so many. */
  void reserveRight(int workers, long length) {
    reserve(right, workers, CacheLines.ELEMENTS + length);
  }

  /** Of a worker; packed columns begin at {@link #rightStart}. */
  float[] right(int worker) {
    return right[worker];
  }

  int rightStart(int worker) {
    return rightLines[worker].start(right[worker]);
  }

  /** For a tile at the edge. */
  float[] tile(int worker) {
    return tiles[worker];
  }

  /** For a row of C. */
  float[] row(int worker) {
    return rows[worker][0];
  }

  /** For what belongs to it. */
  float[] mask(int worker) {
    return rows[worker][1];
  }

  /** Makes room for rows, for each worker: any may have its first chunk at any later call. */
  void reserveRows(int workers, int rowLength) {
    for (int i = 0; i < workers; i++) {
      rows[i][0] = grow(rows[i][0], rowLength);
      rows[i][1] = grow(rows[i][1], rowLength);
    }
  }

  private static void reserve(float[][] pieces, int workers, long length) {
    for (int i = 0; i < workers; i++) {
      pieces[i] = grow(pieces[i], length);
    }
  }

  private static float[] grow(float[] array, long length) {
    if (array.length >= length) {
      return array;
    }
    try {
      return new float[HostBlock.length(length)];
    } catch (OutOfMemoryError e) {
      throw HostBlock.full(e);
    }
  }
}
