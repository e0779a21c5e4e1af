package io.deltarule.host;

/** Arrays to pack an operand into, one for each worker; or the first one for all. */
final class Pieces {
  private final float[][] floats;
  private final CacheLines[] lines;

  Pieces(int workers) {
    floats = new float[workers][0];
    lines = new CacheLines[workers];
    for (int i = 0; i < workers; i++) {
      lines[i] = new CacheLines();
    }
  }

  /** Makes room in the arrays of the first workers, so many. */
  void reserve(int workers, long length) {
    for (int i = 0; i < workers; i++) {
      floats[i] = Scratch.grow(floats[i], CacheLines.ELEMENTS + length);
    }
  }

  /** Of a worker; what it packs begins at {@link #start}. */
  float[] floats(int worker) {
    return floats[worker];
  }

  int start(int worker) {
    return lines[worker].start(floats[worker]);
  }
}
