package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;
import static io.deltarule.host.Lanes.SPECIES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;

/**
 * In vectors of 16, a chain in each lane: 8 rows hide the latency of a multiply-add. In one method,
 * as a vector that is handed to another may become an object.
 */
final class Dots16 extends Dots {
  private static final VectorShuffle<Float> SWAP8 = Lanes.swap(8);
  private static final VectorMask<Float> UPPER8 = Lanes.upper(8);
  private static final VectorShuffle<Float> SWAP4 = Lanes.swap(4);
  private static final VectorMask<Float> UPPER4 = Lanes.upper(4);
  private static final VectorShuffle<Float> SWAP2 = Lanes.swap(2);
  private static final VectorMask<Float> UPPER2 = Lanes.upper(2);
  private static final VectorShuffle<Float> SWAP1 = Lanes.swap(1);
  private static final VectorMask<Float> UPPER1 = Lanes.upper(1);

  private static final VectorShuffle<Float> EVEN_FIRST = Lanes.evenFirst();

  @Override
  int rows() {
    return 8;
  }

  @Override
  void run(int count, int k, float[] a, int atA, float[] b, int atB, float[] sums) {
    if (count > 1) {
      eight(count, k, a, atA, b, atB, sums);
    } else {
      one(k, a, atA, b, atB, sums);
    }
  }

  /**
   * Sixteen rows at once, as many as a vector has results: 32 x 32 x 1 takes 0.12 us, by eights
   * 0.2.
   */
  @Override
  void column(
      int count,
      int k,
      float[] a,
      int atA,
      float[] b,
      int atB,
      float bias,
      float[] to,
      int atTo,
      float[] sums) {
    int whole = SPECIES.loopBound(count);
    if (whole > 0) {
      sixteens(whole, k, a, atA, b, atB, bias, to, atTo);
    }
    if (whole < count) {
      super.column(count - whole, k, a, atA + whole * k, b, atB, bias, to, atTo + whole, sums);
    }
  }

