package io.deltarule.reference;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Tolerance;
import io.deltarule.network.Network;
import io.deltarule.random.Philox;
import io.deltarule.reference.ReferenceNetwork.Forward;
import io.deltarule.reference.ReferenceNetwork.Gradients;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/**
 * Compares backpropagated gradients with finite differences of the loss, in double precision.
 *
 * <p><b>Difference.</b> The loss is a mean over samples, so its derivative is the mean of theirs,
 * each by five points: {@code dJ/dtheta = (8 (J(h) - J(-h)) - (J(2h) - J(-2h))) / 12h + O(h^4)}.
 * Every sample has its own h, which moves the unit's pre-activation by {@value #REACH}. Only what
 * lies above the parameter is computed again.
 *
 * <p><b>Kinks.</b> ReLU and leaky ReLU have no derivative at zero, and a difference across zero
 * measures nothing. Where the sign of any pre-activation differs between a sample's points, its h
 * is divided by 4, up to {@value #SHRINKS} times; if a sign still differs, the parameter sits at a
 * kink and is counted as such, not compared.
 *
 * <p><b>Relative error.</b> {@code |g - d| / max(|g|, |d|, s)} for the gradient g and the
 * difference d. The floor s is the larger of {@value #SMALL} times the root mean square of the
 * layer's gradient (weights and biases each their own) and of what rounding hides from the
 * difference at the accuracy that is asked for: the samples' mean of {@code 8 u |J| / h}, u =
 * 2^-53, divided by {@link Tolerance#GRADIENT_CHECK}. A gradient far below its layer's is so
 * measured on the layer's scale, one of zero too.
 */
public final class GradientCheck {
  private static final double REACH = 2e-3;
  private static final int SHRINKS = 10;
  private static final double SMALL = 1e-3;

  private final ReferenceNetwork reference;
  private final double[][] x;
  private final double[][] y;
  private final Forward base;
  private final boolean kinked;

  private GradientCheck(ReferenceNetwork reference, double[][] x, double[][] y) {
    this.reference = reference;
    this.x = x;
    this.y = y;
    this.base = reference.forward(x);
    double loss = Reference.meanLoss(reference.network().output(), base.logits(), y);
    if (!Double.isFinite(loss)) {
      throw new IllegalArgumentException("there are no finite differences of a loss of " + loss);
    }
    Activation f = reference.network().activation();
    this.kinked = f == Activation.RELU || f == Activation.LEAKY_RELU;
  }

  /**
   * How much to check.
   *
   * @param parameters the most parameters a layer, drawn at random; 0 for all
   * @param rows the most samples, the first ones; 0 for all
   * @param seed of the draw
   */
  public record Options(int parameters, int rows, long seed) {

    /** Everything. */
    public static final Options ALL = new Options(0, 0, 0);

    /**
     * Checks the ranges.
     *
     * @param parameters as above
     * @param rows as above
     * @param seed as above
     * @throws IllegalArgumentException if a number is negative
     */
    public Options {
      if (parameters < 0 || rows < 0) {
        throw new IllegalArgumentException(
            "parameters and rows must be at least 0, not " + parameters + " and " + rows);
      }
    }
  }

  /**
   * What was found in one layer.
   *
   * @param layer from 0
   * @param shape of its weights, such as {@code 64 x 30}
   * @param parameters how many the layer has, weights and biases
   * @param checked how many were compared
   * @param kinks how many sit at a kink and were not
   * @param worst the largest relative error, NaN if a gradient or difference is; 0 if none checked
   * @param where the worst one: its name, gradient and difference; empty if none checked
   */
  public record LayerResult(
      int layer,
      String shape,
      long parameters,
      long checked,
      long kinks,
      double worst,
      String where) {

    /**
     * Whether the gradients agree. A layer of which nothing could be compared has not passed.
     *
     * @return whether worst is at most {@link Tolerance#GRADIENT_CHECK}
     */
    public boolean passed() {
      return checked > 0 && worst <= Tolerance.GRADIENT_CHECK;
    }
  }

