package io.deltarule.opencl;

import java.util.LinkedHashMap;
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

  Tile {
    boolean fits =
        gx > 0
            && gy > 0
            && tm > 0
            && nv > 0
            && bk > 0
            && (vw == 1 || vw == 2 || vw == 4 || vw == 8 || vw == 16)
            && gy * tm % vw == 0
            && bk % vw == 0
            && (long) gx * gy * tm * nv * vw * bk < 1 << 26;
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

  /** Padding between the lines of the left tile; banks of local memory are a matter of GPUs. */
  private int pad() {
    return gx * gy >= 32 ? vw : 0;
  }

  long localBytes() {
    return 4L * (stageA ? bk * (rows() + pad()) : vw) + 4L * (stageB ? bk * columns() : vw);
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
      } else if (tile.gy > 1 && tile.gy / 2 * tile.tm % tile.vw == 0) {
        tile = new Tile(tile.gx, tile.gy / 2, tile.tm, tile.nv, tile.vw, tile.bk, stageA, stageB);
      } else if (tile.gx > 1) {
        tile = new Tile(tile.gx / 2, tile.gy, tile.tm, tile.nv, tile.vw, tile.bk, stageA, stageB);
      } else {
        return new Tile(1, 1, 4, 1, 4, 4, false, false); // fits anything
      }
    }
    return tile;
  }

  /** A sane beginning: what is known to be good for this kind of device. */
  static Tile large(Device device) {
    if (device.cpu()) {
      // A group is a loop on one core: deep tiles for the caches, one item across so that vectors
      // of the right factor are read in order, as many sums as there are registers.
      int vw = device.vectorWidth() >= 16 ? 16 : 8;
      return new Tile(1, 16, 8, vw == 16 ? 2 : 1, vw, 128, true, true).fitted(device);
    }
    return new Tile(8, 8, 8, 2, 4, 16, true, true).fitted(device);
  }

  /** For products with too few large tiles to fill the device. */
  static Tile small(Device device) {
    return (device.cpu()
            ? new Tile(1, 4, 4, 1, 8, 32, false, false)
            : new Tile(8, 8, 2, 1, 2, 16, true, true))
        .fitted(device);
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
    if (!numbers.keySet().containsAll(large().keySet())) {
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

  private static Map<String, Integer> large() {
    return new Tile(1, 1, 4, 1, 4, 4, false, false).numbers();
  }
}
