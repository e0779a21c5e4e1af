package io.deltarule.bench;

import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * The work that every peer does: a stack of dense layers with ReLU between them, and sigmoid with
 * binary cross-entropy (one output) or softmax with cross-entropy (more) at its end, trained by the
 * mean over mini-batches that are taken in turn. The same arguments give the same numbers.
 *
 * @param widths inputs, hidden units, outputs
 * @param batch rows of a mini-batch
 * @param rule the update
 * @param rate the learning rate
 * @param threads that the peer may use
 * @param weights of each layer, row-major [units x inputs]
 * @param features of each mini-batch, row-major [batch x inputs]
 * @param targets of each mini-batch, row-major [batch x outputs], 0 or 1
 */
public record Task(
    int[] widths,
    int batch,
    Rule rule,
    float rate,
    int threads,
    float[][] weights,
    float[][] features,
    float[][] targets) {

  /** The mini-batches. */
  public static final int BATCHES = 8;

  private static final double DARK = 0.8; // the share of an image's pixels that are 0

  static Task of(int[] widths, int batch, Rule rule, int threads) {
    SplittableRandom random = new SplittableRandom(1);
    float[][] weights = new float[widths.length - 1][];
    for (int l = 0; l < weights.length; l++) {
      double bound = Math.sqrt(6.0 / widths[l]); // He et al. 2015, drawn uniformly
      weights[l] = new float[widths[l + 1] * widths[l]];
      for (int i = 0; i < weights[l].length; i++) {
        weights[l][i] = (float) (bound * (2 * random.nextDouble() - 1));
      }
    }
    int inputs = widths[0];
    int outputs = widths[widths.length - 1];
    float[][] features = new float[BATCHES][batch * inputs];
    float[][] targets = new float[BATCHES][batch * outputs];
    for (int b = 0; b < BATCHES; b++) {
      for (int i = 0; i < batch; i++) {
        for (int j = 0; j < inputs; j++) {
          double pixel = random.nextDouble() < DARK ? 0 : random.nextDouble();
          features[b][i * inputs + j] = (float) pixel;
        }
        int label = brightest(features[b], i * inputs, inputs, Math.max(2, outputs));
        if (outputs == 1) {
          targets[b][i] = label;
        } else {
          targets[b][i * outputs + label] = 1;
        }
      }
    }
    // Curvature grows with the units; this learns fast and stays stable.
    float rate = rule == Rule.ADAM ? 1e-4f : 20f / Arrays.stream(widths).skip(1).sum();
    return new Task(widths, batch, rule, rate, threads, weights, features, targets);
  }

  /** The class of a row: the largest sum among the features j, j + classes, j + 2 classes, ... */
  private static int brightest(float[] features, int from, int inputs, int classes) {
    double[] sums = new double[classes];
    for (int j = 0; j < inputs; j++) {
      sums[j % classes] += features[from + j];
    }
    int best = 0;
    for (int c = 1; c < classes; c++) {
      best = sums[c] > sums[best] ? c : best;
    }
    return best;
  }

  /**
   * The layers with weights.
   *
   * @return at least 1
   */
  public int layers() {
    return weights.length;
  }

  /**
   * The units of the output layer.
   *
   * @return 1 for sigmoid, more for softmax
   */
  public int outputs() {
    return widths[layers()];
  }

  /**
   * The classes of a mini-batch's rows.
   *
   * @param b which mini-batch
   * @return [batch], from 0
   */
  public int[] labels(int b) {
    int[] labels = new int[batch];
    for (int i = 0; i < batch; i++) {
      if (outputs() == 1) {
        labels[i] = (int) targets[b][i];
      } else {
        while (targets[b][i * outputs() + labels[i]] == 0) {
          labels[i]++;
        }
      }
    }
    return labels;
  }

  /**
   * W of a layer transposed, for libraries that compute X W.
   *
   * @param layer from 0
   * @return row-major [inputs x units]
   */
  public float[] transposedWeights(int layer) {
    int inputs = widths[layer];
    int units = widths[layer + 1];
    float[] transposed = new float[inputs * units];
    for (int i = 0; i < units; i++) {
      for (int j = 0; j < inputs; j++) {
        transposed[j * units + i] = weights[layer][i * inputs + j];
      }
    }
    return transposed;
  }

  /**
   * A row-major matrix as an array of its rows.
   *
   * @param matrix [rows x columns]
   * @param columns of it
   * @return the rows
   */
  public static float[][] rows(float[] matrix, int columns) {
    float[][] rows = new float[matrix.length / columns][];
    for (int i = 0; i < rows.length; i++) {
      rows[i] = Arrays.copyOfRange(matrix, i * columns, (i + 1) * columns);
    }
    return rows;
  }
}