  /**
   * Checks the gradients that {@link ReferenceNetwork#backpropagate} gives.
   *
   * @param reference the network
   * @param x inputs [m x n(0)], m at least 1
   * @param y targets [m x outputs]
   * @param options how much
   * @return one result a layer, from layer 0 on
   * @throws IllegalArgumentException if there are no samples, not as many targets, or the loss is
   *     not finite
   */
  public static List<LayerResult> check(
      ReferenceNetwork reference, double[][] x, double[][] y, Options options) {
    requireSamples(x, y);
    double[][] someX = some(x, options);
    double[][] someY = some(y, options);
    return check(reference, someX, someY, reference.backpropagate(someX, someY), options);
  }

  /**
   * Checks given gradients, wherever they come from.
   *
   * @param reference the network
   * @param x inputs [m x n(0)], m at least 1, all of which the gradients belong to
   * @param y targets [m x outputs]
   * @param gradients to be checked
   * @param options how much; its rows must not cut x short
   * @return one result a layer, from layer 0 on
   * @throws IllegalArgumentException if there are no samples, not as many targets, a loss that is
   *     not finite, or more samples than the options' rows
   */
  public static List<LayerResult> check(
      ReferenceNetwork reference,
      double[][] x,
      double[][] y,
      Gradients gradients,
      Options options) {
    requireSamples(x, y);
    if (options.rows > 0 && x.length > options.rows) {
      throw new IllegalArgumentException(
          "the gradients are of " + x.length + " samples, but only " + options.rows + " are asked");
    }
    GradientCheck check = new GradientCheck(reference, x, y);
    return IntStream.range(0, reference.network().layers())
        .mapToObj(l -> check.layer(l, gradients, options))
        .toList();
  }

  private static void requireSamples(double[][] x, double[][] y) {
    if (x.length == 0 || x.length != y.length) {
      throw new IllegalArgumentException(
          "a gradient check needs samples, and as many targets; got %d and %d"
              .formatted(x.length, y.length));
    }
  }

  private static double[][] some(double[][] rows, Options options) {
    return options.rows == 0 || rows.length <= options.rows
        ? rows
        : Arrays.copyOf(rows, options.rows);
  }

  private LayerResult layer(int l, Gradients gradients, Options options) {
    int units = reference.network().units(l);
    int inputs = reference.network().inputs(l);
    double weightScale = rootMeanSquare(gradients.weights()[l]);
    double biasScale = rootMeanSquare(gradients.biases()[l]);
    long parameters = units * (inputs + 1L);
    long checked = 0;
    long kinks = 0;
    double worst = 0;
    String where = "";
    for (long parameter : choose(parameters, l, options)) {
      int j = (int) (parameter / (inputs + 1));
      int k = (int) (parameter % (inputs + 1)); // the bias comes after the unit's weights
      Difference difference = difference(l, j, k);
      if (difference == null) {
        kinks++;
        continue;
      }
      boolean bias = k == inputs;
      double gradient = bias ? gradients.biases()[l][j] : gradients.weights()[l][j][k];
      double hidden = difference.noise / Tolerance.GRADIENT_CHECK;
      double floor = Math.max(SMALL * (bias ? biasScale : weightScale), hidden);
      double error = relativeError(gradient, difference.value, floor);
      checked++;
      if (where.isEmpty() || (worst == worst && !(error <= worst))) { // the first NaN stays
        worst = error;
        where =
            String.format(
                Locale.ROOT,
                "%s: gradient %.9g, difference %.9g",
                bias ? "bias[" + j + "]" : "weight[" + j + "][" + k + "]",
                gradient,
                difference.value);
      }
    }
    return new LayerResult(l, units + " x " + inputs, parameters, checked, kinks, worst, where);
  }

  /** See the class; 0 where both are 0. */
  static double relativeError(double gradient, double difference, double floor) {
    double error = Math.abs(gradient - difference);
    double scale = Math.max(Math.max(Math.abs(gradient), Math.abs(difference)), floor);
    return error == 0 ? 0 : error / scale;
  }

  /** A finite difference, and what rounding may add to it. */
  private record Difference(double value, double noise) {}

