package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;

/** Tiles of one height, beside each other: which width comes next. */
final class Tiles {
  private static final Tiles[] ALL = LANES == 16 ? wideRegisters() : fewRegisters();

  /** Of each tile. */
  final int rows;

  /** Of the widest. */
  final int columns;

  private final double speed; // in multiply-adds, relative to others
  private final Tile[] next; // by the vectors that are left, the last for more

  private Tiles(double speed, Tile... next) {
    this.speed = speed;
    this.next = next;
    Tile widest = next[next.length - 1];
    rows = widest.rows;
    columns = widest.columns;
  }

  /** For 32 registers. A narrow tile gets half the speed, so four vectors are two and two. */
  private static Tiles[] wideRegisters() {
    Tile one = new Tile8x1();
    Tile two = new Tile8x2();
    Tile three = new Tile8x3();
    return new Tiles[] {new Tiles(1, one, two, three, two, three)};
  }

  /** For 16 registers. */
  private static Tiles[] fewRegisters() {
    return new Tiles[] {new Tiles(1, new Tile3x3()), new Tiles(0.8, new Tile8x1())};
  }

  /** Those that cover C [m x n] in the least time. */
  static Tiles of(int m, int n) {
    Tiles best = ALL[0];
    for (Tiles tiles : ALL) {
      best = tiles.time(m, n) < best.time(m, n) ? tiles : best;
    }
    return best;
  }

  private double time(int m, int n) {
    int width = next.length == 1 ? columns : LANES;
    return (double) roundUp(m, rows) * roundUp(n, width) / speed;
  }

  /** The tile for the next of so many columns; the first for none. */
  Tile next(int left) {
    return next[Math.min((Math.max(1, left) + LANES - 1) / LANES, next.length) - 1];
  }

  /** How many of the widest come first in n columns. */
  int whole(int n) {
    int count = 0;
    for (int left = n; left > 0 && next(left).columns == columns; left -= columns) {
      count++;
    }
    return count;
  }

  static int roundUp(int number, int to) {
    return (number + to - 1) / to * to;
  }
}
