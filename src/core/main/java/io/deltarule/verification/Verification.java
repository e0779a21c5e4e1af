package io.deltarule.verification;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Cursor;
import io.deltarule.engine.Engine;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.Output;
import io.deltarule.engine.Precision;
import io.deltarule.engine.Tolerance;
import io.deltarule.engine.UpdateRule;
import io.deltarule.network.Network;
import io.deltarule.network.Parameters;
import io.deltarule.reference.Reference;
import io.deltarule.reference.ReferenceNetwork;
import io.deltarule.training.Samples;
import io.deltarule.training.Stack;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Runs some steps of gradient descent on an engine and in the double-precision reference, on the
 * same parameters and the same batch, and keeps what both compute.
 *
 * <p><b>Tolerances</b> follow the errors through the network: what a layer's own rounding may cost
 * ({@link Tolerance}), and what the error of its inputs becomes in it, at most about the error
 * times the 2-norm of a row of the weights since rounding errors have no common direction.
 *
 * <p><b>Kinks.</b> Where a pre-activation of ReLU or leaky ReLU lies within its tolerance of 0, the
 * engine may find it on the other side, and the error signal passes or does not. Both are right;
 * the reference then follows the engine, and the place is counted.
 */
public final class Verification {
  /** The rounding of the parameters themselves, a step. */
  private static final double ROUNDOFF = Precision.FP32.roundoff();

  private final Engine engine;
  private final Network network;
  private final double[][] x; // [m x inputs]
  private final double[][] y; // [m x outputs]
  private final ReferenceNetwork reference;
  private final List<Quantity> quantities = new ArrayList<>();
  private final double[] activationError; // of each layer in this step
  private final double[] weightGradientError;
  private final double[] biasGradientError;
  private int kinks;

  private Verification(Engine engine, Parameters parameters, Samples batch) {
    this.engine = engine;
    this.network = parameters.network();
    this.x = ReferenceNetwork.rows(batch.features(), batch.rows(), batch.inputs());
    this.y = ReferenceNetwork.rows(batch.targets(), batch.rows(), batch.outputs());
    this.reference = new ReferenceNetwork(parameters);
    this.activationError = new double[network.layers()];
    this.weightGradientError = new double[network.layers()];
    this.biasGradientError = new double[network.layers()];
  }

  /**
   * What was found on one engine.
   *
   * @param quantities of the first step, from the first layer to the last and back, then the
   *     parameters after all steps
   * @param kinks places where the reference followed the engine
   */
  public record Result(List<Quantity> quantities, int kinks) {}

  /**
   * Runs the steps.
   *
   * @param engine to be verified
   * @param parameters to start from
   * @param batch the one batch of every step, at least one row
   * @param rate the learning rate
   * @param steps at least 1
   * @return all quantities of the first step, and the parameters after the last
   */
  public static Result run(
      Engine engine, Parameters parameters, Samples batch, double rate, int steps) {
    return new Verification(engine, parameters, batch).run(parameters, batch, rate, steps);
  }

  private Result run(Parameters parameters, Samples batch, double rate, int steps) {
    UpdateRule sgd = new UpdateRule.Sgd();
    float[] scalars = sgd.scalars(1, rate, 0);
    int m = batch.rows();
    try (Stack stack = new Stack(engine, network);
        Matrix features = engine.allocate("batch", m, network.inputs());
        Matrix targets = engine.allocate("batch targets", m, network.outputs());
        Matrix losses = engine.allocate("losses", 1, 1);
        Matrix state = engine.allocate("optimizer state", 0, stack.theta().columns());
        Matrix schedule = engine.allocate("schedule", 1, UpdateRule.SCALARS);
        Cursor cursor = engine.allocateCursor("step")) {
      stack.write(parameters);
      engine.write(features, batch.features());
      engine.write(targets, batch.targets());
      engine.write(schedule, scalars);
      Stack.Pass pass = stack.pass(m).forTraining();
      double[] weightError = new double[network.layers()];
      double[] biasError = new double[network.layers()];
      for (int step = 0; step < steps; step++) {
        pass.forward(features);
        pass.backward(features, targets, losses, cursor);
        follow(stack, pass, losses, scalars, step == 0);
        engine.update(sgd, stack.theta(), stack.gradient(), state, schedule, cursor);
        for (int l = 0; l < network.layers(); l++) {
          weightError[l] +=
              2 * rate * weightGradientError[l] + 2 * ROUNDOFF * largest(reference.weights(l));
          biasError[l] +=
              2 * rate * biasGradientError[l]
                  + 2 * ROUNDOFF * largest(new double[][] {reference.biases(l)});
        }
      }
      for (int l = 0; l < network.layers(); l++) {
        record("W", l, stack.weights(stack.theta(), l), reference.weights(l), weightError[l]);
        record(
            "b",
            l,
            stack.biases(stack.theta(), l),
            new double[][] {reference.biases(l)},
            biasError[l]);
      }
    }
    return new Result(quantities, kinks);
  }

