package io.deltarule.host;

import io.deltarule.engine.Output;
import io.deltarule.engine.spi.Operand;

/**
 * {@code D = (link(Z) - Y) / m} and the mean loss, in double precision for each element, from the
 * logits. The losses of the rows are added in their order.
 */
final class OutputErrors extends Workers.Task {
  private static final int CHUNK = 2048; // elements
  private static final long ONE = Double.doubleToRawLongBits(1.0);

  private final Workers workers;
  private Output output;
  private float[] z;
  private int atZ;
  private float[] y;
  private int atY;
  private float[] d;
  private int atD;
  private int m;
  private int n;
  private int rows; // of a chunk
  private double[] losses = new double[0]; // of each row

  OutputErrors(Workers workers) {
    this.workers = workers;
  }

  /**
   * Computes D.
   *
   * @return the mean loss
   */
  float run(
      Output link,
      Operand<HostBlock> logits,
      Operand<HostBlock> targets,
      Operand<HostBlock> error) {
    m = logits.rows();
    n = logits.columns();
    if (m == 0) {
      return 0;
    }
    output = link;
    z = logits.block().floats();
    atZ = (int) logits.offset();
    y = targets.block().floats();
    atY = (int) targets.offset();
    d = error.block().floats();
    atD = (int) error.offset();
    if (losses.length < m) {
      losses = new double[m];
    }
    rows = Math.max(1, CHUNK / Math.max(1, n));
    workers.run(this, (m + rows - 1) / rows);
    z = null;
    y = null;
    d = null;
    double sum = 0;
    for (int i = 0; i < m; i++) {
      sum += losses[i];
    }
    return (float) (sum / m);
  }

  @Override
  void run(int chunk, int worker) {
    int start = chunk * rows;
    int end = Math.min(m, start + rows);
    switch (output) {
      case SIGMOID -> sigmoid(start, end);
      case SOFTMAX -> softmax(start, end);
      case LINEAR -> linear(start, end);
    }
  }

  private void sigmoid(int start, int end) {
    for (int i = start, at = start * n; i < end; i++, at += n) {
      double loss = 0;
      for (int j = at; j < at + n; j++) {
        double logit = z[atZ + j];
        double target = y[atY + j];
        double e = Exponential.exp(-Math.abs(logit)); // at most 1: nothing overflows
        // By bits: half of the branches that decide by a sign would be mispredicted.
        long bits = Double.doubleToRawLongBits(logit);
        long negative = bits >> 63;
        long numerator = Double.doubleToRawLongBits(e) & negative | ONE & ~negative;
        double s = Double.longBitsToDouble(numerator) / (1 + e);
        d[atD + j] = (float) ((s - target) / m);
        double positive = Double.longBitsToDouble(bits & ~negative); // max(logit, 0)
        loss += positive - logit * target + Exponential.log1p(e);
      }
      losses[i] = loss;
    }
  }

  private void softmax(int start, int end) {
    for (int i = start, at = start * n; i < end; i++, at += n) {
      float max = Float.NEGATIVE_INFINITY;
      for (int j = at; j < at + n; j++) {
        max = Math.max(max, z[atZ + j]); // NaN if one is
      }
      double sum = 0;
      double linear = 0;
      for (int j = at; j < at + n; j++) {
        double below = (double) z[atZ + j] - max;
        double e = Exponential.exp(below);
        d[atD + j] = (float) e;
        sum += e;
        linear += y[atY + j] * below;
      }
      for (int j = at; j < at + n; j++) {
        d[atD + j] = (float) ((d[atD + j] / sum - y[atY + j]) / m);
      }
      losses[i] = Math.log(sum) - linear;
    }
  }

  private void linear(int start, int end) {
    for (int i = start, at = start * n; i < end; i++, at += n) {
      double loss = 0;
      for (int j = at; j < at + n; j++) {
        double difference = (double) z[atZ + j] - y[atY + j];
        d[atD + j] = (float) (difference / m);
        loss += 0.5 * difference * difference;
      }
      losses[i] = loss;
    }
  }
}
