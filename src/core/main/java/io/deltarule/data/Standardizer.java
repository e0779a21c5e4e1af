package io.deltarule.data;

import java.util.Arrays;

/**
 * {@code x -> (x - mean) / deviation} for each column. A column without variation has the deviation
 * 1 and so becomes 0.
 */
public final class Standardizer {
  private final Normalization normalization;
  private final float[] mean; // [columns]
  private final float[] deviation; // [columns]

  /**
   * From known numbers, which are copied.
   *
   * @param normalization how they were learned
   * @param mean one per column, finite
   * @param deviation one per column, finite and above 0
   * @throws IllegalArgumentException naming the first number that is out of range
   */
  public Standardizer(Normalization normalization, float[] mean, float[] deviation) {
    this.normalization = normalization;
    this.mean = mean.clone();
    this.deviation = deviation.clone();
    if (mean.length == 0 || mean.length != deviation.length) {
      throw new IllegalArgumentException(
          "means %d, deviations %d".formatted(mean.length, deviation.length));
    }
    for (int c = 0; c < mean.length; c++) {
      if (!Float.isFinite(mean[c]) || !Float.isFinite(deviation[c]) || deviation[c] <= 0) {
        throw new IllegalArgumentException(
            "column %d: mean %s, deviation %s".formatted(c, mean[c], deviation[c]));
      }
    }
  }

  /**
   * Learns mean and (population) deviation from some rows: two passes in double precision with the
   * rounding of the first corrected in the second (Chan, Golub, LeVeque 1983, equation 1.7), so
   * that a large mean does not drown a small deviation. Each mean is then rounded to float, as the
   * features are.
   *
   * @param features row-major [n x columns], finite
   * @param columns of the features
   * @param rows to learn from, at least one
   * @param normalization what to learn
   * @return of as many columns
   * @throws IllegalArgumentException if there are no rows
   */
  public static Standardizer learn(
      float[] features, int columns, int[] rows, Normalization normalization) {
    if (rows.length == 0) {
      throw new IllegalArgumentException("no rows to learn from");
    }
    float[] mean = new float[columns];
    float[] deviation = new float[columns];
    Arrays.fill(deviation, 1);
    if (normalization != Normalization.NONE) {
      int step = normalization == Normalization.COLUMN ? 1 : 0; // 0: all columns are one group
      int groups = step == 1 ? columns : 1;
      double count = (double) rows.length * (columns / groups);
      double[] center = new double[groups];
      for (int row : rows) {
        for (int c = 0; c < columns; c++) {
          center[c * step] += features[row * columns + c];
        }
      }
      for (int g = 0; g < groups; g++) {
        center[g] /= count;
      }
      double[] residual = new double[groups];
      double[] square = new double[groups];
      for (int row : rows) {
        for (int c = 0; c < columns; c++) {
          double difference = features[row * columns + c] - center[c * step];
          residual[c * step] += difference;
          square[c * step] += difference * difference;
        }
      }
      for (int c = 0; c < columns; c++) {
        int g = c * step;
        double variance = (square[g] - residual[g] * residual[g] / count) / count;
        mean[c] = (float) center[g];
        float root = (float) Math.sqrt(variance);
        deviation[c] = root > 0 ? root : 1; // also where the variance rounds below 0
      }
    }
    return new Standardizer(normalization, mean, deviation);
  }

  /**
   * Standardises rows, in double precision before rounding.
   *
   * @param features row-major [n x columns]; not changed
   * @return a new array of the same shape; infinite only where a feature lies more than 3e38
   *     deviations from the mean
   * @throws IllegalArgumentException unless the length is a multiple of the columns
   */
  public float[] apply(float[] features) {
    float[] result = features.clone();
    applyInPlace(result);
    return result;
  }

  /**
   * As {@link #apply}, without a copy.
   *
   * @param features row-major [n x columns]; afterwards standardised
   * @throws IllegalArgumentException unless the length is a multiple of the columns
   */
  public void applyInPlace(float[] features) {
    int columns = mean.length;
    if (features.length % columns != 0) {
      throw new IllegalArgumentException(
          "%d features for %d columns".formatted(features.length, columns));
    }
    if (normalization == Normalization.NONE) {
      return;
    }
    for (int start = 0; start < features.length; start += columns) {
      for (int c = 0; c < columns; c++) {
        features[start + c] = (float) (((double) features[start + c] - mean[c]) / deviation[c]);
      }
    }
  }

  /**
   * What was learned.
   *
   * @return the kind
   */
  public Normalization normalization() {
    return normalization;
  }

  /**
   * The columns.
   *
   * @return at least 1
   */
  public int columns() {
    return mean.length;
  }

  /**
   * The means.
   *
   * @return a copy, [columns], in units of the features
   */
  public float[] mean() {
    return mean.clone();
  }

  /**
   * The deviations.
   *
   * @return a copy, [columns], in units of the features, all above 0
   */
  public float[] deviation() {
    return deviation.clone();
  }
}
