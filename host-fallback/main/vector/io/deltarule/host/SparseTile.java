package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;

/**
 * Two rows of {@code C = A B} at a time, in registers, by the terms in which not both rows of A are
 * zero:
 *
 * <pre>
 *                  b0  b1  b2 ..     row p of B for the next p of a list, a vector each
 *   c0  +=   x0  (               )
 *   c1  +=   x1  (               )   x: a number each
 * </pre>
 *
 * With half of A zero, three quarters of the terms are left. By single rows it is half of them, but
 * then each multiply-add loads a vector of its own: 0.8 to 0.9 of the speed of pairs. Of three
 * rows, seven eighths are left (0.93).
 */
abstract class SparseTile {
  /** For 32 registers, or for 16. */
  private static final SparseTile[] ALL =
      LANES == 16
          ? new SparseTile[] {new SparseTile4(), new SparseTile8()}
          : new SparseTile[] {new SparseTile4()};

  static final Widths WIDTHS = LANES == 16 ? new Widths(4, 4, 4, 4, 8) : new Widths(4);

  final int columns;

  SparseTile(int vectors) {
    columns = vectors * LANES;
  }

  /** The tile for the next of so many columns. */
  static SparseTile next(int left) {
    return ALL[WIDTHS.next(left) == WIDTHS.columns ? ALL.length - 1 : 0];
  }

  /**
   * Adds some terms to two rows of C.
   *
   * @param from where they begin in the three lists
   * @param to where they end
   * @param terms p of each
   * @param first element (0, p) of A, for each
   * @param second element (1, p)
   * @param b has row p of B at {@code atB + p columns}
   * @param c has two rows of {@link #columns}, one after the other, from {@code atC} on
   */
  abstract void multiply(
      int from,
      int to,
      int[] terms,
      float[] first,
      float[] second,
      float[] b,
      int atB,
      float[] c,
      int atC);
}
