package io.deltarule.training;

import io.deltarule.engine.UpdateRule;
import java.util.Objects;

/**
 * How to train.
 *
 * @param epochs the most passes over the training samples, at least 1
 * @param batchSize the samples of a mini-batch, at least 1; the last batch of an epoch may be
 *     smaller
 * @param rule how parameters follow their gradient
 * @param learningRate positive, as a float too
 * @param schedule how the learning rate falls from there
 * @param weightDecay decoupled decay per unit of learning rate, at least 0
 * @param patience after how many epochs without a better validation loss training ends; 0 for never
 * @param seed of the order of the samples
 * @param placement where the samples lie meanwhile
 */
public record TrainingOptions(
    int epochs,
    int batchSize,
    UpdateRule rule,
    double learningRate,
    RateSchedule schedule,
    double weightDecay,
    int patience,
    long seed,
    DataPlacement placement) {

  /** Adam at its usual settings. */
  public static final UpdateRule ADAM = new UpdateRule.Adam(0.9f, 0.999f, 1e-8f);

  /** What the command line takes unless told otherwise. */
  public static final TrainingOptions DEFAULT =
      new TrainingOptions(100, 32, ADAM, 1e-3, RateSchedule.COSINE, 0, 10, 0);

  /**
   * Checks the ranges.
   *
   * @param epochs as above
   * @param batchSize as above
   * @param rule as above
   * @param learningRate as above
   * @param schedule as above
   * @param weightDecay as above
   * @param patience as above
   * @param seed as above
   * @param placement as above
   * @throws IllegalArgumentException naming the first value that is out of range
   */
  public TrainingOptions {
    Objects.requireNonNull(rule, "rule");
    Objects.requireNonNull(schedule, "schedule");
    Objects.requireNonNull(placement, "placement");
    require(epochs >= 1, "epochs must be at least 1, not " + epochs);
    require(batchSize >= 1, "the batch size must be at least 1, not " + batchSize);
    require(
        (float) learningRate > 0 && learningRate < Float.MAX_VALUE,
        "the learning rate must be positive and finite as a float, not " + learningRate);
    require(
        weightDecay >= 0 && weightDecay * learningRate < 1,
        "the weight decay must be at least 0 and below 1 / learning rate, not " + weightDecay);
    require(patience >= 0, "patience must be at least 0, not " + patience);
  }

  /**
   * The same, with the samples where there is room.
   *
   * @param epochs as above
   * @param batchSize as above
   * @param rule as above
   * @param learningRate as above
   * @param schedule as above
   * @param weightDecay as above
   * @param patience as above
   * @param seed as above
   * @throws IllegalArgumentException naming the first value that is out of range
   */
  public TrainingOptions(
      int epochs,
      int batchSize,
      UpdateRule rule,
      double learningRate,
      RateSchedule schedule,
      double weightDecay,
      int patience,
      long seed) {
    this(
        epochs,
        batchSize,
        rule,
        learningRate,
        schedule,
        weightDecay,
        patience,
        seed,
        DataPlacement.AUTO);
  }

  private static void require(boolean condition, String message) {
    if (!condition) {
      throw new IllegalArgumentException(message);
    }
  }
}
