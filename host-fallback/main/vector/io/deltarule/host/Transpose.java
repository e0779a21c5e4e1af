package io.deltarule.host;

/** Transposes a square of as many rows as a vector has lanes. */
abstract class Transpose {

  static Transpose ofLanes() {
    return switch (Lanes.LANES) {
      case 16 -> new Transpose16();
      case 8 -> new Transpose8();
      default -> new TransposeAny();
    };
  }

  /**
   * Transposes a square.
   *
   * @param from has row i at {@code at + i stride}
   * @param last the last row that is there; those after it repeat it
   * @param to gets the columns at {@code atTo + p strideTo}
   */
  abstract void run(float[] from, int at, int stride, int last, float[] to, int atTo, int strideTo);

  /**
   * Transposes some rows of a square, or of more: element (i, p) goes to {@code atTo + p rows + i}.
   * A few numbers after the last are overwritten.
   */
  void interleave(float[] from, int at, int stride, int last, int rows, float[] to, int atTo) {
    for (int i = 0; i < rows; i += Lanes.LANES) {
      int first = Math.min(i, last);
      run(from, at + first * stride, stride, last - first, to, atTo + i, rows);
    }
  }
}
