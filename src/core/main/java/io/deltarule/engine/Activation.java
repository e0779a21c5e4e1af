package io.deltarule.engine;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * The activation {@code f} of a hidden layer, and its derivative.
 *
 * <p>An engine keeps one matrix per layer for the backward pass, named <em>saved</em> throughout:
 * the activations {@code A} themselves where {@code f'} can be written in terms of {@code A} (all
 * but GELU), the pre-activations {@code Z} where it cannot. Every function here passes NaN on.
 *
 * <p>To add one: a constant here, its float twin in each engine (the contract test runs over {@link
 * #values()}), and its line in the kernels' activation header.
 */
public enum Activation {
  /** {@code f(z) = max(0, z)}, {@code f' = 1} where {@code z > 0}, otherwise 0 (0 at 0 exactly). */
  RELU(false, Math.sqrt(2)) {
    @Override
    public double apply(double z) {
      return Math.max(0, z);
    }

    @Override
    public double derivative(double a) {
      return a > 0 ? 1 : a <= 0 ? 0 : Double.NaN;
    }
  },

  /** {@code f(z) = z} where {@code z > 0}, otherwise {@link #LEAKY_SLOPE}{@code z}. */
  LEAKY_RELU(false, Math.sqrt(2 / (1 + 0.01 * 0.01))) {
    @Override
    public double apply(double z) {
      return z > 0 ? z : LEAKY_SLOPE * z;
    }

    @Override
    public double derivative(double a) {
      return a > 0 ? 1 : a <= 0 ? LEAKY_SLOPE : Double.NaN;
    }
  },

  /** {@code f(z) = tanh z}, {@code f' = 1 - a^2}. */
  TANH(false, 1) {
    @Override
    public double apply(double z) {
      return Math.tanh(z);
    }

    @Override
    public double derivative(double a) {
      return 1 - a * a;
    }
  },

  /** {@code f(z) = 1 / (1 + e^-z)}, {@code f' = a (1 - a)}. */
  SIGMOID(false, 1) {
    @Override
    public double apply(double z) {
      return 1 / (1 + Math.exp(-z));
    }

    @Override
    public double derivative(double a) {
      return a * (1 - a);
    }
  },

  /**
   * {@code f(z) = z/2 (1 + tanh u)} with {@code u = sqrt(2/pi) (z + 0.044715 z^3)}, the tanh form
   * of Hendrycks and Gimpel (2016), equation 2. Its derivative needs {@code z}.
   */
  GELU(true, Math.sqrt(2)) {
    @Override
    public double apply(double z) {
      // 0.5 z (1 + tanh u) = z sigmoid(2u): no cancellation for large negative z.
      return z / (1 + Math.exp(-2 * inner(z)));
    }

    @Override
    public double derivative(double z) {
      double s = 1 / (1 + Math.exp(-2 * inner(z)));
      if (s == 0 || s == 1) {
        return s; // saturated, where the second term would be 0 times infinity
      }
      return s + z * s * (1 - s) * 2 * GELU_SCALE * (1 + 3 * GELU_CUBIC * z * z);
    }

    private static double inner(double z) {
      return GELU_SCALE * (z + GELU_CUBIC * z * z * z);
    }
  },

  /** {@code f(z) = z}: a layer without an activation. */
  IDENTITY(false, 1) {
    @Override
    public double apply(double z) {
      return z;
    }

    @Override
    public double derivative(double a) {
      return a == a ? 1 : Double.NaN;
    }
  };

  /** The slope of {@link #LEAKY_RELU} left of zero, 0.01. */
  public static final float LEAKY_SLOPE = 0.01f;

  /** {@code sqrt(2 / pi)}, a constant of {@link #GELU}. */
  public static final double GELU_SCALE = 0.7978845608028654;

  /** The cubic's factor in {@link #GELU}. */
  public static final double GELU_CUBIC = 0.044715;

  private final boolean savesInput;
  private final double gain;

  Activation(boolean savesInput, double gain) {
    this.savesInput = savesInput;
    this.gain = gain;
  }

  /**
   * The function, in double precision: what every engine is measured against.
   *
   * @param z the pre-activation
   * @return {@code f(z)}
   */
  public abstract double apply(double z);

  /**
   * The derivative, in double precision.
   *
   * @param saved {@code f(z)}, or {@code z} if {@link #savesInput()}
   * @return {@code f'(z)}, NaN where {@code saved} is NaN
   */
  public abstract double derivative(double saved);

  /**
   * Whether the derivative needs the pre-activations {@code Z}, so that a matrix of its own has to
   * keep them.
   *
   * @return true if saved is {@code Z}, false if it is {@code A} itself
   */
  public boolean savesInput() {
    return savesInput;
  }

  /**
   * The factor of the initial weights' standard deviation {@code gain / sqrt(inputs)} that keeps
   * the variance of the signal from layer to layer (He et al. 2015 for ReLU, LeCun et al. 1998 for
   * tanh).
   *
   * @return the gain
   */
  public double gain() {
    return gain;
  }

  /**
   * The name as the command line and model files spell it, such as {@code leaky_relu}.
   *
   * @return the lower-case name
   */
  public String spelling() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * The constant of a spelling.
   *
   * @param spelling such as {@code relu}
   * @return the activation
   * @throws IllegalArgumentException naming the possible spellings
   */
  public static Activation of(String spelling) {
    for (Activation activation : values()) {
      if (activation.spelling().equals(spelling)) {
        return activation;
      }
    }
    throw new IllegalArgumentException(
        "unknown activation '"
            + spelling
            + "'; one of "
            + Arrays.stream(values()).map(Activation::spelling).collect(Collectors.joining(", ")));
  }
}
