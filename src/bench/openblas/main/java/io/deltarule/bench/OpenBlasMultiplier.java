package io.deltarule.bench;

/** OpenBLAS's sgemm. */
final class OpenBlasMultiplier implements Multiplier {
  @Override
  public void use(int threads) {
    OpenBlas.use(threads);
  }

  @Override
  public String version() {
    return OpenBlas.version();
  }

  @Override
  public Runnable product(Order order, float[] a, float[] b, int m, int n, int k) {
    float[] c = new float[m * n];
    return () -> OpenBlas.multiply(order, a, b, c, m, n, k);
  }
}
