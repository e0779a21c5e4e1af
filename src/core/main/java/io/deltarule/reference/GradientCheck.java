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
 * <p><b>Difference.</b> Five points: {@code dJ/dtheta = (8 (J(h) - J(-h)) - (J(2h) - J(-2h))) / 12h
 * + O(h^4)}, with h such that a pre-activation moves by at most {@value #REACH} at h. Only what
 * lies above the parameter is computed again.
 *
 * <p><b>Kinks.</b> ReLU and leaky ReLU have no derivative at zero, and a difference across zero
 * measures nothing. Where the sign of any pre-activation differs between the points, h is divided
 * by 4, up to {@value #SHRINKS} times; if a sign still differs, the parameter sits at a kink and is
 * counted as such, not compared.
 *
 * <p><b>Relative error.</b> {@code |g - d| / max(|g|, |d|, s)} for the gradient g and the
 * difference d. The floor s is the larger of {@value #SMALL} times the root mean square of the
 * layer's gradient (weights and biases each their own) and of what rounding hides from the
 * difference at the accuracy that is asked for: {@code 8 u |J| / h}, u = 2^-53, divided by {@link
 * Tolerance#GRADIENT_CHECK}. A gradient far below its layer's is so measured on the layer's scale,
 * one of zero too.
 */
public final class GradientCheck {
  private static final double REACH = 2e-3;
  private static final int SHRINKS = 5;
  private static final double SMALL = 1e-3;

  private final ReferenceNetwork reference;
  private final double[][] x;
  private final double[][] y;
  private final Forward base;
  private final double loss;
  private final boolean kinked;

  private GradientCheck(ReferenceNetwork reference, double[][] x, double[][] y) {
    this.reference = reference;
    this.x = x;
    this.y = y;
    this.base = reference.forward(x);
    this.loss = Reference.meanLoss(reference.network().output(), base.logits(), y);
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
      double h = REACH / reach(l, k);
      double difference = difference(l, j, k, h);
      for (int shrink = 0; shrink < SHRINKS && Double.isNaN(difference); shrink++) {
        h /= 4;
        difference = difference(l, j, k, h);
      }
      if (Double.isNaN(difference)) {
        kinks++;
        continue;
      }
      boolean bias = k == inputs;
      double gradient = bias ? gradients.biases()[l][j] : gradients.weights()[l][j][k];
      double hidden = 8 * 0x1p-53 * Math.abs(loss) / h / Tolerance.GRADIENT_CHECK;
      double floor = Math.max(SMALL * (bias ? biasScale : weightScale), hidden);
      double error = relativeError(gradient, difference, floor);
      checked++;
      if (where.isEmpty() || !(error <= worst)) {
        worst = worst == worst ? error : worst; // the first NaN stays
        where =
            String.format(
                Locale.ROOT,
                "%s: gradient %.9g, difference %.9g",
                bias ? "bias[" + j + "]" : "weight[" + j + "][" + k + "]",
                gradient,
                difference);
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

  /** The largest input that a parameter of column k multiplies: how far h moves Z, for h = 1. */
  private double reach(int l, int k) {
    if (k == reference.network().inputs(l)) {
      return 1;
    }
    double[][] inputs = l == 0 ? x : base.a()[l - 1];
    double largest = Arrays.stream(inputs).mapToDouble(row -> Math.abs(row[k])).max().orElse(0);
    return largest == 0 ? 1 : largest;
  }

  /** The five-point difference, NaN if the sign of a pre-activation differs between its points. */
  private double difference(int l, int j, int k, double h) {
    double near = lossAt(l, j, k, h) - lossAt(l, j, k, -h);
    if (Double.isNaN(near)) {
      return Double.NaN;
    }
    double far = lossAt(l, j, k, 2 * h) - lossAt(l, j, k, -2 * h);
    return Double.isNaN(far) ? Double.NaN : (8 * near - far) / (12 * h);
  }

  /**
   * The loss with one parameter moved, NaN if the sign of a pre-activation then differs. Only unit
   * j of layer l changes, so that one column of the next layer's inputs does; the layers above that
   * are computed whole.
   */
  private double lossAt(int l, int j, int k, double by) {
    Network network = reference.network();
    int top = network.layers() - 1;
    double[] w = reference.weights(l)[j].clone();
    double[] b = {reference.biases(l)[j]};
    (k == w.length ? b : w)[k == w.length ? 0 : k] += by;
    double[][] below = l == 0 ? x : base.a()[l - 1];
    double[][] unit = Reference.preActivations(below, new double[][] {w}, b); // [m x 1]
    if (l < top && crosses(unit, base.z()[l], j)) {
      return Double.NaN;
    }
    double[][] z = new double[x.length][];
    if (l == top) {
      for (int i = 0; i < z.length; i++) {
        z[i] = base.z()[l][i].clone();
        z[i][j] = unit[i][0];
      }
      return Reference.meanLoss(network.output(), z, y);
    }
    double[][] a = Reference.activations(network.activation(), unit); // [m x 1]
    for (int i = 0; i < z.length; i++) {
      z[i] = base.z()[l + 1][i].clone();
      for (int n = 0; n < z[i].length; n++) {
        z[i][n] += (a[i][0] - base.a()[l][i][j]) * reference.weights(l + 1)[n][j];
      }
    }
    for (int above = l + 1; above < top; above++) {
      if (crosses(z, base.z()[above], 0)) {
        return Double.NaN;
      }
      double[][] inputs = Reference.activations(network.activation(), z);
      z =
          Reference.preActivations(
              inputs, reference.weights(above + 1), reference.biases(above + 1));
    }
    return Reference.meanLoss(network.output(), z, y);
  }

  /** Whether any sign of z differs from the one in the columns of {@code of} from a column on. */
  private boolean crosses(double[][] z, double[][] of, int from) {
    if (kinked) {
      for (int i = 0; i < z.length; i++) {
        for (int n = 0; n < z[i].length; n++) {
          if (z[i][n] > 0 != of[i][from + n] > 0) {
            return true;
          }
        }
      }
    }
    return false;
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

  private static double rootMeanSquare(double[]... rows) {
    double squares = Arrays.stream(rows).flatMapToDouble(Arrays::stream).map(g -> g * g).sum();
    return Math.sqrt(squares / Arrays.stream(rows).mapToInt(row -> row.length).sum());
  }
}
