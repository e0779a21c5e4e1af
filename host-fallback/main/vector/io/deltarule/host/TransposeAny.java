package io.deltarule.host;

import static io.deltarule.host.Lanes.LANES;

/** Number by number, for vectors of another length. */
final class TransposeAny extends Transpose {

  @Override
  void run(
      float[] from, int at, int stride, int last, int count, float[] to, int atTo, int strideTo) {
    for (int p = 0; p < count; p++) {
      for (int i = 0; i < LANES; i++) {
        to[atTo + p * strideTo + i] = from[at + Math.min(i, last) * stride + p];
      }
    }
  }
}
