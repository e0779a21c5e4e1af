package io.deltarule.host;

import static io.deltarule.host.Lanes.SPECIES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;

/**
 * Transposes 8 rows of 8 numbers in 8 registers: exchanges halves, then halves of the halves, and
 * so on.
 */
final class Transpose8 extends Transpose {
  private static final VectorShuffle<Float> SWAP4 = Lanes.swap(4);
  private static final VectorMask<Float> UPPER4 = Lanes.upper(4);
  private static final VectorShuffle<Float> SWAP2 = Lanes.swap(2);
  private static final VectorMask<Float> UPPER2 = Lanes.upper(2);
  private static final VectorShuffle<Float> SWAP1 = Lanes.swap(1);
  private static final VectorMask<Float> UPPER1 = Lanes.upper(1);

  @Override
  void run(float[] from, int at, int stride, int last, float[] to, int atTo, int strideTo) {
    FloatVector v0 = FloatVector.fromArray(SPECIES, from, at);
    FloatVector v1 = FloatVector.fromArray(SPECIES, from, at + Math.min(1, last) * stride);
    FloatVector v2 = FloatVector.fromArray(SPECIES, from, at + Math.min(2, last) * stride);
    FloatVector v3 = FloatVector.fromArray(SPECIES, from, at + Math.min(3, last) * stride);
    FloatVector v4 = FloatVector.fromArray(SPECIES, from, at + Math.min(4, last) * stride);
    FloatVector v5 = FloatVector.fromArray(SPECIES, from, at + Math.min(5, last) * stride);
    FloatVector v6 = FloatVector.fromArray(SPECIES, from, at + Math.min(6, last) * stride);
    FloatVector v7 = FloatVector.fromArray(SPECIES, from, at + Math.min(7, last) * stride);
    FloatVector t;
    t = v0.rearrange(SWAP4);
    v0 = v0.blend(v4.rearrange(SWAP4), UPPER4);
    v4 = t.blend(v4, UPPER4);
    t = v1.rearrange(SWAP4);
    v1 = v1.blend(v5.rearrange(SWAP4), UPPER4);
    v5 = t.blend(v5, UPPER4);
    t = v2.rearrange(SWAP4);
    v2 = v2.blend(v6.rearrange(SWAP4), UPPER4);
    v6 = t.blend(v6, UPPER4);
    t = v3.rearrange(SWAP4);
    v3 = v3.blend(v7.rearrange(SWAP4), UPPER4);
    v7 = t.blend(v7, UPPER4);
    t = v0.rearrange(SWAP2);
    v0 = v0.blend(v2.rearrange(SWAP2), UPPER2);
    v2 = t.blend(v2, UPPER2);
    t = v1.rearrange(SWAP2);
    v1 = v1.blend(v3.rearrange(SWAP2), UPPER2);
    v3 = t.blend(v3, UPPER2);
    t = v4.rearrange(SWAP2);
    v4 = v4.blend(v6.rearrange(SWAP2), UPPER2);
    v6 = t.blend(v6, UPPER2);
    t = v5.rearrange(SWAP2);
    v5 = v5.blend(v7.rearrange(SWAP2), UPPER2);
    v7 = t.blend(v7, UPPER2);
    t = v0.rearrange(SWAP1);
    v0 = v0.blend(v1.rearrange(SWAP1), UPPER1);
    v1 = t.blend(v1, UPPER1);
    t = v2.rearrange(SWAP1);
    v2 = v2.blend(v3.rearrange(SWAP1), UPPER1);
    v3 = t.blend(v3, UPPER1);
    t = v4.rearrange(SWAP1);
    v4 = v4.blend(v5.rearrange(SWAP1), UPPER1);
    v5 = t.blend(v5, UPPER1);
    t = v6.rearrange(SWAP1);
    v6 = v6.blend(v7.rearrange(SWAP1), UPPER1);
    v7 = t.blend(v7, UPPER1);
    v0.intoArray(to, atTo);
    v1.intoArray(to, atTo + strideTo);
    v2.intoArray(to, atTo + 2 * strideTo);
    v3.intoArray(to, atTo + 3 * strideTo);
    v4.intoArray(to, atTo + 4 * strideTo);
    v5.intoArray(to, atTo + 5 * strideTo);
    v6.intoArray(to, atTo + 6 * strideTo);
    v7.intoArray(to, atTo + 7 * strideTo);
  }
}
