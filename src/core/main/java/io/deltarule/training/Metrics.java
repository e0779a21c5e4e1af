package io.deltarule.training;

import io.deltarule.engine.Output;
import java.util.Arrays;
import java.util.OptionalDouble;
import java.util.stream.IntStream;

/**
 * How good predictions are. What does not apply to the output is empty.
 *
 * @param rows samples
 * @param loss mean loss
 * @param accuracy share of samples whose likeliest class is theirs (sigmoid, softmax)
 * @param auc area under the ROC curve (one sigmoid output, if both classes occur)
 * @param rmse root of the mean squared error, in units of the encoded target (linear)
 * @param r2 share of the target's variance that is explained (linear, unless it is constant)
 */
public record Metrics(
    int rows,
    double loss,
    OptionalDouble accuracy,
    OptionalDouble auc,
    OptionalDouble rmse,
    OptionalDouble r2) {

  /**
   * Computes the metrics in double precision.
   *
   * @param output link and loss
   * @param logits [rows x outputs]
   * @param samples with the targets
   * @return the metrics; NaN where a logit is NaN
   * @throws IllegalArgumentException unless there are as many logits as targets
   */
  public static Metrics of(Output output, float[] logits, Samples samples) {
    int n = samples.outputs();
    int rows = samples.rows();
    double loss = loss(output, logits, samples); // checks the lengths
    double[] z = new double[n];
    double[] y = new double[n];
    double squares = 0;
    int correct = 0;
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < n; j++) {
        z[j] = logits[i * n + j];
        y[j] = samples.targets()[i * n + j];
        squares += (z[j] - y[j]) * (z[j] - y[j]);
      }
      correct += isCorrect(output, z, y) ? 1 : 0;
    }
    boolean classes = output != Output.LINEAR;
    return new Metrics(
        rows,
        loss,
        classes ? OptionalDouble.of((double) correct / rows) : OptionalDouble.empty(),
        output == Output.SIGMOID && n == 1
            ? auc(logits, samples.targets())
            : OptionalDouble.empty(),
        classes ? OptionalDouble.empty() : OptionalDouble.of(Math.sqrt(squares / rows / n)),
        classes ? OptionalDouble.empty() : r2(squares, samples.targets(), n));
  }

  /**
   * The mean loss alone, in double precision.
   *
   * @param output link and loss
   * @param logits [rows x outputs]
   * @param samples with the targets
   * @return the loss; NaN where a logit is NaN
   * @throws IllegalArgumentException unless there are as many logits as targets
   */
  public static double loss(Output output, float[] logits, Samples samples) {
    if (logits.length != samples.targets().length) {
      throw new IllegalArgumentException(
          "%d logits for %d targets".formatted(logits.length, samples.targets().length));
    }
    int n = samples.outputs();
    double[] z = new double[n];
    double[] y = new double[n];
    double loss = 0;
    for (int i = 0; i < samples.rows(); i++) {
      for (int j = 0; j < n; j++) {
        z[j] = logits[i * n + j];
        y[j] = samples.targets()[i * n + j];
      }
      loss += output.loss(z, y);
    }
    return loss / samples.rows();
  }

  private static boolean isCorrect(Output output, double[] z, double[] y) {
    if (output == Output.SOFTMAX) {
      return argmax(z) == argmax(y);
    }
    for (int j = 0; j < z.length; j++) {
      if (z[j] > 0 != y[j] > 0.5 || Double.isNaN(z[j])) {
        return false;
      }
    }
    return true;
  }

  /**
   * The largest element; the first of several.
   *
   * @param values at least one
   * @return its index, -1 if one is NaN
   */
  public static int argmax(double[] values) {
    int best = 0;
    for (int j = 0; j < values.length; j++) {
      if (Double.isNaN(values[j])) {
        return -1;
      }
      best = values[j] > values[best] ? j : best;
    }
    return best;
  }

  /**
   * By ranks (Mann and Whitney 1947): the chance that a positive scores higher, ties counting half.
   */
  private static OptionalDouble auc(float[] scores, float[] targets) {
    int[] order =
        IntStream.range(0, scores.length)
            .boxed()
            .sorted((i, j) -> Float.compare(scores[i], scores[j]))
            .mapToInt(Integer::intValue)
            .toArray();
    double rankSum = 0;
    long positives = 0;
    for (int from = 0; from < order.length; ) {
      int to = from;
      while (to < order.length && scores[order[to]] == scores[order[from]]) {
        to++;
      }
      if (to == from) {
        return OptionalDouble.of(Double.NaN); // a NaN equals nothing, itself included
      }
      double rank = (from + 1 + to) / 2.0; // the mean of ranks from + 1 to to
      for (int k = from; k < to; k++) {
        if (targets[order[k]] > 0.5) {
          rankSum += rank;
          positives++;
        }
      }
      from = to;
    }
    long negatives = order.length - positives;
    return positives == 0 || negatives == 0
        ? OptionalDouble.empty()
        : OptionalDouble.of(
            (rankSum - positives * (positives + 1) / 2.0) / ((double) positives * negatives));
  }

  private static OptionalDouble r2(double squares, float[] targets, int columns) {
    double[] means = new double[columns];
    for (int i = 0; i < targets.length; i++) {
      means[i % columns] += targets[i];
    }
    double rows = (double) targets.length / columns;
    Arrays.setAll(means, j -> means[j] / rows);
    double variation = 0;
    for (int i = 0; i < targets.length; i++) {
      variation += (targets[i] - means[i % columns]) * (targets[i] - means[i % columns]);
    }
    return variation == 0 ? OptionalDouble.empty() : OptionalDouble.of(1 - squares / variation);
  }
}
