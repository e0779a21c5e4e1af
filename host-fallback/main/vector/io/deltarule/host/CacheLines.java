package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;
import static io.deltarule.host.Lanes.SPECIES;

import java.lang.ref.WeakReference;
import jdk.incubator.vector.FloatVector;

/**
 * Finds the first element of an array from which on no vector crosses a cache line. One that does
 * takes twice the time to load: with 512 bits, 7 % of a tile and 8 % of a training step of
 * 784-1024-1024-1 (Emerald Rapids).
 *
 * <p>Java tells no addresses, and its garbage collector changes them. So the time to load is
 * measured, for each element that may begin a line, and again when the collector has been there.
 * Where it errs, that costs time, but no bit of a result: none depends on where an array begins.
 */
final class CacheLines {

  /** Elements of a cache line, so many that a line begins within them. */
  static final int ELEMENTS = 16;

  /** From one element that may begin a line to the next: objects lie at multiples of 8 bytes. */
  private static final int STEP = 2;

  /** To load: 8 KiB, which stay in the first-level cache. */
  private static final int VECTORS = 128;

  private static final int PASSES = 8;
  private static final int REPEATS = 5;

  /** Of all passes; compiled code takes a tenth of it, other code tells nothing. */
  private static final long MOST_NANOS = 5_000;

  /** Calls between measurements, of 25 us each: less than a thousandth of the products' time. */
  private static final int CALLS = 1 << 13;

  private float[] array;
  private int start;
  private int calls; // until the next measurement
  private int pause; // between the last two
  private WeakReference<Object> canary; // gone once the garbage collector has been there
  private float sum; // so that the loads are not left out

  /**
   * Where to begin.
   *
   * @param x of any contents
   * @return below {@link #ELEMENTS}; 0 as long as nothing is known
   */
  int start(float[] x) {
    if (x != array || canary.refersTo(null)) {
      array = x;
      canary = new WeakReference<>(new Object());
      start = 0;
      calls = 0;
      pause = 1;
    }
    if (calls == 0) {
      measure();
    }
    calls--;
    return start;
  }

  private void measure() {
    if (LANES < 8 || array.length < VECTORS * LANES + ELEMENTS) {
      calls = CALLS; // few vectors cross lines, or there are few vectors
      return;
    }
    calls = 1; // again at the next, as long as it is not compiled
    int best = 0;
    long least = Long.MAX_VALUE;
    long most = 0;
    for (int at = 0; at < ELEMENTS; at += STEP) {
      long nanos = nanos(at);
      if (nanos > MOST_NANOS) {
        return;
      }
      for (int i = 1; i < REPEATS; i++) {
        nanos = Math.min(nanos, nanos(at));
      }
      if (nanos < least) {
        least = nanos;
        best = at;
      }
      most = Math.max(most, nanos);
    }
    boolean clear = 4 * least < 3 * most; // if not, something else took the time
    if (clear) {
      start = best;
    }
    pause = clear ? CALLS : Math.min(CALLS, 2 * pause);
    calls = pause;
  }

  private long nanos(int at) {
    long before = System.nanoTime();
    for (int pass = 0; pass < PASSES; pass++) {
      sum += load(array, at);
    }
    return System.nanoTime() - before;
  }

  /** Loads as many vectors at once as the processor can. */
  private static float load(float[] x, int at) {
    FloatVector s0 = FloatVector.zero(SPECIES);
    FloatVector s1 = FloatVector.zero(SPECIES);
    FloatVector s2 = FloatVector.zero(SPECIES);
    FloatVector s3 = FloatVector.zero(SPECIES);
    FloatVector s4 = FloatVector.zero(SPECIES);
    FloatVector s5 = FloatVector.zero(SPECIES);
    FloatVector s6 = FloatVector.zero(SPECIES);
    FloatVector s7 = FloatVector.zero(SPECIES);
    int end = at + VECTORS * LANES;
    for (int i = at; i < end; i += 8 * LANES) {
      s0 = s0.add(FloatVector.fromArray(SPECIES, x, i));
      s1 = s1.add(FloatVector.fromArray(SPECIES, x, i + LANES));
      s2 = s2.add(FloatVector.fromArray(SPECIES, x, i + 2 * LANES));
      s3 = s3.add(FloatVector.fromArray(SPECIES, x, i + 3 * LANES));
      s4 = s4.add(FloatVector.fromArray(SPECIES, x, i + 4 * LANES));
      s5 = s5.add(FloatVector.fromArray(SPECIES, x, i + 5 * LANES));
      s6 = s6.add(FloatVector.fromArray(SPECIES, x, i + 6 * LANES));
      s7 = s7.add(FloatVector.fromArray(SPECIES, x, i + 7 * LANES));
    }
    return s0.add(s1).add(s2.add(s3)).add(s4.add(s5).add(s6.add(s7))).lane(0);
  }
}
