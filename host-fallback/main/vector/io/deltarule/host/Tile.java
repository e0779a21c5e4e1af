package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;

/**
 * A few rows and columns of {@code C = A B} at a time, in registers:
 *
 * <pre>
 *                  b0  b1  b2     row p of B, a vector each
 *   c0  +=   x0  (            )
 *   c1  +=   x1  (            )   x: column p of A, a number each
 *   ...
 * </pre>
 *
 * The accumulators are local variables that start at zero and are stored once, by code without
 * branches: C2 keeps them in registers only then. Adding to C instead made it spill them. For that
 * reason, too, each tile is written out for each way that A lies, and shares no code with another.
 */
abstract class Tile {
  /** Of the largest tile. */
  static final int MOST_ELEMENTS = 24 * LANES;

  final int rows;
  final int columns;

  Tile(int rows, int vectors) {
    this.rows = rows;
    this.columns = vectors * LANES;
  }

  /**
   * Computes a whole tile of C.
   *
   * @param k terms of the sums
   * @param a has element (i, p) of A at {@code atA + p strideA + i}
   * @param strideA {@link #rows}, unless {@link Tiles#takeColumns} says otherwise
   * @param b has row p of B at {@code atB + p strideB}
   * @param strideB {@link #columns} for tiles of {@link Tiles} that need a packed B
   * @param c gets row i of C at {@code atC + i strideC}
   */
  abstract void multiply(
      int k,
      float[] a,
      int atA,
      int strideA,
      float[] b,
      int atB,
      int strideB,
      float[] c,
      int atC,
      int strideC);

  /**
   * The same with A as it lies: not worth packing for a few columns of C. Tiles for wide results
   * may not have it.
   *
   * @param count rows of A, from 1 to {@link #rows}; those of C after them repeat the last one
   * @param k terms of the sums
   * @param a has element (i, p) of A at {@code atA + i strideA + p}
   * @param b has row p of B at {@code atB + p strideB}
   * @param c gets row i of C at {@code atC + i strideC}, all {@link #rows} of them
   */
  void multiplyRows(
      int count,
      int k,
      float[] a,
      int atA,
      int strideA,
      float[] b,
      int atB,
      int strideB,
      float[] c,
      int atC,
      int strideC) {
    throw new UnsupportedOperationException("this tile takes a packed A only");
  }
}
