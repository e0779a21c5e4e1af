package io.deltarule.host;

import static io.deltarule.host.Lanes.SPECIES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;

/**
 * Transposes 8 rows, four numbers of each at a time: two rows make a vector, the upper half of one
 * loaded from where it lies four numbers further on; then halves of the halves are exchanged, and
 * so on. Squares of 8 whose halves are exchanged in registers, too, take a third longer.
 */
final class Transpose8 extends Transpose {
  private static final VectorMask<Float> UPPER4 = Lanes.upper(4);
  private static final VectorShuffle<Float> SWAP2 = Lanes.swap(2);
  private static final VectorMask<Float> UPPER2 = Lanes.upper(2);
  private static final VectorShuffle<Float> SWAP1 = Lanes.swap(1);
  private static final VectorMask<Float> UPPER1 = Lanes.upper(1);

  @Override
  void run(
      float[] from, int at, int stride, int last, int count, float[] to, int atTo, int strideTo) {
    int a1 = at + (1 <= last ? stride : 0);
    int a2 = at + (2 <= last ? 2 * stride : 0);
    int a3 = at + (3 <= last ? 3 * stride : 0);
    int a4 = at + (4 <= last ? 4 * stride - 4 : 0);
    int a5 = at + (5 <= last ? 5 * stride - 4 : 0);
    int a6 = at + (6 <= last ? 6 * stride - 4 : 0);
    int a7 = at + (7 <= last ? 7 * stride - 4 : 0);
    for (int p = 0, r = atTo; p < count; p += 4, r += 4 * strideTo) {
      FloatVector v0 =
          FloatVector.fromArray(SPECIES, from, at + p)
              .blend(FloatVector.fromArray(SPECIES, from, a4 + p), UPPER4);
      FloatVector v1 =
          FloatVector.fromArray(SPECIES, from, a1 + p)
              .blend(FloatVector.fromArray(SPECIES, from, a5 + p), UPPER4);
      FloatVector v2 =
          FloatVector.fromArray(SPECIES, from, a2 + p)
              .blend(FloatVector.fromArray(SPECIES, from, a6 + p), UPPER4);
      FloatVector v3 =
          FloatVector.fromArray(SPECIES, from, a3 + p)
              .blend(FloatVector.fromArray(SPECIES, from, a7 + p), UPPER4);
      FloatVector t = v0.rearrange(SWAP2);
      v0 = v0.blend(v2.rearrange(SWAP2), UPPER2);
      v2 = t.blend(v2, UPPER2);
      t = v1.rearrange(SWAP2);
      v1 = v1.blend(v3.rearrange(SWAP2), UPPER2);
      v3 = t.blend(v3, UPPER2);
      t = v0.rearrange(SWAP1);
      v0 = v0.blend(v1.rearrange(SWAP1), UPPER1);
      v1 = t.blend(v1, UPPER1);
      t = v2.rearrange(SWAP1);
      v2 = v2.blend(v3.rearrange(SWAP1), UPPER1);
      v3 = t.blend(v3, UPPER1);
      v0.intoArray(to, r);
      v1.intoArray(to, r + strideTo);
      v2.intoArray(to, r + 2 * strideTo);
      v3.intoArray(to, r + 3 * strideTo);
    }
  }
}
