package io.deltarule.data;

import java.util.List;
import java.util.Objects;
import java.util.Optional;

/** A data set in memory: the features as one row-major matrix, and the labels if it has them. */
public final class Dataset {
  private final String source;
  private final int rows;
  private final List<String> featureNames;
  private final float[] features; // [rows x inputs]
  private final LabelColumn labels; // [rows], or null
  private final boolean header;
  private final boolean image;
  private final String sha256;

  /**
   * Takes over the arrays.
   *
   * @param source the path as the user gave it
   * @param rows the samples, at least 1
   * @param featureNames one per column, at least one
   * @param features row-major [rows x featureNames.size()], all finite
   * @param labels of as many rows, or empty
   * @param header whether the names stand in the file, as opposed to generated ones
   * @param image whether the columns are pixels
   * @param sha256 of the file, in hexadecimal
   * @throws IllegalArgumentException naming the lengths that do not fit
   */
  public Dataset(
      String source,
      int rows,
      List<String> featureNames,
      float[] features,
      Optional<LabelColumn> labels,
      boolean header,
      boolean image,
      String sha256) {
    this.source = Objects.requireNonNull(source);
    this.rows = rows;
    this.featureNames = List.copyOf(featureNames);
    this.features = features;
    this.labels = labels.orElse(null);
    this.header = header;
    this.image = image;
    this.sha256 = Objects.requireNonNull(sha256);
    if (rows < 1
        || featureNames.isEmpty()
        || features.length != (long) rows * featureNames.size()
        || (this.labels != null && this.labels.rows() != rows)) {
      throw new IllegalArgumentException(
          "rows %d, columns %d, features %d, labels %s"
              .formatted(
                  rows,
                  featureNames.size(),
                  features.length,
                  labels.map(l -> String.valueOf(l.rows())).orElse("none")));
    }
  }

  /**
   * Where it was read from.
   *
   * @return the path as the user gave it
   */
  public String source() {
    return source;
  }

  /**
   * The number of samples.
   *
   * @return at least 1
   */
  public int rows() {
    return rows;
  }

  /**
   * The number of features of a sample.
   *
   * @return at least 1
   */
  public int inputs() {
    return featureNames.size();
  }

  /**
   * The columns' names, from the header or generated: {@code c1, c2, ...} by the column's place in
   * a CSV file, {@code p0, p1, ...} for pixels.
   *
   * @return one per feature
   */
  public List<String> featureNames() {
    return featureNames;
  }

  /**
   * The features themselves, not a copy: not to be modified.
   *
   * @return row-major [rows x inputs], all finite
   */
  public float[] features() {
    return features;
  }

  /**
   * The labels.
   *
   * @return of as many rows; empty if the file has none or they were not asked for
   */
  public Optional<LabelColumn> labels() {
    return Optional.ofNullable(labels);
  }

  /**
   * Whether the names stand in the file.
   *
   * @return false for generated names
   */
  public boolean header() {
    return header;
  }

  /**
   * Whether the columns are the pixels of images, for which one mean and deviation for all columns
   * is the sensible normalisation.
   *
   * @return true for IDX files of three dimensions and more
   */
  public boolean image() {
    return image;
  }

  /**
   * The hash of the file's bytes as they lie on the disk (for images, of the file of images).
   *
   * @return 64 hexadecimal digits
   */
  public String sha256() {
    return sha256;
  }

  /**
   * What another file must have to be used with this one.
   *
   * @param labelled whether labels are to be read too
   * @return this data set's columns
   * @throws IllegalStateException if labels are wanted and this data set has none
   */
  public Layout layout(boolean labelled) {
    if (labels == null && labelled) {
      throw new IllegalStateException(source + " was read without labels");
    }
    return new Layout(featureNames, labels == null ? "" : labels.name(), header, labelled);
  }
}
