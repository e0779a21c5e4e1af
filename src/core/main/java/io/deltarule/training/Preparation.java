package io.deltarule.training;

import io.deltarule.data.Dataset;
import io.deltarule.data.LabelColumn;
import io.deltarule.data.Normalization;
import io.deltarule.data.Split;
import io.deltarule.data.Standardizer;
import io.deltarule.data.TargetEncoding;
import io.deltarule.engine.Output;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * A data set made ready for training: split, standardised by its training rows alone, and its
 * labels encoded.
 *
 * @param inputs how features are standardised, learned from the training rows
 * @param targets how labels are encoded; the classes are those of the whole file
 * @param training to learn from
 * @param validation to choose the best epoch, if any were set aside
 * @param heldOut to be looked at once, at the end, if any were set aside
 */
public record Preparation(
    Standardizer inputs,
    TargetEncoding targets,
    Samples training,
    Optional<Samples> validation,
    Optional<Samples> heldOut) {

  /**
   * Splits and prepares. Class labels keep their shares in each part.
   *
   * @param data with labels
   * @param output that the labels are for
   * @param normalization of the features
   * @param heldOutShare of all rows, 0 for none
   * @param validationShare of the remaining rows, 0 for none
   * @param seed of the split
   * @return the samples
   * @throws io.deltarule.data.InputException if the labels do not fit the output
   * @throws IllegalArgumentException if the data has no labels, a share is not from 0 to below 1,
   *     or leaves no row in a part
   */
  public static Preparation of(
      Dataset data,
      Output output,
      Normalization normalization,
      double heldOutShare,
      double validationShare,
      long seed) {
    requireShare("held-out", heldOutShare);
    requireShare("validation", validationShare);
    LabelColumn labels = labels(data);
    int[] training = IntStream.range(0, data.rows()).toArray();
    boolean classes = output != Output.LINEAR;
    int[] codes = classes ? TargetEncoding.learn(output, labels, training).indices(labels) : null;
    int[] heldOut = {};
    int[] validation = {};
    if (heldOutShare > 0) {
      Split split = Split.of(training, codes, heldOutShare, seed, 0);
      heldOut = split.first();
      training = split.second();
    }
    if (validationShare > 0) {
      Split split = Split.of(training, codes, validationShare, seed, 1);
      validation = split.first();
      training = split.second();
    }
    TargetEncoding targets = TargetEncoding.learn(output, labels, training);
    Standardizer inputs =
        Standardizer.learn(data.features(), data.inputs(), training, normalization);
    Samples all =
        new Samples(
            data.rows(), data.inputs(), data.features(), targets.columns(), targets.encode(labels));
    return new Preparation(
        inputs,
        targets,
        standardised(all, training, inputs),
        validation.length == 0
            ? Optional.empty()
            : Optional.of(standardised(all, validation, inputs)),
        heldOut.length == 0 ? Optional.empty() : Optional.of(standardised(all, heldOut, inputs)));
  }

  private static Samples standardised(Samples all, int[] rows, Standardizer inputs) {
    Samples part = all.select(rows);
    inputs.applyInPlace(part.features());
    return part;
  }

  /**
   * Prepares other data in the same way, as for a test file.
   *
   * @param data with labels, its features in the same order
   * @return the samples
   * @throws io.deltarule.data.InputException if a label is unknown
   */
  public Samples prepare(Dataset data) {
    return prepare(data, inputs, targets);
  }

  /**
   * Prepares data as a model was trained.
   *
   * @param data with labels, its features in the model's order
   * @param inputs how features are standardised
   * @param targets how labels are encoded
   * @return the samples
   * @throws io.deltarule.data.InputException if a label is unknown
   * @throws IllegalArgumentException if the data has no labels or other features than the model
   */
  public static Samples prepare(Dataset data, Standardizer inputs, TargetEncoding targets) {
    if (data.inputs() != inputs.mean().length) {
      throw new IllegalArgumentException(
          "%s: %d features, but the normalisation is of %d"
              .formatted(data.source(), data.inputs(), inputs.mean().length));
    }
    return new Samples(
        data.rows(),
        data.inputs(),
        inputs.apply(data.features()),
        targets.columns(),
        targets.encode(labels(data)));
  }

  private static LabelColumn labels(Dataset data) {
    return data.labels()
        .orElseThrow(() -> new IllegalArgumentException(data.source() + ": read without labels"));
  }

  private static void requireShare(String name, double share) {
    if (!(share >= 0 && share < 1)) {
      throw new IllegalArgumentException(
          "the %s share must be from 0 to below 1, not %s".formatted(name, share));
    }
  }
}