  /** The difference for one parameter, the bias if k is past the weights; null at a kink. */
  private Difference difference(int l, int j, int k) {
    double value = 0;
    double noise = 0;
    for (int i = 0; i < x.length; i++) {
      double[] inputs = inputs(l, i);
      double slope = k == inputs.length ? 1 : Math.abs(inputs[k]); // of Z over the parameter
      if (slope == 0) {
        continue; // this sample's loss does not depend on it
      }
      double h = REACH / slope;
      double change = change(i, l, j, k, h);
      for (int shrink = 0; shrink < SHRINKS && Double.isNaN(change); shrink++) {
        h /= 4;
        change = change(i, l, j, k, h);
      }
      if (Double.isNaN(change)) {
        return null;
      }
      double loss = reference.network().output().loss(base.logits()[i], y[i]);
      value += change / (12 * h) / x.length;
      noise += 8 * 0x1p-53 * Math.abs(loss) / h / x.length;
    }
    return new Difference(value, noise);
  }

  /** {@code 12h} times a sample's difference, NaN if a sign differs between its points. */
  private double change(int i, int l, int j, int k, double h) {
    double near = lossAt(i, l, j, k, h) - lossAt(i, l, j, k, -h);
    if (Double.isNaN(near)) {
      return Double.NaN;
    }
    return 8 * near - (lossAt(i, l, j, k, 2 * h) - lossAt(i, l, j, k, -2 * h));
  }

  /**
   * The loss of sample i with one parameter moved, NaN if the sign of a pre-activation then
   * differs. Only unit j of layer l changes, so that the next layer changes by one column; the
   * layers above that are computed whole.
   */
  private double lossAt(int i, int l, int j, int k, double by) {
    Network network = reference.network();
    Activation f = network.activation();
    int top = network.layers() - 1;
    double[] w = reference.weights(l)[j].clone();
    double[] b = {reference.biases(l)[j]};
    if (k == w.length) {
      b[0] += by;
    } else {
      w[k] += by;
    }
    double[][] unit = Reference.preActivations(row(inputs(l, i)), row(w), b); // [1 x 1]
    double[][] z = row(base.z()[Math.min(l + 1, top)][i].clone()); // [1 x n(l+1)]
    if (l == top) {
      z[0][j] = unit[0][0];
    } else {
      if (kinked && unit[0][0] > 0 != base.z()[l][i][j] > 0) {
        return Double.NaN;
      }
      double change = Reference.activations(f, unit)[0][0] - base.a()[l][i][j];
      for (int n = 0; n < z[0].length; n++) {
        z[0][n] += change * reference.weights(l + 1)[n][j];
      }
    }
    for (int above = l + 1; above < top; above++) {
      for (int n = 0; kinked && n < z[0].length; n++) {
        if (z[0][n] > 0 != base.z()[above][i][n] > 0) {
          return Double.NaN;
        }
      }
      double[][] a = Reference.activations(f, z);
      z = Reference.preActivations(a, reference.weights(above + 1), reference.biases(above + 1));
    }
    return network.output().loss(z[0], y[i]);
  }

  /** What layer l gets of sample i. */
  private double[] inputs(int l, int i) {
    return l == 0 ? x[i] : base.a()[l - 1][i];
  }

  private static double[][] row(double[] values) {
    return new double[][] {values};
  }

  /** All parameters of a layer, or as many as asked for, in ascending order. */
  private static long[] choose(long parameters, int l, Options options) {
    if (options.parameters == 0 || parameters <= options.parameters) {
      return LongStream.range(0, parameters).toArray();
    }
    Philox random = new Philox(options.seed, Philox.Purpose.DATA, l);
    return LongStream.generate(() -> (long) (random.nextDouble() * parameters))
        .distinct()
        .limit(options.parameters)
        .sorted()
        .toArray();
  }

  /** Of the finite values: one that is not must not hide in the scale of its layer. */
  private static double rootMeanSquare(double[]... rows) {
    return Math.sqrt(
        Arrays.stream(rows)
            .flatMapToDouble(Arrays::stream)
            .filter(Double::isFinite)
            .map(g -> g * g)
            .average()
            .orElse(0));
  }
}
