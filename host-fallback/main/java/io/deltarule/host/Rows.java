package io.deltarule.host;

import java.util.ArrayList;
import java.util.List;

/**
 * Scratch rows, each an array of its own: C2 vectorises loops over the same index of several
 * arrays, but not over different offsets of one. They are kept for the next call, by their length:
 * a stack has few.
 */
final class Rows {
  private final List<float[][]> kept = new ArrayList<>();

  /**
   * Rows of undefined content, valid until the next call with this length.
   *
   * @param count how many, at least 1
   * @param length at least how long
   * @return at least that many
   */
  float[][] take(int count, int length) {
    int padded = (length + 15) & -16;
    for (int i = 0; i < kept.size(); i++) {
      float[][] rows = kept.get(i);
      if (rows[0].length == padded) {
        if (rows.length < count) {
          rows = grow(rows, count, padded);
          kept.set(i, rows);
        }
        return rows;
      }
    }
    float[][] rows = grow(new float[0][], count, padded);
    kept.add(rows);
    return rows;
  }

  private static float[][] grow(float[][] rows, int count, int length) {
    try {
      float[][] grown = new float[count][];
      System.arraycopy(rows, 0, grown, 0, rows.length);
      for (int i = rows.length; i < count; i++) {
        grown[i] = new float[length];
      }
      return grown;
    } catch (OutOfMemoryError e) {
      throw HostBlock.full(e);
    }
  }
}
