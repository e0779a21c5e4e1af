package io.deltarule.engine;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * The output of a network: a link and the loss that belongs to it. These are the three canonical
 * pairs, for which the error signal is {@code link(z) - y}; no loss can be paired with another
 * link.
 */
public enum Output {
  /**
   * Sigmoid with binary cross-entropy, for each output column on its own: {@code max(z, 0) - z y +
   * ln(1 + e^-|z|)}, summed over the columns. Targets lie in [0, 1].
   */
  SIGMOID {
    @Override
    public void link(double[] z) {
      for (int j = 0; j < z.length; j++) {
        z[j] = 1 / (1 + Math.exp(-z[j]));
      }
    }

    @Override
    public double loss(double[] z, double[] y) {
      double sum = 0;
      for (int j = 0; j < z.length; j++) {
        sum += Math.max(z[j], 0) - z[j] * y[j] + Math.log1p(Math.exp(-Math.abs(z[j])));
      }
      return sum;
    }
  },

  /**
   * Softmax over the output columns with cross-entropy: {@code ln sum_j e^z_j - sum_j y_j z_j}.
   * Targets are one-hot rows (or rows that sum to 1).
   */
  SOFTMAX {
    @Override
    public void link(double[] z) {
      double max = Arrays.stream(z).reduce(Double.NEGATIVE_INFINITY, Math::max);
      double sum = 0;
      for (int j = 0; j < z.length; j++) {
        z[j] = Math.exp(z[j] - max);
        sum += z[j];
      }
      for (int j = 0; j < z.length; j++) {
        z[j] /= sum;
      }
    }

    @Override
    public double loss(double[] z, double[] y) {
      double max = Arrays.stream(z).reduce(Double.NEGATIVE_INFINITY, Math::max);
      double sum = 0;
      double linear = 0;
      for (int j = 0; j < z.length; j++) {
        sum += Math.exp(z[j] - max);
        linear += y[j] * (z[j] - max);
      }
      return Math.log(sum) - linear;
    }
  },

  /** No link, with half the squared error: {@code 1/2 sum_j (z_j - y_j)^2}. */
  LINEAR {
    @Override
    public void link(double[] z) {
      // The identity.
    }

    @Override
    public double loss(double[] z, double[] y) {
      double sum = 0;
      for (int j = 0; j < z.length; j++) {
        sum += 0.5 * (z[j] - y[j]) * (z[j] - y[j]);
      }
      return sum;
    }
  };

  /**
   * The link, in place and in double precision.
   *
   * @param z the logits of one sample; afterwards its predictions
   */
  public abstract void link(double[] z);

  /**
   * The loss of one sample, from its logits, in double precision: finite for every finite logit.
   *
   * @param z the logits of one sample
   * @param y its targets, as many
   * @return the loss in nats (or in squared units of the target for {@link #LINEAR})
   */
  public abstract double loss(double[] z, double[] y);

  /**
   * The name as the command line and model files spell it, such as {@code sigmoid}.
   *
   * @return the lower-case name
   */
  public String spelling() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * The constant of a spelling.
   *
   * @param spelling such as {@code softmax}
   * @return the output
   * @throws IllegalArgumentException naming the possible spellings
   */
  public static Output of(String spelling) {
    for (Output output : values()) {
      if (output.spelling().equals(spelling)) {
        return output;
      }
    }
    throw new IllegalArgumentException(
        "unknown output '"
            + spelling
            + "'; one of "
            + Arrays.stream(values()).map(Output::spelling).collect(Collectors.joining(", ")));
  }
}
