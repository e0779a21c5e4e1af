package io.deltarule.engine;

import static org.junit.jupiter.api.Assertions.assertThrows;

import io.deltarule.engine.Arena.Placement;
import io.deltarule.engine.Cases.Shape;
import io.deltarule.engine.Cases.Update;
import io.deltarule.engine.spi.IndexLists;
import io.deltarule.engine.spi.Operand;
import io.deltarule.engine.spi.StepCursor;
import io.deltarule.reference.Reference;
import java.util.Arrays;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

/** The contract finds broken engines: each is the reference with one fault. */
class EngineContractTest {
  private static final Shape SHAPE = new Shape(7, 9, 5);

  /** The check passes on the sound engine and fails on the broken one. */
  private static void assertFinds(Supplier<Engine> broken, Consumer<EngineContract> check) {
    run(ReferenceEngine::new, check);
    assertThrows(AssertionError.class, () -> run(broken, check));
  }

  /** The check is not the one that finds this fault. */
  private static void assertMisses(Supplier<Engine> broken, Consumer<EngineContract> check) {
    run(broken, check);
  }

  private static void run(Supplier<Engine> engine, Consumer<EngineContract> check) {
    EngineContract contract =
        new EngineContract() {
          @Override
          protected Engine open(EngineOptions options) {
            return engine.get();
          }
        };
    contract.openEngine();
    try {
      check.accept(contract);
    } finally {
      contract.closeEngine();
    }
  }

  private abstract static class Forward extends ReferenceEngine {
    abstract double[][] preActivations(double[][] x, double[][] w, double[] b);

    @Override
    protected void launchForward(
        Operand<Memory> x,
        Operand<Memory> w,
        Operand<Memory> b,
        Activation f,
        Operand<Memory> saved,
        Operand<Memory> a) {
      double[][] z = preActivations(get(x), get(w), get(b)[0]);
      put(z, saved);
      put(Reference.activations(f, z), a);
    }
  }

  private abstract static class Propagate extends ReferenceEngine {
    abstract double masked(double sum, double saved);

    @Override
    protected void launchPropagate(
        Operand<Memory> d,
        Operand<Memory> w,
        Activation f,
        Operand<Memory> saved,
        Operand<Memory> e) {
      double[][] mask = get(saved);
      double[][] ones = new double[e.rows()][e.columns()];
      double[][] sums = Reference.propagate(get(d), get(w), Activation.IDENTITY, ones);
      for (int i = 0; i < e.rows(); i++) {
        for (int k = 0; k < e.columns(); k++) {
          sums[i][k] = masked(sums[i][k], mask[i][k]);
        }
      }
      put(sums, e);
    }
  }

  private abstract static class Loss extends ReferenceEngine {
    abstract double loss(Output output, double[][] z, double[][] y);

    @Override
    protected void launchOutputError(
        Output output,
        Operand<Memory> z,
        Operand<Memory> y,
        Operand<Memory> d,
        Operand<Memory> losses,
        StepCursor<Memory> at) {
      super.launchOutputError(output, z, y, d, losses, at);
      putLoss(loss(output, get(z), get(y)), losses, at);
    }
  }

  @Test
  void aBiasForgotten() {
    Supplier<Engine> broken =
        () ->
            new Forward() {
              @Override
              double[][] preActivations(double[][] x, double[][] w, double[] b) {
                return Reference.preActivations(x, w, new double[b.length]);
              }
            };
    assertFinds(broken, contract -> contract.forward(SHAPE));
    assertFinds(broken, contract -> contract.trainsAsTheReferenceDoes(Output.SIGMOID));
  }

  @Test
  void oneTermOfALongSumForgotten() {
    assertFinds(
        () ->
            new Forward() {
              @Override
              double[][] preActivations(double[][] x, double[][] w, double[] b) {
                for (double[] row : w) {
                  row[row.length - 1] = 0;
                }
                return Reference.preActivations(x, w, b);
              }
            },
        contract -> contract.forward(new Shape(7, 2049, 3)));
  }

  @Test
  void factorsInLowPrecision() {
    assertFinds(
        () ->
            new Forward() {
              @Override
              double[][] preActivations(double[][] x, double[][] w, double[] b) {
                return Reference.preActivations(tf32(x), tf32(w), b);
              }

              private static double[][] tf32(double[][] rows) {
                for (double[] row : rows) {
                  for (int j = 0; j < row.length; j++) {
                    row[j] = Float.intBitsToFloat(Float.floatToIntBits((float) row[j]) & ~0x1fff);
                  }
                }
                return rows;
              }
            },
        contract -> contract.forward(new Shape(7, 257, 3)));
  }

