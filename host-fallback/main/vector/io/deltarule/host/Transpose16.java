package io.deltarule.host;

import static io.deltarule.host.Lanes.SPECIES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;

/**
 * Transposes 16 rows of 16 numbers in 16 registers: exchanges halves, then halves of the halves,
 * and so on.
 */
final class Transpose16 extends Transpose {
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
  void run(
      float[] from, int at, int stride, int last, int count, float[] to, int atTo, int strideTo) {
    for (int p = 0; p < count; p += 16) {
      square(from, at + p, stride, last, to, atTo + p * strideTo, strideTo);
    }
  }

  private static void square(
      float[] from, int at, int stride, int last, float[] to, int atTo, int strideTo) {
    FloatVector v0 = FloatVector.fromArray(SPECIES, from, at);
    FloatVector v1 = FloatVector.fromArray(SPECIES, from, at + Math.min(1, last) * stride);
    FloatVector v2 = FloatVector.fromArray(SPECIES, from, at + Math.min(2, last) * stride);
    FloatVector v3 = FloatVector.fromArray(SPECIES, from, at + Math.min(3, last) * stride);
    FloatVector v4 = FloatVector.fromArray(SPECIES, from, at + Math.min(4, last) * stride);
    FloatVector v5 = FloatVector.fromArray(SPECIES, from, at + Math.min(5, last) * stride);
    FloatVector v6 = FloatVector.fromArray(SPECIES, from, at + Math.min(6, last) * stride);
    FloatVector v7 = FloatVector.fromArray(SPECIES, from, at + Math.min(7, last) * stride);
    FloatVector v8 = FloatVector.fromArray(SPECIES, from, at + Math.min(8, last) * stride);
    FloatVector v9 = FloatVector.fromArray(SPECIES, from, at + Math.min(9, last) * stride);
    FloatVector v10 = FloatVector.fromArray(SPECIES, from, at + Math.min(10, last) * stride);
    FloatVector v11 = FloatVector.fromArray(SPECIES, from, at + Math.min(11, last) * stride);
    FloatVector v12 = FloatVector.fromArray(SPECIES, from, at + Math.min(12, last) * stride);
    FloatVector v13 = FloatVector.fromArray(SPECIES, from, at + Math.min(13, last) * stride);
    FloatVector v14 = FloatVector.fromArray(SPECIES, from, at + Math.min(14, last) * stride);
    FloatVector v15 = FloatVector.fromArray(SPECIES, from, at + Math.min(15, last) * stride);
    FloatVector t;
    t = v0.rearrange(SWAP8);
    v0 = v0.blend(v8.rearrange(SWAP8), UPPER8);
    v8 = t.blend(v8, UPPER8);
    t = v1.rearrange(SWAP8);
    v1 = v1.blend(v9.rearrange(SWAP8), UPPER8);
    v9 = t.blend(v9, UPPER8);
    t = v2.rearrange(SWAP8);
    v2 = v2.blend(v10.rearrange(SWAP8), UPPER8);
    v10 = t.blend(v10, UPPER8);
    t = v3.rearrange(SWAP8);
    v3 = v3.blend(v11.rearrange(SWAP8), UPPER8);
    v11 = t.blend(v11, UPPER8);
    t = v4.rearrange(SWAP8);
    v4 = v4.blend(v12.rearrange(SWAP8), UPPER8);
    v12 = t.blend(v12, UPPER8);
    t = v5.rearrange(SWAP8);
    v5 = v5.blend(v13.rearrange(SWAP8), UPPER8);
    v13 = t.blend(v13, UPPER8);
    t = v6.rearrange(SWAP8);
    v6 = v6.blend(v14.rearrange(SWAP8), UPPER8);
    v14 = t.blend(v14, UPPER8);
    t = v7.rearrange(SWAP8);
    v7 = v7.blend(v15.rearrange(SWAP8), UPPER8);
    v15 = t.blend(v15, UPPER8);
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
    t = v8.rearrange(SWAP4);
    v8 = v8.blend(v12.rearrange(SWAP4), UPPER4);
    v12 = t.blend(v12, UPPER4);
    t = v9.rearrange(SWAP4);
    v9 = v9.blend(v13.rearrange(SWAP4), UPPER4);
    v13 = t.blend(v13, UPPER4);
    t = v10.rearrange(SWAP4);
    v10 = v10.blend(v14.rearrange(SWAP4), UPPER4);
    v14 = t.blend(v14, UPPER4);
    t = v11.rearrange(SWAP4);
    v11 = v11.blend(v15.rearrange(SWAP4), UPPER4);
    v15 = t.blend(v15, UPPER4);
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
    t = v8.rearrange(SWAP2);
    v8 = v8.blend(v10.rearrange(SWAP2), UPPER2);
    v10 = t.blend(v10, UPPER2);
    t = v9.rearrange(SWAP2);
    v9 = v9.blend(v11.rearrange(SWAP2), UPPER2);
    v11 = t.blend(v11, UPPER2);
    t = v12.rearrange(SWAP2);
    v12 = v12.blend(v14.rearrange(SWAP2), UPPER2);
    v14 = t.blend(v14, UPPER2);
    t = v13.rearrange(SWAP2);
    v13 = v13.blend(v15.rearrange(SWAP2), UPPER2);
    v15 = t.blend(v15, UPPER2);
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
    t = v8.rearrange(SWAP1);
    v8 = v8.blend(v9.rearrange(SWAP1), UPPER1);
    v9 = t.blend(v9, UPPER1);
    t = v10.rearrange(SWAP1);
    v10 = v10.blend(v11.rearrange(SWAP1), UPPER1);
    v11 = t.blend(v11, UPPER1);
    t = v12.rearrange(SWAP1);
    v12 = v12.blend(v13.rearrange(SWAP1), UPPER1);
    v13 = t.blend(v13, UPPER1);
    t = v14.rearrange(SWAP1);
    v14 = v14.blend(v15.rearrange(SWAP1), UPPER1);
    v15 = t.blend(v15, UPPER1);
    v0.intoArray(to, atTo);
    v1.intoArray(to, atTo + strideTo);
    v2.intoArray(to, atTo + 2 * strideTo);
    v3.intoArray(to, atTo + 3 * strideTo);
    v4.intoArray(to, atTo + 4 * strideTo);
    v5.intoArray(to, atTo + 5 * strideTo);
    v6.intoArray(to, atTo + 6 * strideTo);
    v7.intoArray(to, atTo + 7 * strideTo);
    v8.intoArray(to, atTo + 8 * strideTo);
    v9.intoArray(to, atTo + 9 * strideTo);
    v10.intoArray(to, atTo + 10 * strideTo);
    v11.intoArray(to, atTo + 11 * strideTo);
    v12.intoArray(to, atTo + 12 * strideTo);
    v13.intoArray(to, atTo + 13 * strideTo);
    v14.intoArray(to, atTo + 14 * strideTo);
    v15.intoArray(to, atTo + 15 * strideTo);
  }

