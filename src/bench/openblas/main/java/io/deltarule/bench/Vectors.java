package io.deltarule.bench;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/** What a step does beside its products, a row at a time; matrices are as wide as their vector. */
final class Vectors {
  private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;

  private Vectors() {}

  /** Z = Z + 1 b'. */
  static void add(float[] z, float[] b) {
    for (int row = 0; row < z.length; row += b.length) {
      for (int j = 0; j < b.length; j++) {
        z[row + j] += b[j];
      }
    }
  }

  /** Z = max(Z + 1 b', 0). */
  static void addAndRectify(float[] z, float[] b) {
    int whole = SPECIES.loopBound(b.length);
    for (int row = 0; row < z.length; row += b.length) {
      int j = 0;
      for (; j < whole; j += SPECIES.length()) {
        FloatVector sum =
            FloatVector.fromArray(SPECIES, z, row + j).add(FloatVector.fromArray(SPECIES, b, j));
        sum.max(0).intoArray(z, row + j);
      }
      for (; j < b.length; j++) {
        z[row + j] = Math.max(z[row + j] + b[j], 0);
      }
    }
  }

  /** D is zero where A is. */
  static void mask(float[] d, float[] a) {
    int whole = SPECIES.loopBound(d.length);
    int i = 0;
    for (; i < whole; i += SPECIES.length()) {
      var alive = FloatVector.fromArray(SPECIES, a, i).compare(VectorOperators.GT, 0);
      FloatVector.zero(SPECIES).blend(FloatVector.fromArray(SPECIES, d, i), alive).intoArray(d, i);
    }
    for (; i < d.length; i++) {
      d[i] = a[i] > 0 ? d[i] : 0;
    }
  }

  /** sums = D' 1. */
  static void columnSums(float[] d, float[] sums) {
    Arrays.fill(sums, 0);
    int whole = SPECIES.loopBound(sums.length);
    for (int row = 0; row < d.length; row += sums.length) {
      int j = 0;
      for (; j < whole; j += SPECIES.length()) {
        FloatVector.fromArray(SPECIES, sums, j)
            .add(FloatVector.fromArray(SPECIES, d, row + j))
            .intoArray(sums, j);
      }
      for (; j < sums.length; j++) {
        sums[j] += d[row + j];
      }
    }
  }

  /** theta = theta - rate g; the JIT compiler makes vectors of this one. */
  static void sgd(float[] theta, float[] g, float rate) {
    for (int i = 0; i < theta.length; i++) {
      theta[i] -= rate * g[i];
    }
  }
}