  private static void sixteens(
      int count, int k, float[] a, int atA, float[] b, int atB, float bias, float[] to, int atTo) {
    int whole = SPECIES.loopBound(k);
    for (int i = 0; i < count; i += LANES) {
      int a0 = atA + i * k;
      int a1 = a0 + k;
      int a2 = a1 + k;
      int a3 = a2 + k;
      int a4 = a3 + k;
      int a5 = a4 + k;
      int a6 = a5 + k;
      int a7 = a6 + k;
      int a8 = a7 + k;
      int a9 = a8 + k;
      int a10 = a9 + k;
      int a11 = a10 + k;
      int a12 = a11 + k;
      int a13 = a12 + k;
      int a14 = a13 + k;
      int a15 = a14 + k;
      FloatVector s0 = FloatVector.zero(SPECIES);
      FloatVector s1 = FloatVector.zero(SPECIES);
      FloatVector s2 = FloatVector.zero(SPECIES);
      FloatVector s3 = FloatVector.zero(SPECIES);
      FloatVector s4 = FloatVector.zero(SPECIES);
      FloatVector s5 = FloatVector.zero(SPECIES);
      FloatVector s6 = FloatVector.zero(SPECIES);
      FloatVector s7 = FloatVector.zero(SPECIES);
      FloatVector s8 = FloatVector.zero(SPECIES);
      FloatVector s9 = FloatVector.zero(SPECIES);
      FloatVector s10 = FloatVector.zero(SPECIES);
      FloatVector s11 = FloatVector.zero(SPECIES);
      FloatVector s12 = FloatVector.zero(SPECIES);
      FloatVector s13 = FloatVector.zero(SPECIES);
      FloatVector s14 = FloatVector.zero(SPECIES);
      FloatVector s15 = FloatVector.zero(SPECIES);
      for (int p = 0; p < whole; p += LANES) {
        FloatVector y = FloatVector.fromArray(SPECIES, b, atB + p);
        s0 = FloatVector.fromArray(SPECIES, a, a0 + p).fma(y, s0);
        s1 = FloatVector.fromArray(SPECIES, a, a1 + p).fma(y, s1);
        s2 = FloatVector.fromArray(SPECIES, a, a2 + p).fma(y, s2);
        s3 = FloatVector.fromArray(SPECIES, a, a3 + p).fma(y, s3);
        s4 = FloatVector.fromArray(SPECIES, a, a4 + p).fma(y, s4);
        s5 = FloatVector.fromArray(SPECIES, a, a5 + p).fma(y, s5);
        s6 = FloatVector.fromArray(SPECIES, a, a6 + p).fma(y, s6);
        s7 = FloatVector.fromArray(SPECIES, a, a7 + p).fma(y, s7);
        s8 = FloatVector.fromArray(SPECIES, a, a8 + p).fma(y, s8);
        s9 = FloatVector.fromArray(SPECIES, a, a9 + p).fma(y, s9);
        s10 = FloatVector.fromArray(SPECIES, a, a10 + p).fma(y, s10);
        s11 = FloatVector.fromArray(SPECIES, a, a11 + p).fma(y, s11);
        s12 = FloatVector.fromArray(SPECIES, a, a12 + p).fma(y, s12);
        s13 = FloatVector.fromArray(SPECIES, a, a13 + p).fma(y, s13);
        s14 = FloatVector.fromArray(SPECIES, a, a14 + p).fma(y, s14);
        s15 = FloatVector.fromArray(SPECIES, a, a15 + p).fma(y, s15);
      }
      if (whole < k) {
        VectorMask<Float> terms = Lanes.first(k - whole);
        FloatVector y = FloatVector.fromArray(SPECIES, b, atB + whole);
        s0 = s0.blend(FloatVector.fromArray(SPECIES, a, a0 + whole).fma(y, s0), terms);
        s1 = s1.blend(FloatVector.fromArray(SPECIES, a, a1 + whole).fma(y, s1), terms);
        s2 = s2.blend(FloatVector.fromArray(SPECIES, a, a2 + whole).fma(y, s2), terms);
        s3 = s3.blend(FloatVector.fromArray(SPECIES, a, a3 + whole).fma(y, s3), terms);
        s4 = s4.blend(FloatVector.fromArray(SPECIES, a, a4 + whole).fma(y, s4), terms);
        s5 = s5.blend(FloatVector.fromArray(SPECIES, a, a5 + whole).fma(y, s5), terms);
        s6 = s6.blend(FloatVector.fromArray(SPECIES, a, a6 + whole).fma(y, s6), terms);
        s7 = s7.blend(FloatVector.fromArray(SPECIES, a, a7 + whole).fma(y, s7), terms);
        s8 = s8.blend(FloatVector.fromArray(SPECIES, a, a8 + whole).fma(y, s8), terms);
        s9 = s9.blend(FloatVector.fromArray(SPECIES, a, a9 + whole).fma(y, s9), terms);
        s10 = s10.blend(FloatVector.fromArray(SPECIES, a, a10 + whole).fma(y, s10), terms);
        s11 = s11.blend(FloatVector.fromArray(SPECIES, a, a11 + whole).fma(y, s11), terms);
        s12 = s12.blend(FloatVector.fromArray(SPECIES, a, a12 + whole).fma(y, s12), terms);
        s13 = s13.blend(FloatVector.fromArray(SPECIES, a, a13 + whole).fma(y, s13), terms);
        s14 = s14.blend(FloatVector.fromArray(SPECIES, a, a14 + whole).fma(y, s14), terms);
        s15 = s15.blend(FloatVector.fromArray(SPECIES, a, a15 + whole).fma(y, s15), terms);
      }
      s0 = s0.blend(s8, UPPER8).add(s8.blend(s0, UPPER8).rearrange(SWAP8));
      s1 = s1.blend(s9, UPPER8).add(s9.blend(s1, UPPER8).rearrange(SWAP8));
      s2 = s2.blend(s10, UPPER8).add(s10.blend(s2, UPPER8).rearrange(SWAP8));
      s3 = s3.blend(s11, UPPER8).add(s11.blend(s3, UPPER8).rearrange(SWAP8));
      s4 = s4.blend(s12, UPPER8).add(s12.blend(s4, UPPER8).rearrange(SWAP8));
      s5 = s5.blend(s13, UPPER8).add(s13.blend(s5, UPPER8).rearrange(SWAP8));
      s6 = s6.blend(s14, UPPER8).add(s14.blend(s6, UPPER8).rearrange(SWAP8));
      s7 = s7.blend(s15, UPPER8).add(s15.blend(s7, UPPER8).rearrange(SWAP8));
      s0 = s0.blend(s4, UPPER4).add(s4.blend(s0, UPPER4).rearrange(SWAP4));
      s1 = s1.blend(s5, UPPER4).add(s5.blend(s1, UPPER4).rearrange(SWAP4));
      s2 = s2.blend(s6, UPPER4).add(s6.blend(s2, UPPER4).rearrange(SWAP4));
      s3 = s3.blend(s7, UPPER4).add(s7.blend(s3, UPPER4).rearrange(SWAP4));
      s0 = s0.blend(s2, UPPER2).add(s2.blend(s0, UPPER2).rearrange(SWAP2));
      s1 = s1.blend(s3, UPPER2).add(s3.blend(s1, UPPER2).rearrange(SWAP2));
      s0 = s0.blend(s1, UPPER1).add(s1.blend(s0, UPPER1).rearrange(SWAP1));
      s0.add(bias).intoArray(to, atTo + i);
    }
  }