  @Test
  void aMaskThatHidesNaN() {
    Supplier<Engine> broken =
        () ->
            new Propagate() {
              @Override
              double masked(double sum, double saved) {
                return sum * (saved > 0 ? 1 : 0);
              }
            };
    assertFinds(broken, contract -> contract.notFiniteNumbersSpread(Activation.RELU));
    assertMisses(broken, contract -> contract.zerosDoNotHideNaN(Activation.RELU));
  }

  @Test
  void aMaskThatSelectsInsteadOfMultiplying() {
    assertFinds(
        () ->
            new Propagate() {
              @Override
              double masked(double sum, double saved) {
                return saved > 0 ? sum : saved <= 0 ? 0 : Double.NaN;
              }
            },
        contract -> contract.zerosDoNotHideNaN(Activation.RELU));
  }

  @Test
  void aMaskThatPassesAtZero() {
    assertFinds(
        () ->
            new Propagate() {
              @Override
              double masked(double sum, double saved) {
                return sum * (saved >= 0 ? 1 : saved < 0 ? 0 : Double.NaN);
              }
            },
        contract -> contract.extremePreActivations(Activation.RELU));
  }

  @Test
  void aLossThatIsNotDividedByTheSamples() {
    assertFinds(
        () ->
            new Loss() {
              @Override
              double loss(Output output, double[][] z, double[][] y) {
                return z.length * Reference.meanLoss(output, z, y);
              }
            },
        contract -> contract.outputError(SHAPE));
  }

  @Test
  void aLossFromSaturatedPredictions() {
    Supplier<Engine> broken =
        () ->
            new Loss() {
              @Override
              double loss(Output output, double[][] z, double[][] y) {
                if (output != Output.SIGMOID) {
                  return Reference.meanLoss(output, z, y);
                }
                double sum = 0;
                for (int i = 0; i < z.length; i++) {
                  for (int j = 0; j < z[i].length; j++) {
                    double a = 1 / (1 + Math.exp(-z[i][j]));
                    sum -= y[i][j] * Math.log(a) + (1 - y[i][j]) * Math.log(1 - a);
                  }
                }
                return sum / z.length;
              }
            };
    assertFinds(broken, EngineContract::hugeLogits);
    assertMisses(broken, contract -> contract.outputError(SHAPE));
  }

  @Test
  void aMeanThatOverflowsInItsSum() {
    assertFinds(
        () ->
            new Loss() {
              @Override
              double loss(Output output, double[][] z, double[][] y) {
                return (float) (z.length * Reference.meanLoss(output, z, y)) / z.length;
              }
            },
        EngineContract::hugeLogits);
  }

  @Test
  void aDifferenceThatOverflowsBeforeItIsDivided() {
    assertFinds(
        () ->
            new ReferenceEngine() {
              @Override
              protected void launchOutputError(
                  Output output,
                  Operand<Memory> z,
                  Operand<Memory> y,
                  Operand<Memory> d,
                  Operand<Memory> losses,
                  StepCursor<Memory> at) {
                super.launchOutputError(output, z, y, d, losses, at);
                double[][] errors = Reference.outputError(output, get(z), get(y));
                for (double[] row : errors) {
                  for (int j = 0; j < row.length; j++) {
                    row[j] = (float) (row[j] * errors.length) / errors.length;
                  }
                }
                put(errors, d);
              }
            },
        EngineContract::hugeLogits);
  }

  @Test
  void aLossAlwaysAtTheFirstRow() {
    assertFinds(
        () ->
            new ReferenceEngine() {
              @Override
              protected void launchOutputError(
                  Output output,
                  Operand<Memory> z,
                  Operand<Memory> y,
                  Operand<Memory> d,
                  Operand<Memory> losses,
                  StepCursor<Memory> at) {
                put(Reference.outputError(output, get(z), get(y)), d);
                put(new double[][] {{Reference.meanLoss(output, get(z), get(y))}}, losses);
              }
            },
        contract -> contract.outputError(SHAPE));
  }

