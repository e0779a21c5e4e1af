package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;

/** Which tile suits a result. */
final class Tiles {
  private static final Tile[] ALL =
      LANES == 16
          ? new Tile[] {new Tile6x4(), new Tile8x2(), new Tile8x1()}
          : new Tile[] {new Tile3x3(), new Tile8x1()};

  /** Multiply-adds of the tiles in the same time, relative to the first. */
  private static final double[] SPEED =
      LANES == 16 ? new double[] {1, 0.9, 0.5} : new double[] {1, 0.8};

  private Tiles() {}

  /** The one that covers C [m x n] in the least time. */
  static Tile of(int m, int n) {
    int best = 0;
    double least = Double.POSITIVE_INFINITY;
    for (int i = 0; i < ALL.length; i++) {
      Tile tile = ALL[i];
      double time =
          (double) TiledProduct.roundUp(m, tile.rows)
              * TiledProduct.roundUp(n, tile.columns)
              / SPEED[i];
      if (time < least) {
        least = time;
        best = i;
      }
    }
    return ALL[best];
  }
}
