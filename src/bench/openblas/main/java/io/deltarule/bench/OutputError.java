package io.deltarule.bench;

/** D = (link(Z) - Y) / m and the mean loss, of sigmoid (one column) or softmax (more). */
final class OutputError {
  private OutputError() {}

  static float compute(float[] z, float[] y, float[] d, int columns) {
    int rows = z.length / columns;
    double loss = 0;
    for (int i = 0; i < rows; i++) {
      int from = i * columns;
      loss += columns == 1 ? sigmoid(z, y, d, i, rows) : softmax(z, y, d, from, columns, rows);
    }
    return (float) (loss / rows);
  }

  private static double sigmoid(float[] z, float[] y, float[] d, int i, int rows) {
    double t = Math.exp(-Math.abs(z[i]));
    double p = (z[i] >= 0 ? 1 : t) / (1 + t);
    d[i] = (float) ((p - y[i]) / rows);
    return Math.max(z[i], 0) - z[i] * y[i] + Math.log1p(t);
  }

  private static double softmax(float[] z, float[] y, float[] d, int from, int columns, int rows) {
    double largest = Double.NEGATIVE_INFINITY;
    for (int j = from; j < from + columns; j++) {
      largest = Math.max(largest, z[j]);
    }
    double sum = 0;
    double score = 0;
    for (int j = from; j < from + columns; j++) {
      double e = Math.exp(z[j] - largest);
      sum += e;
      score += y[j] * (z[j] - largest);
      d[j] = (float) e;
    }
    for (int j = from; j < from + columns; j++) {
      d[j] = (float) ((d[j] / sum - y[j]) / rows);
    }
    return Math.log(sum) - score;
  }
}
