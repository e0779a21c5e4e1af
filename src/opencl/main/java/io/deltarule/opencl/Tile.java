package io.deltarule.opencl;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * How a matrix product is cut up: the macros of kernels/gemm.cl.
 *
 * @param gx work-items of a group along the columns
 * @param gy work-items of a group along the rows
 * @param tm rows of a work-item
 * @param nv vectors of a work-item
 * @param vw floats of a vector
 * @param bk depth of what passes through local memory at a time
 * @param stageA whether the left factor passes through local memory
 * @param stageB whether the right factor does
 */
record Tile(int gx, int gy, int tm, int nv, int vw, int bk, boolean stageA, boolean stageB) {
  private static final int MOST_SUMS = 512; // beyond all registers
  private static final int MOST_RESULTS = 1 << 18;
  private static final int MOST_DEPTH = 1024;

  private static final Tile LEAST = new Tile(1, 1, 4, 1, 4, 4, false, false); // fits anything

  /**
   * Of GPUs. Measured on an H200, us for the three products of 256 x 1024 x 1024, and of 4096
   * cubed: 87, 84, 24 and 3785, 3538, 3642 with the first, 57, 58, 24 and 4810, 4763, 4446 with the
   * second, 46, 41, 33 and 6575, 5976, 5216 with the third. What is smaller than that waits mostly:
   * 100 x 300 x 300 takes 20, 20, 12 with the third and 15, 15, 10 with the last, which has more
   * items.
   */
  private static final List<Tile> GPU =
      List.of(
          new Tile(8, 16, 8, 2, 4, 16, true, true),
          new Tile(16, 16, 4, 1, 4, 16, true, true),
          new Tile(8, 8, 4, 1, 4, 32, true, true),
          new Tile(16, 16, 2, 1, 2, 32, true, true));

  /** Checks what the kernel asks of it. */
  Tile {
    boolean fits =
        gx > 0
            && gy > 0
            && tm > 0
            && nv > 0
            && bk > 0
            && (vw == 1 || vw == 2 || vw == 4 || vw == 8 || vw == 16)
            && gx <= 1024
            && gy <= 1024
            && tm <= 64
            && nv <= 64
            && (!stageA || gy * tm % vw == 0 && bk % vw == 0)
            && (!stageB || bk % vw == 0)
            && tm * nv * vw <= MOST_SUMS
            && (long) gx * gy * tm * nv * vw <= MOST_RESULTS
            && bk <= MOST_DEPTH;
    if (!fits) {
      throw new IllegalArgumentException(
          "no tile: %d x %d items of %d x %d vectors of %d, %d deep"
              .formatted(gx, gy, tm, nv, vw, bk));
    }
  }

  int rows() {
    return gy * tm;
  }

  int columns() {
    return gx * nv * vw;
  }

  /** The tiles that so large a result is cut into. */
  long count(int m, int n) {
    return across(n) * down(m);
  }

  /** Those side by side. */
  long across(int n) {
    return Kernels.ceil(n, columns());
  }

  /** Those below each other. */
  long down(int m) {
    return Kernels.ceil(m, rows());
  }

  /** Whether a result fills at least half of its tiles. */
  boolean suits(int m, int n) {
    return 2L * m * n >= count(m, n) * rows() * columns();
  }

  /** Padding between the lines of the tiles; banks of local memory are a matter of GPUs. */
  private int pad() {
    return gx * gy >= 32 ? vw : 0;
  }

  long localBytes() {
    return 4L * (stageA ? bk * (rows() + pad()) : vw)
        + 4L * (stageB ? bk * (columns() + pad()) : vw);
  }

  boolean fits(Device device) {
    return gx * gy <= device.groupItems() && localBytes() <= device.localBytes();
  }

  /** The nearest tile that the device can hold: shallower first, then smaller. */
  Tile fitted(Device device) {
    Tile tile = this;
    while (!tile.fits(device)) {
      if (tile.localBytes() > device.localBytes() && tile.bk > Math.max(4, tile.vw)) {
        tile = new Tile(tile.gx, tile.gy, tile.tm, tile.nv, tile.vw, tile.bk / 2, stageA, stageB);
      } else if (tile.gy > 1 && (!stageA || tile.gy / 2 * tile.tm % tile.vw == 0)) {
        tile = new Tile(tile.gx, tile.gy / 2, tile.tm, tile.nv, tile.vw, tile.bk, stageA, stageB);
      } else if (tile.gx > 1) {
        tile = new Tile(tile.gx / 2, tile.gy, tile.tm, tile.nv, tile.vw, tile.bk, stageA, stageB);
      } else {
        return LEAST;
      }
    }
    return tile;
  }

