package io.deltarule.data;

import java.util.List;
import java.util.Objects;

/**
 * The columns that a model expects of a file.
 *
 * @param features the features' names in the model's order
 * @param label the label column's name
 * @param header whether these names stood in the training file, as opposed to places
 * @param labelled true: labels are read and must be there (to evaluate); false: a label column is
 *     passed over if there is one, whatever its cells contain (to predict)
 */
public record Layout(List<String> features, String label, boolean header, boolean labelled) {
  /** What the name of an image's value begins with; its place follows. */
  static final String PIXEL = "p";

  /**
   * Copies the names.
   *
   * @param features as above
   * @param label as above
   * @param header as above
   * @param labelled as above
   */
  public Layout {
    features = List.copyOf(features);
    Objects.requireNonNull(label);
  }

  /** Whether the model was trained on images. */
  boolean pixels() {
    return !header && features.get(0).startsWith(PIXEL);
  }
}
