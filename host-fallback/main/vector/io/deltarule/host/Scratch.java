package io.deltarule.host;

/** What the products need beside their operands; kept for the next one, whatever its shape. */
final class Scratch {

  /** For packed rows of A. */
  final Pieces left;

  /** For packed columns of B. */
  final Pieces right;

  /** For a sparse product's sums. */
  final Pieces sums;

  private final float[][] tiles;
  private final float[][][] rows; // two for each worker

  Scratch(int workers) {
    left = new Pieces(workers);
    right = new Pieces(workers);
    sums = new Pieces(workers);
    tiles = new float[workers][Tile.MOST_ELEMENTS];
    rows = new float[workers][2][0];
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

  static float[] grow(float[] array, long length) {
    if (array.length >= length) {
      return array;
    }
    try {
      return new float[HostBlock.length(length)];
    } catch (OutOfMemoryError e) {
      throw HostBlock.full(e);
    }
  }

  static int[] grow(int[] array, long length) {
    if (array.length >= length) {
      return array;
    }
    try {
      return new int[HostBlock.length(length)];
    } catch (OutOfMemoryError e) {
      throw HostBlock.full(e);
    }
  }
}