  /**
   * A sane beginning: the first for the largest products, the last for those without work for all.
   */
  static List<Tile> standard(Device device) {
    List<Tile> tiles =
        device.cpu()
            ? List.of(cpu(device, 16, 8, 2, 128, true), cpu(device, 4, 4, 1, 32, false))
            : GPU;
    return tiles.stream().map(tile -> tile.fitted(device)).toList();
  }

  /**
   * A group is a loop on one core: tiles as deep as the caches like, one item across so that the
   * vectors of the right factor are read in order, as many sums as there are registers.
   */
  private static Tile cpu(Device device, int gy, int tm, int nv, int bk, boolean stageB) {
    int vw = Math.max(4, Math.min(16, Integer.highestOneBit(device.vectorWidth())));
    return new Tile(1, gy, tm, vw < 16 ? 1 : nv, vw, bk, false, stageB);
  }

  /** All tiles that differ in one number, or in how the same items lie. */
  List<Tile> neighbours(Device device) {
    List<Tile> tiles = new ArrayList<>();
    for (int other : new int[] {1, 2, 4, 8, 16, 32}) {
      add(tiles, other, gy, tm, nv, vw, bk, stageA, stageB);
      add(tiles, gx, other, tm, nv, vw, bk, stageA, stageB);
    }
    add(tiles, 2 * gx, gy / 2, tm, nv, vw, bk, stageA, stageB);
    add(tiles, gx / 2, 2 * gy, tm, nv, vw, bk, stageA, stageB);
    for (int other : new int[] {1, 2, 4, 6, 8, 10, 12}) {
      add(tiles, gx, gy, other, nv, vw, bk, stageA, stageB);
    }
    for (int other : new int[] {1, 2, 3, 4}) {
      add(tiles, gx, gy, tm, other, vw, bk, stageA, stageB);
    }
    for (int other : new int[] {1, 2, 4, 8, 16}) {
      add(tiles, gx, gy, tm, nv, other, bk, stageA, stageB);
    }
    for (int other : new int[] {8, 16, 32, 64, 128, 256, 512}) {
      add(tiles, gx, gy, tm, nv, vw, other, stageA, stageB);
    }
    add(tiles, gx, gy, tm, nv, vw, bk, !stageA, stageB);
    add(tiles, gx, gy, tm, nv, vw, bk, stageA, !stageB);
    tiles.removeIf(tile -> tile.equals(this) || !tile.fits(device));
    return tiles;
  }

  private static void add(
      List<Tile> tiles,
      int gx,
      int gy,
      int tm,
      int nv,
      int vw,
      int bk,
      boolean stageA,
      boolean stageB) {
    try {
      tiles.add(new Tile(gx, gy, tm, nv, vw, bk, stageA, stageB));
    } catch (IllegalArgumentException e) {
      // no tile
    }
  }

  /** The macros, for the compiler. */
  String options() {
    return "-DGX=%d -DGY=%d -DTM=%d -DNV=%d -DVW=%d -DBK=%d -DSTAGE_A=%d -DSTAGE_B=%d -DPAD=%d"
        .formatted(gx, gy, tm, nv, vw, bk, stageA ? 1 : 0, stageB ? 1 : 0, pad());
  }

  /** As it is stored: numbers by name. */
  Map<String, Integer> numbers() {
    Map<String, Integer> numbers = new LinkedHashMap<>();
    numbers.put("gx", gx);
    numbers.put("gy", gy);
    numbers.put("tm", tm);
    numbers.put("nv", nv);
    numbers.put("vw", vw);
    numbers.put("bk", bk);
    numbers.put("stageA", stageA ? 1 : 0);
    numbers.put("stageB", stageB ? 1 : 0);
    return numbers;
  }

  /**
   * The opposite of {@link #numbers}.
   *
   * @throws IllegalArgumentException if one is missing or they are no tile
   */
  static Tile of(Map<String, Integer> numbers) {
    if (!numbers.keySet().containsAll(LEAST.numbers().keySet())) {
      throw new IllegalArgumentException("no tile: " + numbers);
    }
    return new Tile(
        numbers.get("gx"),
        numbers.get("gy"),
        numbers.get("tm"),
        numbers.get("nv"),
        numbers.get("vw"),
        numbers.get("bk"),
        numbers.get("stageA") != 0,
        numbers.get("stageB") != 0);
  }
}
