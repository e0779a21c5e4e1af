package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;

import java.util.stream.Stream;

/** Tiles of one height, beside each other: which width comes next. */
final class Tiles {
  private static final Tiles[] ALL = LANES == 16 ? wideRegisters() : fewRegisters();

  /** Of each tile. */
  final int rows;

  final Widths widths;

  /** Of the widest. */
  final int columns;

  /**
   * Rows, of several tiles, that are multiplied by a tile's columns of B before its neighbour's: if
   * these fit the first-level cache, they are read from there.
   */
  final int band;

  /** Whether they need a packed B. */
  final boolean packRight;

  private final boolean packLeft; // whether they need a packed A
  private final double speed; // in multiply-adds, relative to others
  private final Tile[] next; // as widths

  private Tiles(double speed, int together, boolean packLeft, boolean packRight, Tile... next) {
    this.speed = speed;
    this.packLeft = packLeft;
    this.packRight = packRight;
    this.next = next;
    Tile widest = next[next.length - 1];
    rows = widest.rows;
    columns = widest.columns;
    widths = new Widths(Stream.of(next).mapToInt(tile -> tile.columns / LANES).toArray());
    band = together * rows;
  }

  /** For 32 registers. A narrow tile gets half the speed, so four vectors are two and two. */
  private static Tiles[] wideRegisters() {
    Tile one = new Tile8x1();
    Tile two = new Tile8x2();
    Tile three = new Tile8x3();
    return new Tiles[] {new Tiles(1, 1, false, false, one, two, three, two, three)};
  }

  /** For 16 registers. */
  private static Tiles[] fewRegisters() {
    return new Tiles[] {
      new Tiles(1, 32, true, true, new Tile3x3()), new Tiles(0.85, 6, false, true, new Tile4x2())
    };
  }

  /** Those that cover C [m x n] in the least time, of those that need A packed only if it is. */
  static Tiles of(int m, int n, boolean packsLeft) {
    Tiles best = null;
    for (Tiles tiles : ALL) {
      if ((packsLeft || !tiles.packLeft) && (best == null || tiles.time(m, n) < best.time(m, n))) {
        best = tiles;
      }
    }
    return best;
  }

  private double time(int m, int n) {
    int width = next.length == 1 ? columns : LANES;
    return (double) roundUp(m, rows) * roundUp(n, width) / speed;
  }

  /**
   * Whether the tiles for n columns take a transposed A as it lies: the narrow ones do. In the
   * widest, checking the bounds of A in each term costs a quarter of the speed on JDK 17.
   */
  boolean takeColumns(int n) {
    return widths.whole(n) == 0;
  }

  /** The tile for the next of so many columns; the first for none. */
  Tile next(int left) {
    return next[widths.index(left)];
  }

  static int roundUp(int number, int to) {
    return (number + to - 1) / to * to;
  }
}