  private static void eight(
      int count, int k, float[] a, int atA, float[] b, int atB, float[] sums) {
    int last = count - 1;
    int a1 = atA + Math.min(1, last) * k;
    int a2 = atA + Math.min(2, last) * k;
    int a3 = atA + Math.min(3, last) * k;
    int a4 = atA + Math.min(4, last) * k;
    int a5 = atA + Math.min(5, last) * k;
    int a6 = atA + Math.min(6, last) * k;
    int a7 = atA + Math.min(7, last) * k;
    FloatVector s0 = FloatVector.zero(SPECIES);
    FloatVector s1 = FloatVector.zero(SPECIES);
    FloatVector s2 = FloatVector.zero(SPECIES);
    FloatVector s3 = FloatVector.zero(SPECIES);
    FloatVector s4 = FloatVector.zero(SPECIES);
    FloatVector s5 = FloatVector.zero(SPECIES);
    FloatVector s6 = FloatVector.zero(SPECIES);
    FloatVector s7 = FloatVector.zero(SPECIES);
    int whole = SPECIES.loopBound(k);
    for (int p = 0; p < whole; p += LANES) {
      FloatVector y = FloatVector.fromArray(SPECIES, b, atB + p);
      s0 = FloatVector.fromArray(SPECIES, a, atA + p).fma(y, s0);
      s1 = FloatVector.fromArray(SPECIES, a, a1 + p).fma(y, s1);
      s2 = FloatVector.fromArray(SPECIES, a, a2 + p).fma(y, s2);
      s3 = FloatVector.fromArray(SPECIES, a, a3 + p).fma(y, s3);
      s4 = FloatVector.fromArray(SPECIES, a, a4 + p).fma(y, s4);
      s5 = FloatVector.fromArray(SPECIES, a, a5 + p).fma(y, s5);
      s6 = FloatVector.fromArray(SPECIES, a, a6 + p).fma(y, s6);
      s7 = FloatVector.fromArray(SPECIES, a, a7 + p).fma(y, s7);
    }
    if (whole < k) {
      // Past the end there is something, see HostBlock.SLACK; it must not count.
      VectorMask<Float> terms = Lanes.first(k - whole);
      FloatVector y = FloatVector.fromArray(SPECIES, b, atB + whole);
      s0 = s0.blend(FloatVector.fromArray(SPECIES, a, atA + whole).fma(y, s0), terms);
      s1 = s1.blend(FloatVector.fromArray(SPECIES, a, a1 + whole).fma(y, s1), terms);
      s2 = s2.blend(FloatVector.fromArray(SPECIES, a, a2 + whole).fma(y, s2), terms);
      s3 = s3.blend(FloatVector.fromArray(SPECIES, a, a3 + whole).fma(y, s3), terms);
      s4 = s4.blend(FloatVector.fromArray(SPECIES, a, a4 + whole).fma(y, s4), terms);
      s5 = s5.blend(FloatVector.fromArray(SPECIES, a, a5 + whole).fma(y, s5), terms);
      s6 = s6.blend(FloatVector.fromArray(SPECIES, a, a6 + whole).fma(y, s6), terms);
      s7 = s7.blend(FloatVector.fromArray(SPECIES, a, a7 + whole).fma(y, s7), terms);
    }
    // The sums of lanes l and l + 8 of two vectors make one; then those of l and l + 4, and so on.
    s0 = s0.blend(s4, UPPER8).add(s4.blend(s0, UPPER8).rearrange(SWAP8));
    s1 = s1.blend(s5, UPPER8).add(s5.blend(s1, UPPER8).rearrange(SWAP8));
    s2 = s2.blend(s6, UPPER8).add(s6.blend(s2, UPPER8).rearrange(SWAP8));
    s3 = s3.blend(s7, UPPER8).add(s7.blend(s3, UPPER8).rearrange(SWAP8));
    s0 = s0.blend(s2, UPPER4).add(s2.blend(s0, UPPER4).rearrange(SWAP4));
    s1 = s1.blend(s3, UPPER4).add(s3.blend(s1, UPPER4).rearrange(SWAP4));
    s0 = s0.blend(s1, UPPER2).add(s1.blend(s0, UPPER2).rearrange(SWAP2));
    s0.add(s0.rearrange(SWAP1)).rearrange(EVEN_FIRST).intoArray(sums, 0);
  }

  /** A row alone: 1 x 1024 x 1 takes 0.14 us; as eight rows that are the same, 0.32. */
  private static void one(int k, float[] a, int atA, float[] b, int atB, float[] sums) {
    FloatVector s = FloatVector.zero(SPECIES);
    int whole = SPECIES.loopBound(k);
    for (int p = 0; p < whole; p += LANES) {
      s =
          FloatVector.fromArray(SPECIES, a, atA + p)
              .fma(FloatVector.fromArray(SPECIES, b, atB + p), s);
    }
    if (whole < k) {
      FloatVector rest =
          FloatVector.fromArray(SPECIES, a, atA + whole)
              .fma(FloatVector.fromArray(SPECIES, b, atB + whole), s);
      s = s.blend(rest, Lanes.first(k - whole));
    }
    s = s.add(s.rearrange(SWAP8));
    s = s.add(s.rearrange(SWAP4));
    s = s.add(s.rearrange(SWAP2));
    sums[0] = s.add(s.rearrange(SWAP1)).lane(0);
  }
}
