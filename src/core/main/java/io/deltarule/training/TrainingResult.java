package io.deltarule.training;

import io.deltarule.network.Parameters;
import java.util.List;

/**
 * What training has given.
 *
 * @param parameters of the epoch with the lowest validation loss, or without validation of the last
 *     completed one after which the loss was finite; of the moment of stopping if none was
 * @param bestEpoch the epoch that they are from, 0 if none was completed
 * @param epochs the numbers of every completed epoch
 * @param ending why training ended
 * @param seconds spent on training steps, without validation
 * @param placement where the samples were: {@link DataPlacement#DEVICE} or {@link
 *     DataPlacement#HOST}
 */
public record TrainingResult(
    Parameters parameters,
    int bestEpoch,
    List<TrainingListener.Epoch> epochs,
    Ending ending,
    double seconds,
    DataPlacement placement) {

  /** Why training ended. */
  public enum Ending {
    /** All epochs were done. */
    COMPLETED,
    /** The validation loss did not improve for as many epochs as patience allows. */
    EARLY,
    /** The loss was no longer finite; the parameters are those of the best epoch before. */
    DIVERGED,
    /** The caller asked for it. */
    STOPPED
  }

  /**
   * The training loss of the epoch that the parameters are from.
   *
   * @return NaN if none was completed
   */
  public double trainLoss() {
    return bestEpoch == 0 ? Double.NaN : epochs.get(bestEpoch - 1).trainLoss();
  }

  /**
   * The validation loss of the epoch that the parameters are from.
   *
   * @return NaN if none was completed, or without validation
   */
  public double validationLoss() {
    return bestEpoch == 0 ? Double.NaN : epochs.get(bestEpoch - 1).validationLoss();
  }

  /**
   * Throughput of the training steps of completed epochs.
   *
   * @return samples per second, 0 if no epoch was completed
   */
  public double samplesPerSecond() {
    if (epochs.isEmpty()) {
      return 0;
    }
    long rows = epochs.stream().mapToLong(TrainingListener.Epoch::rows).sum();
    return rows / epochs.stream().mapToDouble(TrainingListener.Epoch::seconds).sum();
  }
}
