package io.deltarule.data;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** How features are brought to a common scale. */
public enum Normalization {
  /** A mean and a deviation for each column. */
  COLUMN,
  /** One mean and deviation for all columns, as for pixels. */
  GLOBAL,
  /** Features are used as they are. */
  NONE;

  /**
   * The name as the command line and model files spell it, such as {@code column}.
   *
   * @return the lower-case name
   */
  public String spelling() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * The constant of a spelling.
   *
   * @param spelling such as {@code global}
   * @return the normalisation
   * @throws IllegalArgumentException naming the possible spellings
   */
  public static Normalization of(String spelling) {
    for (Normalization normalization : values()) {
      if (normalization.spelling().equals(spelling)) {
        return normalization;
      }
    }
    throw new IllegalArgumentException(
        "unknown normalization '"
            + spelling
            + "'; one of "
            + Arrays.stream(values())
                .map(Normalization::spelling)
                .collect(Collectors.joining(", ")));
  }
}
