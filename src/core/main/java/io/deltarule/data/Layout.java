package io.deltarule.data;

import java.util.List;
import java.util.Objects;
import java.util.regex.Pattern;

/**
 * The columns that a model expects of a file.
 *
 * @param features the features' names in the model's order
 * @param label the label column's name
 * @param labelled true: labels are read and must be there (to evaluate); false: a label column is
 *     passed over if there is one, whatever its cells contain (to predict)
 */
public record Layout(List<String> features, String label, boolean labelled) {
  private static final Pattern GENERATED = Pattern.compile("[cp][0-9]+");

  /**
   * Copies the names.
   *
   * @param features as above
   * @param label as above
   * @param labelled as above
   */
  public Layout {
    features = List.copyOf(features);
    Objects.requireNonNull(label);
  }

  /** Whether the names are only places, made up for a file without a header. */
  boolean generated() {
    return features.stream().allMatch(name -> GENERATED.matcher(name).matches());
  }
}