  /** One step of the reference beside the engine's, which has just gone forward and backward. */
  private void follow(
      Stack stack, Stack.Pass pass, Matrix losses, float[] scalars, boolean record) {
    int top = network.layers() - 1;
    double[][][] z = new double[network.layers()][][];
    double[][][] a = new double[network.layers()][][];
    for (int l = 0; l <= top; l++) {
      double[][] inputs = l == 0 ? x : a[l - 1];
      z[l] = Reference.preActivations(inputs, reference.weights(l), reference.biases(l));
      a[l] = l == top ? z[l] : Reference.activations(network.activation(), z[l]);
      double inputError = l == 0 ? 0 : activationError[l - 1];
      activationError[l] =
          sumError(network.inputs(l), inputs, reference.weights(l), largest(z[l]))
              + inputError * largestRow(reference.weights(l))
              + (l == top ? 0 : Tolerance.function(largest(a[l])).absolute());
      if (l < top) {
        followKinks(z[l], a[l], pass.activations(l), activationError[l]);
      }
      if (record) {
        record("A", l, pass.activations(l), a[l], activationError[l]);
      }
    }
    int m = x.length;
    double[][][] d = new double[network.layers()][][];
    double[][][] dw = new double[network.layers()][][];
    double[][] db = new double[network.layers()][];
    double[] errorSignalError = new double[network.layers()];
    d[top] = Reference.outputError(network.output(), z[top], y);
    double linkScale = network.output() == Output.LINEAR ? largest(z[top]) + largest(y) : 1;
    errorSignalError[top] = (Tolerance.function(linkScale).absolute() + activationError[top]) / m;
    if (record) {
      double loss = Reference.meanLoss(network.output(), z[top], y);
      // The loss is a mean of terms whose derivative by a logit is at most linkScale.
      double lossError =
          Tolerance.function(Math.abs(loss) + largest(z[top])).absolute()
              + activationError[top] * linkScale * network.outputs();
      record("loss", top, losses, new double[][] {{loss}}, lossError);
    }
    for (int l = top; l >= 0; l--) {
      if (l < top) {
        double[][] saved = network.activation().savesInput() ? z[l] : a[l];
        double[][] w = reference.weights(l + 1);
        d[l] = Reference.propagate(d[l + 1], w, network.activation(), saved);
        double[][] unmasked = Reference.propagate(d[l + 1], w, Activation.IDENTITY, saved);
        errorSignalError[l] =
            1.2 // the largest derivative of any activation, GELU's
                * (sumError(network.units(l + 1), d[l + 1], w, largest(unmasked))
                    + errorSignalError[l + 1] * largestColumn(w)
                    + largest(unmasked) * curvature() * activationError[l]);
      }
      double[][] inputs = l == 0 ? x : a[l - 1];
      double inputError = l == 0 ? 0 : activationError[l - 1];
      dw[l] = Reference.weightGradient(d[l], inputs, network.units(l), network.inputs(l));
      db[l] = Reference.biasGradient(d[l], network.units(l));
      weightGradientError[l] =
          sumError(m, d[l], inputs, largest(dw[l]))
              + errorSignalError[l] * largestColumn(inputs)
              + inputError * largestColumn(d[l]);
      biasGradientError[l] =
          sumError(m, d[l], new double[][] {{1}}, largest(new double[][] {db[l]}))
              + errorSignalError[l] * Math.sqrt(m);
      if (record) {
        record("D", l, pass.error(l), d[l], errorSignalError[l]);
        record("dW", l, stack.weights(stack.gradient(), l), dw[l], weightGradientError[l]);
        record(
            "db",
            l,
            stack.biases(stack.gradient(), l),
            new double[][] {db[l]},
            biasGradientError[l]);
      }
    }
    reference.update(new UpdateRule.Sgd(), new ReferenceNetwork.Gradients(0, d, dw, db), scalars);
  }

  /**
   * The largest second derivative of the activation, 0 for those that are straight but for a kink.
   */
  private double curvature() {
    return switch (network.activation()) {
      case RELU, LEAKY_RELU, IDENTITY -> 0;
      default -> 1.2;
    };
  }

  private void followKinks(double[][] z, double[][] a, Matrix engineA, double tolerance) {
    if (network.activation() != Activation.RELU && network.activation() != Activation.LEAKY_RELU) {
      return;
    }
    float[] theirs = read(engineA);
    int columns = engineA.columns();
    for (int i = 0; i < z.length; i++) {
      for (int j = 0; j < columns; j++) {
        float other = theirs[i * columns + j];
        if (Math.abs(z[i][j]) <= tolerance
            && Math.abs(other) <= 2 * tolerance
            && other > 0 != a[i][j] > 0) {
          a[i][j] = other;
          kinks++;
        }
      }
    }
  }

  private double sumError(int terms, double[][] left, double[][] right, double largestResult) {
    Tolerance tolerance =
        Tolerance.sum(
            engine.description().precision(), terms, rootMeanSquare(left) * rootMeanSquare(right));
    return tolerance.absolute() + tolerance.relative() * largestResult;
  }

  private void record(
      String name, int layer, Matrix matrix, double[][] expected, double tolerance) {
    quantities.add(
        new Quantity(
            name,
            layer,
            matrix.rows(),
            matrix.columns(),
            read(matrix),
            Arrays.stream(expected).flatMapToDouble(Arrays::stream).toArray(),
            tolerance));
  }

  private float[] read(Matrix matrix) {
    float[] values = new float[Math.toIntExact(matrix.size())];
    engine.read(matrix, values);
    return values;
  }

  private static double largest(double[][] rows) {
    return Arrays.stream(rows).flatMapToDouble(Arrays::stream).map(Math::abs).max().orElse(0);
  }

  private static double rootMeanSquare(double[][] rows) {
    return Math.sqrt(
        Arrays.stream(rows).flatMapToDouble(Arrays::stream).map(v -> v * v).average().orElse(0));
  }

  private static double largestRow(double[][] rows) {
    return Arrays.stream(rows)
        .mapToDouble(row -> Math.sqrt(Arrays.stream(row).map(v -> v * v).sum()))
        .max()
        .orElse(0);
  }

  private static double largestColumn(double[][] rows) {
    double[] squares = new double[rows.length == 0 ? 0 : rows[0].length];
    for (double[] row : rows) {
      for (int j = 0; j < squares.length; j++) {
        squares[j] += row[j] * row[j];
      }
    }
    return Math.sqrt(Arrays.stream(squares).max().orElse(0));
  }
}
