package io.deltarule.training;

import java.util.Locale;

/** How the learning rate falls in the course of training. */
public enum RateSchedule {
  /** It does not. */
  CONSTANT {
    @Override
    public double factor(double progress) {
      return 1;
    }
  },

  /**
   * Half a cosine wave from 1 to 0 over all epochs, without restarts (Loshchilov and Hutter 2017,
   * equation 5).
   */
  COSINE {
    @Override
    public double factor(double progress) {
      return (1 + StrictMath.cos(Math.PI * progress)) / 2;
    }
  };

  /**
   * The factor of the learning rate.
   *
   * @param progress the share of all steps that are done, from 0 to 1
   * @return from 0 to 1
   */
  public abstract double factor(double progress);

  /**
   * The name as the command line spells it.
   *
   * @return such as {@code cosine}
   */
  public String spelling() {
    return name().toLowerCase(Locale.ROOT);
  }
}
