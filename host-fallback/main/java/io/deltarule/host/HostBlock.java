package io.deltarule.host;

import io.deltarule.engine.EngineMemoryException;
import io.deltarule.engine.spi.Block;

/** One Java array. */
final class HostBlock implements Block {

  /**
   * Numbers after the last one that belong to nothing: tiles of vectors read past the ends of rows.
   */
  static final int SLACK = 64;

  /** What fits the longest array that HotSpot allocates. */
  static final int LONGEST = Integer.MAX_VALUE - 8 - SLACK;

  private float[] floats; // one of the two is null, both after release
  private int[] ints;

  private HostBlock(float[] floats, int[] ints) {
    this.floats = floats;
    this.ints = ints;
  }

  static HostBlock floats(long elements) {
    int length = length(elements);
    try {
      return new HostBlock(new float[length + SLACK], null);
    } catch (OutOfMemoryError e) {
      throw full(e);
    }
  }

  static HostBlock ints(long elements) {
    int length = length(elements);
    try {
      return new HostBlock(null, new int[length]);
    } catch (OutOfMemoryError e) {
      throw full(e);
    }
  }

  float[] floats() {
    return floats;
  }

  int[] ints() {
    return ints;
  }

  @Override
  public void release() {
    floats = null;
    ints = null;
  }

  /** As an array's length, if there are arrays so long. */
  static int length(long elements) {
    if (elements > LONGEST) {
      throw new EngineMemoryException(
          "a Java array holds at most %d bytes".formatted(4L * LONGEST), null);
    }
    return (int) elements;
  }

  static EngineMemoryException full(OutOfMemoryError cause) {
    return new EngineMemoryException(
        "the Java heap has %d of %d bytes left; raise -Xmx"
            .formatted(bytesLeft(), Runtime.getRuntime().maxMemory()),
        cause);
  }

  /** What the heap has left. */
  static long bytesLeft() {
    Runtime runtime = Runtime.getRuntime();
    return runtime.maxMemory() - runtime.totalMemory() + runtime.freeMemory();
  }
}
