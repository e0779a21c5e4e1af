package io.deltarule.host;

/** What the products pack operands into; kept for the next one, whatever its shape. */
final class Scratch {
  private float[] left = new float[0];
  private float[] right = new float[0];
  private final CacheLines leftLines = new CacheLines();
  private final CacheLines rightLines = new CacheLines();
  private final float[][] tiles;
  private final float[][][] rows; // two for each worker

  Scratch(int workers) {
    tiles = new float[workers][Tile.MOST_ELEMENTS];
    rows = new float[workers][2][0];
  }

  /** For packed rows of A, shared by all workers; they begin at {@link #leftStart}. */
  float[] left(long length) {
    left = grow(left, CacheLines.ELEMENTS + length);
    return left;
  }

  int leftStart() {
    return leftLines.start(left);
  }

  /** For a packed stretch of B, shared by all workers; it begins at {@link #rightStart}. */
  float[] right(long length) {
    right = grow(right, CacheLines.ELEMENTS + length);
    return right;
  }

  int rightStart() {
    return rightLines.start(right);
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

  /** Makes room for each worker, as any of them may have its first chunk at any later call. */
  void reserve(int workers, int rowLength) {
    for (int i = 0; i < workers; i++) {
      rows[i][0] = grow(rows[i][0], rowLength);
      rows[i][1] = grow(rows[i][1], rowLength);
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
