package io.deltarule.training;

/**
 * Samples as a network sees them: standardised features and encoded targets, row-major.
 *
 * @param rows the samples
 * @param inputs the features of each
 * @param features [rows x inputs]
 * @param outputs the targets of each
 * @param targets [rows x outputs]
 */
public record Samples(int rows, int inputs, float[] features, int outputs, float[] targets) {

  /**
   * Checks the lengths.
   *
   * @param rows as above
   * @param inputs as above
   * @param features as above
   * @param outputs as above
   * @param targets as above
   * @throws IllegalArgumentException if an array does not have rows times columns elements
   */
  public Samples {
    if (features.length != (long) rows * inputs || targets.length != (long) rows * outputs) {
      throw new IllegalArgumentException(
          "%d samples of %d features and %d targets, but arrays of %d and %d"
              .formatted(rows, inputs, outputs, features.length, targets.length));
    }
  }

  /**
   * How many mini-batches they make.
   *
   * @param size the rows of a batch; the last may have fewer
   * @return at least 1 for at least one row
   */
  int batches(int size) {
    return (rows - 1) / size + 1;
  }

  /**
   * Some of the samples, copied.
   *
   * @param chosen their row numbers
   * @return the samples, in that order
   */
  public Samples select(int[] chosen) {
    return new Samples(
        chosen.length,
        inputs,
        select(features, inputs, chosen),
        outputs,
        select(targets, outputs, chosen));
  }

  private static float[] select(float[] from, int columns, int[] chosen) {
    float[] to = new float[chosen.length * columns];
    for (int i = 0; i < chosen.length; i++) {
      System.arraycopy(from, chosen[i] * columns, to, i * columns, columns);
    }
    return to;
  }
}
