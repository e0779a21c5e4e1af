package io.deltarule.engine;

/**
 * How parameters follow their gradient g. Decay is decoupled from the gradient (Loshchilov and
 * Hutter 2019): every rule first shrinks theta by {@code rate * decay}. What changes from step to
 * step is not part of the rule but a row of the schedule, see {@link #scalars}, so that a recorded
 * update stays valid.
 */
public sealed interface UpdateRule {

  /** The columns of a schedule: rate, shrink, first and second correction. */
  int SCALARS = 4;

  /**
   * The rows of state that the rule keeps for each parameter.
   *
   * @return from 0 to 2
   */
  int stateRows();

  /**
   * The row of the schedule for one step: {@code rate}, {@code rate * decay}, and Adam's bias
   * corrections {@code 1 / (1 - beta1^step)} and {@code 1 / (1 - beta2^step)} (1 for other rules).
   *
   * @param step counted from 1
   * @param rate the learning rate of this step
   * @param decay the weight decay, per unit of learning rate
   * @return {@link #SCALARS} numbers
   */
  default float[] scalars(long step, double rate, double decay) {
    return new float[] {(float) rate, (float) (rate * decay), 1, 1};
  }

  /** Stochastic gradient descent: {@code theta = theta - rate g}. */
  record Sgd() implements UpdateRule {
    @Override
    public int stateRows() {
      return 0;
    }
  }

  /**
   * Heavy-ball momentum as PyTorch defines it: {@code v = momentum v + g}, {@code theta = theta -
   * rate v}. The state's row is v.
   *
   * @param momentum in [0, 1)
   */
  record Momentum(float momentum) implements UpdateRule {
    /**
     * Checks the range.
     *
     * @param momentum as above
     */
    public Momentum {
      requireFraction("momentum", momentum);
    }

    @Override
    public int stateRows() {
      return 1;
    }
  }

  /**
   * Adam (Kingma and Ba 2015, algorithm 1), with a decay of zero, AdamW otherwise: {@code m = beta1
   * m + (1 - beta1) g}, {@code v = beta2 v + (1 - beta2) g^2}, {@code theta = theta - rate m c1 /
   * (sqrt(v c2) + epsilon)} with the corrections c1, c2. The state's rows are m and v.
   *
   * @param beta1 in [0, 1), usually 0.9
   * @param beta2 in [0, 1), usually 0.999
   * @param epsilon positive, usually 1e-8
   */
  record Adam(float beta1, float beta2, float epsilon) implements UpdateRule {
    /**
     * Checks the ranges.
     *
     * @param beta1 as above
     * @param beta2 as above
     * @param epsilon as above
     */
    public Adam {
      requireFraction("beta1", beta1);
      requireFraction("beta2", beta2);
      if (!(epsilon > 0)) {
        throw new IllegalArgumentException("epsilon must be positive, not " + epsilon);
      }
    }

    @Override
    public int stateRows() {
      return 2;
    }

    @Override
    public float[] scalars(long step, double rate, double decay) {
      return new float[] {
        (float) rate,
        (float) (rate * decay),
        (float) (1 / (1 - StrictMath.pow(beta1, step))),
        (float) (1 / (1 - StrictMath.pow(beta2, step)))
      };
    }
  }

  private static void requireFraction(String what, float value) {
    if (!(value >= 0 && value < 1)) {
      throw new IllegalArgumentException(what + " must be in [0, 1), not " + value);
    }
  }
}
