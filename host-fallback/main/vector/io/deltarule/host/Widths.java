package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;

/** How columns are cut into panels: which width comes next. */
final class Widths {
  private final int[] next; // by the vectors that are left, the last for more

  /** Of the widest. */
  final int columns;

  /**
   * The widths in vectors.
   *
   * @param vectors of the next panel, if one vector of columns is left, two, and so on
   */
  Widths(int... vectors) {
    next = new int[vectors.length];
    for (int i = 0; i < next.length; i++) {
      next[i] = vectors[i] * LANES;
    }
    columns = next[next.length - 1];
  }

  /** Of the panel for the next of so many columns; the first for none. */
  int next(int left) {
    return next[index(left)];
  }

  /** Which of the widths that is. */
  int index(int left) {
    return Math.min((Math.max(1, left) + LANES - 1) / LANES, next.length) - 1;
  }

  /** How many of the widest come first in n columns. */
  int whole(int n) {
    int count = 0;
    for (int left = n; left > 0 && next(left) == columns; left -= columns) {
      count++;
    }
    return count;
  }

  /** The first column of the panel that has column j of n. */
  int start(int j, int n) {
    int whole = whole(n) * columns;
    if (j < whole) {
      return j - j % columns;
    }
    int start = whole;
    while (j >= start + next(n - start)) {
      start += next(n - start);
    }
    return start;
  }
}
