package io.deltarule.host;

/** Transposes strips of rows, as many as a vector has lanes. */
abstract class Transpose {

  static Transpose ofLanes() {
    return switch (Lanes.LANES) {
      case 16 -> new Transpose16();
      case 8 -> new Transpose8();
      default -> new TransposeAny();
    };
  }

  /**
   * Transposes a strip of rows.
   *
   * @param from has row i at {@code at + i stride}
   * @param last the last row that is there; what those after it give is undefined
   * @param count of the numbers of a row, rounded up to a multiple of the lanes
   * @param to gets the columns at {@code atTo + p strideTo}
   */
  abstract void run(
      float[] from, int at, int stride, int last, int count, float[] to, int atTo, int strideTo);

  /**
   * Transposes some rows, or more: element (i, p) goes to {@code atTo + p rows + i}. A few numbers
   * after the last are overwritten.
   */
  void interleave(
      float[] from, int at, int stride, int last, int count, int rows, float[] to, int atTo) {
    for (int i = 0; i < rows; i++) { // of a few, number by number is fastest
      int row = at + Math.min(i, last) * stride;
      for (int p = 0; p < count; p++) {
        to[atTo + p * rows + i] = from[row + p];
      }
    }
  }
}