  /** For 8 rows: two columns make a vector. */
  @Override
  void interleave(
      float[] from, int at, int stride, int last, int count, int rows, float[] to, int atTo) {
    if (rows != 8) {
      super.interleave(from, at, stride, last, count, rows, to, atTo);
      return;
    }
    for (int p = 0; p < count; p += 16) {
      halfSquare(from, at + p, stride, last, to, atTo + p * 8);
    }
  }

  private static void halfSquare(float[] from, int at, int stride, int last, float[] to, int atTo) {
    FloatVector v0 = FloatVector.fromArray(SPECIES, from, at);
    FloatVector v1 = FloatVector.fromArray(SPECIES, from, at + Math.min(1, last) * stride);
    FloatVector v2 = FloatVector.fromArray(SPECIES, from, at + Math.min(2, last) * stride);
    FloatVector v3 = FloatVector.fromArray(SPECIES, from, at + Math.min(3, last) * stride);
    FloatVector v4 = FloatVector.fromArray(SPECIES, from, at + Math.min(4, last) * stride);
    FloatVector v5 = FloatVector.fromArray(SPECIES, from, at + Math.min(5, last) * stride);
    FloatVector v6 = FloatVector.fromArray(SPECIES, from, at + Math.min(6, last) * stride);
    FloatVector v7 = FloatVector.fromArray(SPECIES, from, at + Math.min(7, last) * stride);
    FloatVector t;
    t = v0.rearrange(SWAP8);
    v0 = v0.blend(v4.rearrange(SWAP8), UPPER8);
    v4 = t.blend(v4, UPPER8);
    t = v1.rearrange(SWAP8);
    v1 = v1.blend(v5.rearrange(SWAP8), UPPER8);
    v5 = t.blend(v5, UPPER8);
    t = v2.rearrange(SWAP8);
    v2 = v2.blend(v6.rearrange(SWAP8), UPPER8);
    v6 = t.blend(v6, UPPER8);
    t = v3.rearrange(SWAP8);
    v3 = v3.blend(v7.rearrange(SWAP8), UPPER8);
    v7 = t.blend(v7, UPPER8);
    t = v0.rearrange(SWAP4);
    v0 = v0.blend(v2.rearrange(SWAP4), UPPER4);
    v2 = t.blend(v2, UPPER4);
    t = v1.rearrange(SWAP4);
    v1 = v1.blend(v3.rearrange(SWAP4), UPPER4);
    v3 = t.blend(v3, UPPER4);
    t = v4.rearrange(SWAP4);
    v4 = v4.blend(v6.rearrange(SWAP4), UPPER4);
    v6 = t.blend(v6, UPPER4);
    t = v5.rearrange(SWAP4);
    v5 = v5.blend(v7.rearrange(SWAP4), UPPER4);
    v7 = t.blend(v7, UPPER4);
    t = v0.rearrange(SWAP2);
    v0 = v0.blend(v1.rearrange(SWAP2), UPPER2);
    v1 = t.blend(v1, UPPER2);
    t = v2.rearrange(SWAP2);
    v2 = v2.blend(v3.rearrange(SWAP2), UPPER2);
    v3 = t.blend(v3, UPPER2);
    t = v4.rearrange(SWAP2);
    v4 = v4.blend(v5.rearrange(SWAP2), UPPER2);
    v5 = t.blend(v5, UPPER2);
    t = v6.rearrange(SWAP2);
    v6 = v6.blend(v7.rearrange(SWAP2), UPPER2);
    v7 = t.blend(v7, UPPER2);
    v0.rearrange(EVEN_FIRST).intoArray(to, atTo);
    v1.rearrange(EVEN_FIRST).intoArray(to, atTo + 16);
    v2.rearrange(EVEN_FIRST).intoArray(to, atTo + 32);
    v3.rearrange(EVEN_FIRST).intoArray(to, atTo + 48);
    v4.rearrange(EVEN_FIRST).intoArray(to, atTo + 64);
    v5.rearrange(EVEN_FIRST).intoArray(to, atTo + 80);
    v6.rearrange(EVEN_FIRST).intoArray(to, atTo + 96);
    v7.rearrange(EVEN_FIRST).intoArray(to, atTo + 112);
  }
}
