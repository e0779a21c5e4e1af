package io.deltarule.training;

/** Told what happens while training; every method does nothing by default. */
public interface TrainingListener {

  /**
   * Training begins with its samples on the host, as they do not fit the engine: it is sent one
   * batch after the other.
   *
   * @param reason what did not fit, one line
   */
  default void streaming(String reason) {}

  /**
   * Some batches of an epoch have finished.
   *
   * @param epoch from 1
   * @param rows samples seen so far in this epoch
   * @param ofRows all samples of an epoch
   */
  default void progress(int epoch, int rows, int ofRows) {}

  /**
   * An epoch has ended.
   *
   * @param epoch its numbers
   */
  default void epochEnded(Epoch epoch) {}

  /**
   * The numbers of an epoch.
   *
   * @param number from 1
   * @param trainLoss mean loss of the samples, each at the time it was seen
   * @param validationLoss mean loss of the validation samples after the epoch, NaN without any
   * @param best whether the validation loss is the lowest so far
   * @param rows samples seen
   * @param seconds of training, without validation
   */
  record Epoch(
      int number,
      double trainLoss,
      double validationLoss,
      boolean best,
      int rows,
      double seconds) {}
}