  @Test
  void gradientsAddedToWhatIsThere() {
    assertFinds(
        () ->
            new ReferenceEngine() {
              @Override
              protected void launchGradients(
                  Operand<Memory> d, Operand<Memory> a, Operand<Memory> dw, Operand<Memory> db) {
                double[][] before = get(dw);
                super.launchGradients(d, a, dw, db);
                double[][] sum = get(dw);
                for (int j = 0; j < sum.length; j++) {
                  for (int k = 0; k < sum[j].length; k++) {
                    sum[j][k] += before[j][k];
                  }
                }
                put(sum, dw);
              }
            },
        contract -> contract.gradients(SHAPE));
  }

  @Test
  void gradientsOfAnEmptyBatchLeftAsTheyWere() {
    Supplier<Engine> broken =
        () ->
            new ReferenceEngine() {
              @Override
              protected void launchGradients(
                  Operand<Memory> d, Operand<Memory> a, Operand<Memory> dw, Operand<Memory> db) {
                if (d.rows() > 0) {
                  super.launchGradients(d, a, dw, db);
                }
              }
            };
    assertFinds(broken, contract -> contract.gradients(new Shape(0, 5, 7)));
    assertMisses(broken, contract -> contract.gradients(SHAPE));
  }

  @Test
  void anUpdateWithoutDecay() {
    assertFinds(
        () ->
            new ReferenceEngine() {
              @Override
              protected void launchUpdate(
                  UpdateRule rule,
                  Operand<Memory> theta,
                  Operand<Memory> gradient,
                  Operand<Memory> state,
                  Operand<Memory> schedule,
                  StepCursor<Memory> at) {
                double[] scalars = get(schedule)[position(at)];
                scalars[1] = 0;
                double[][] parameters = get(theta);
                double[][] memory = get(state);
                Reference.update(rule, parameters[0], get(gradient)[0], memory, scalars);
                put(parameters, theta);
                put(memory, state);
              }
            },
        contract -> contract.update(new Update(new UpdateRule.Sgd(), 7)));
  }

  @Test
  void aGatherFromTheFirstListOnly() {
    assertFinds(
        () ->
            new ReferenceEngine() {
              @Override
              protected void launchGather(
                  Operand<Memory> data,
                  IndexLists<Memory> rows,
                  StepCursor<Memory> at,
                  Operand<Memory> batch) {
                launchSet(at, 0);
                super.launchGather(data, rows, at, batch);
              }
            },
        contract -> contract.gather(new Shape(5, 31, 2)));
  }

  @Test
  void aWriteBehindTheResult() {
    Supplier<Engine> broken =
        () ->
            new ReferenceEngine() {
              @Override
              protected void launchCopy(Operand<Memory> from, Operand<Memory> to) {
                super.launchCopy(from, to);
                poke(to, (int) to.size(), 1);
              }
            };
    assertFinds(broken, contract -> contract.copy(Placement.ALIGNED));
    assertFinds(broken, contract -> contract.copy(Placement.ODD));
    assertMisses(broken, contract -> contract.copy(Placement.OWN));
  }

  @Test
  void anInputChanged() {
    assertFinds(
        () ->
            new ReferenceEngine() {
              @Override
              protected void launchGradients(
                  Operand<Memory> d, Operand<Memory> a, Operand<Memory> dw, Operand<Memory> db) {
                super.launchGradients(d, a, dw, db);
                poke(a, 0, 0);
              }
            },
        contract -> contract.gradients(SHAPE));
  }

  /** Off by one unit in the last place, now and then: right, but not the same bits again. */
  @Test
  void resultsThatVaryFromRunToRun() {
    int[] calls = {0};
    Supplier<Engine> broken =
        () ->
            new ReferenceEngine() {
              @Override
              protected void launchGradients(
                  Operand<Memory> d, Operand<Memory> a, Operand<Memory> dw, Operand<Memory> db) {
                super.launchGradients(d, a, dw, db);
                if (++calls[0] % 7 == 0) {
                  double first = get(dw)[0][0];
                  poke(dw, 0, Math.nextUp((float) first));
                }
              }
            };
    assertFinds(broken, EngineContract::threadsDoNotChangeTheBits);
    assertFinds(broken, contract -> contract.recordedEqualsCalled(Activation.TANH));
    assertMisses(broken, contract -> contract.gradients(SHAPE));
  }

  @Test
  void memoryNotZeroAtFirst() {
    assertFinds(
        () ->
            new ReferenceEngine() {
              @Override
              protected Memory allocateBlock(long elements, Element element) {
                Memory memory = super.allocateBlock(elements, element);
                if (element == Element.FLOAT) {
                  Arrays.fill(memory.floats(), 1);
                }
                return memory;
              }
            },
        EngineContract::writesAndReads);
  }
}
