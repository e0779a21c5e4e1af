package io.deltarule.host;

/**
 * Dot products as sixteen chains of fused multiply-adds: chain l starts at zero and has the terms
 * l, l + 16, and so on. Then the upper eight are added to the lower eight, of these the upper four
 * to the lower four, and so on. Vectors of 8 and 16 add in the same order.
 */
class Dots {
  static final int CHAINS = 16;

  /** How many rows {@link #run} takes at once. */
  int rows() {
    return 1;
  }

  /**
   * Multiplies many rows of A by a row of B, each of k numbers, and adds a bias to all products.
   *
   * @param count of the rows of A
   * @param a has row r at {@code atA + r k}
   * @param bias the one of all rows
   * @param to gets the result of row r at {@code atTo + r}
   * @param sums as for {@link #run}
   */
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
    for (int i = 0; i < count; i += rows()) {
      int next = Math.min(rows(), count - i);
      run(next, k, a, atA + i * k, b, atB, sums);
      for (int r = 0; r < next; r++) {
        to[atTo + i + r] = sums[r] + bias;
      }
    }
  }

  /**
   * Multiplies rows of A by a row of B, each of k numbers.
   *
   * @param count of the rows of A, from 1 to {@link #rows}
   * @param a has row r at {@code atA + r k}
   * @param sums gets the products; {@link #CHAINS} long, undefined after them
   */
  void run(int count, int k, float[] a, int atA, float[] b, int atB, float[] sums) {
    float s0 = 0;
    float s1 = 0;
    float s2 = 0;
    float s3 = 0;
    float s4 = 0;
    float s5 = 0;
    float s6 = 0;
    float s7 = 0;
    float s8 = 0;
    float s9 = 0;
    float s10 = 0;
    float s11 = 0;
    float s12 = 0;
    float s13 = 0;
    float s14 = 0;
    float s15 = 0;
    int whole = k - k % CHAINS;
    for (int p = 0; p < whole; p += CHAINS) {
      int q = atA + p;
      int r = atB + p;
      s0 = Math.fma(a[q], b[r], s0);
      s1 = Math.fma(a[q + 1], b[r + 1], s1);
      s2 = Math.fma(a[q + 2], b[r + 2], s2);
      s3 = Math.fma(a[q + 3], b[r + 3], s3);
      s4 = Math.fma(a[q + 4], b[r + 4], s4);
      s5 = Math.fma(a[q + 5], b[r + 5], s5);
      s6 = Math.fma(a[q + 6], b[r + 6], s6);
      s7 = Math.fma(a[q + 7], b[r + 7], s7);
      s8 = Math.fma(a[q + 8], b[r + 8], s8);
      s9 = Math.fma(a[q + 9], b[r + 9], s9);
      s10 = Math.fma(a[q + 10], b[r + 10], s10);
      s11 = Math.fma(a[q + 11], b[r + 11], s11);
      s12 = Math.fma(a[q + 12], b[r + 12], s12);
      s13 = Math.fma(a[q + 13], b[r + 13], s13);
      s14 = Math.fma(a[q + 14], b[r + 14], s14);
      s15 = Math.fma(a[q + 15], b[r + 15], s15);
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
    sums[4] = s4;
    sums[5] = s5;
    sums[6] = s6;
    sums[7] = s7;
    sums[8] = s8;
    sums[9] = s9;
    sums[10] = s10;
    sums[11] = s11;
    sums[12] = s12;
    sums[13] = s13;
    sums[14] = s14;
    sums[15] = s15;
    for (int l = 0; l < k - whole; l++) {
      sums[l] = Math.fma(a[atA + whole + l], b[atB + whole + l], sums[l]);
    }
    for (int half = CHAINS / 2; half > 0; half /= 2) {
      for (int l = 0; l < half; l++) {
        sums[l] += sums[l + half];
      }
    }
  }
}
