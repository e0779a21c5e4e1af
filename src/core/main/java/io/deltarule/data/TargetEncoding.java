package io.deltarule.data;

import io.deltarule.engine.Output;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * What the network's output means: how labels become targets and predictions labels again.
 *
 * @param output the kind of output
 * @param classes the labels of the classes: two for {@link Output#SIGMOID}, of target 0 and 1; at
 *     least two for {@link Output#SOFTMAX}, one per column; none for {@link Output#LINEAR}
 * @param mean subtracted from a label for {@link Output#LINEAR}, in its unit; otherwise 0
 * @param deviation by which it is then divided, in its unit, above 0; otherwise 1
 */
public record TargetEncoding(Output output, List<String> classes, double mean, double deviation) {
  /** More classes than this are taken for a mistake. */
  public static final int MAX_CLASSES = 10_000;

  private static final double MAX_EXACT = 1L << 53;

  /**
   * Checks the numbers against the output.
   *
   * @param output as above
   * @param classes as above
   * @param mean as above
   * @param deviation as above
   * @throws IllegalArgumentException naming what does not fit
   */
  public TargetEncoding {
    Objects.requireNonNull(output);
    classes = List.copyOf(classes);
    boolean fits =
        switch (output) {
          case SIGMOID -> classes.size() == 2;
          case SOFTMAX -> classes.size() >= 2 && classes.size() <= MAX_CLASSES;
          case LINEAR -> classes.isEmpty();
        };
    if (!fits) {
      throw new IllegalArgumentException(
          "%d classes for output %s".formatted(classes.size(), output.spelling()));
    }
    if (new HashSet<>(classes).size() < classes.size()) {
      throw new IllegalArgumentException("a class is there twice: " + shorten(classes));
    }
    if (!Double.isFinite(mean) || !Double.isFinite(deviation) || deviation <= 0) {
      throw new IllegalArgumentException("mean %s, deviation %s".formatted(mean, deviation));
    }
    if (output != Output.LINEAR && (mean != 0 || deviation != 1)) {
      throw new IllegalArgumentException("classes have neither mean nor deviation");
    }
  }

  /**
   * Learns the classes from all labels of a training file, so that a rare class which is held out
   * altogether is known too, or mean and deviation from the training rows.
   *
   * @param output the kind of output
   * @param labels of the training file
   * @param trainingRows the rows to learn mean and deviation from, at least one
   * @return the encoding
   * @throws InputException if the labels do not suit the output
   */
  public static TargetEncoding learn(Output output, LabelColumn labels, int[] trainingRows) {
    return switch (output) {
      case SIGMOID -> learnTwo(labels);
      case SOFTMAX -> learnClasses(labels);
      case LINEAR -> learnScale(labels, trainingRows);
    };
  }

  private static TargetEncoding learnTwo(LabelColumn labels) {
    Set<String> names = new TreeSet<>();
    labels.distinct().forEach(text -> names.add(labels.numeric() ? canonical(text) : text));
    requireVariation(labels, names.size());
    Set<String> zeroOne = Set.of("0", "1");
    if (labels.numeric() && !names.equals(zeroOne)) {
      int row =
          IntStream.range(0, labels.rows())
              .filter(r -> !zeroOne.contains(canonical(labels.text(r))))
              .findFirst()
              .orElseThrow();
      throw new InputException(
          "%s: %s is neither 0 nor 1; pass --output softmax for classes, --output linear for numbers"
              .formatted(labels.describe(row), InputException.quote(labels.text(row))));
    }
    if (names.size() != 2) {
      throw new InputException(
          "%s: %s different labels (%s), but sigmoid has two; pass --output softmax"
              .formatted(labels.describe(0), count(labels, names.size()), shorten(names)));
    }
    return new TargetEncoding(Output.SIGMOID, List.copyOf(names), 0, 1);
  }

  private static TargetEncoding learnClasses(LabelColumn labels) {
    Set<String> names = new HashSet<>();
    for (int code = 0; code < labels.distinct().size(); code++) {
      String text = labels.distinct().get(code);
      String name = labels.numeric() ? canonical(text) : text;
      if (labels.numeric() && !isInteger(name)) {
        throw new InputException(
            "%s: %s is a number and no class; pass --output linear"
                .formatted(labels.describe(labels.firstRow(code)), InputException.quote(name)));
      }
      names.add(name);
    }
    requireVariation(labels, names.size());
    if (names.size() > MAX_CLASSES) {
      throw new InputException(
          ("%s: %s different labels are too many for classes (%d at most); pass --output linear,"
                  + " or another --label")
              .formatted(labels.describe(0), count(labels, names.size()), MAX_CLASSES));
    }
    Comparator<String> order =
        labels.numeric() ? Comparator.comparing(Long::valueOf) : Comparator.naturalOrder();
    return new TargetEncoding(Output.SOFTMAX, names.stream().sorted(order).toList(), 0, 1);
  }

  private static TargetEncoding learnScale(LabelColumn labels, int[] rows) {
    requireNumbers(labels);
    double center = 0;
    for (int row : rows) {
      center += labels.value(row);
    }
    center /= rows.length;
    double residual = 0;
    double square = 0;
    for (int row : rows) {
      double difference = labels.value(row) - center;
      residual += difference;
      square += difference * difference;
    }
    double deviation = Math.sqrt((square - residual * residual / rows.length) / rows.length);
    if (!(deviation > 0)) {
      throw new InputException(
          "%s: all training rows have the label %s; there is nothing to learn"
              .formatted(labels.describe(rows[0]), InputException.quote(labels.text(rows[0]))));
    }
    return new TargetEncoding(Output.LINEAR, List.of(), center, deviation);
  }

  private static void requireVariation(LabelColumn labels, int different) {
    if (different < 2) {
      throw new InputException(
          "%s: all rows have the label %s; there is nothing to learn"
              .formatted(labels.describe(0), InputException.quote(labels.text(0))));
    }
  }

  private static void requireNumbers(LabelColumn labels) {
    for (int row = 0; row < labels.rows(); row++) {
      double value = labels.numeric() ? labels.value(row) : Numbers.parseDouble(labels.text(row));
      if (!(Math.abs(value) <= Float.MAX_VALUE)) {
        throw new InputException(
            "%s: %s %s"
                .formatted(
                    labels.describe(row),
                    InputException.quote(labels.text(row)),
                    Double.isNaN(value)
                        ? "is not a number; pass --output softmax for classes"
                        : "is beyond the range of float (3.4e38); rescale the column"));
      }
    }
  }

  /**
   * The columns of the targets and of the network's output.
   *
   * @return the number of classes for {@link Output#SOFTMAX}, otherwise 1
   */
  public int columns() {
    return output == Output.SOFTMAX ? classes.size() : 1;
  }

  /**
   * How two text labels became 0 and 1.
   *
   * @return such as {@code labels B -> 0, M -> 1}; empty where there is nothing to tell
   */
  public Optional<String> note() {
    return output == Output.SIGMOID && !classes.equals(List.of("0", "1"))
        ? Optional.of("labels %s -> 0, %s -> 1".formatted(classes.get(0), classes.get(1)))
        : Optional.empty();
  }

  /**
   * The class of each label.
   *
   * @param labels of any file
   * @return [rows], indices into {@link #classes}
   * @throws InputException naming the first label that is no class of the model
   * @throws IllegalStateException for {@link Output#LINEAR}
   */
  public int[] indices(LabelColumn labels) {
    if (output == Output.LINEAR) {
      throw new IllegalStateException("a linear output has no classes");
    }
    Map<String, Integer> index = new HashMap<>();
    classes.forEach(name -> index.put(name, index.size()));
    int[] byCode =
        labels.distinct().stream()
            .mapToInt(text -> index.getOrDefault(text, index.getOrDefault(canonical(text), -1)))
            .toArray();
    int[] indices = new int[labels.rows()];
    for (int row = 0; row < indices.length; row++) {
      int code = labels.code(row);
      indices[row] = code < 0 ? -1 : byCode[code];
      if (indices[row] < 0) {
        throw new InputException(
            "%s: %s is no label of the model, which knows %s"
                .formatted(
                    labels.describe(row),
                    InputException.quote(labels.text(row)),
                    shorten(classes)));
      }
    }
    return indices;
  }

  /**
   * The targets of labels.
   *
   * @param labels of any file
   * @return row-major [rows x columns]: 0 or 1, one-hot rows, or standardised numbers
   * @throws InputException naming the first label that is no class of the model or no number
   */
  public float[] encode(LabelColumn labels) {
    if (output == Output.LINEAR) {
      requireNumbers(labels);
      float[] targets = new float[labels.rows()];
      for (int row = 0; row < targets.length; row++) {
        targets[row] = (float) ((labels.value(row) - mean) / deviation);
      }
      return targets;
    }
    int[] indices = indices(labels);
    long length = (long) indices.length * columns();
    if (length > Integer.MAX_VALUE - 8) {
      throw new InputException(
          "%s: %d rows of %d classes are too many numbers for one array; use fewer rows"
              .formatted(labels.describe(0), indices.length, columns()));
    }
    float[] targets = new float[(int) length];
    for (int row = 0; row < indices.length; row++) {
      if (output == Output.SIGMOID) {
        targets[row] = indices[row];
      } else {
        targets[row * columns() + indices[row]] = 1;
      }
    }
    return targets;
  }

  /**
   * A prediction of a {@link Output#LINEAR} network in the label's unit.
   *
   * @param prediction as the network gives it
   * @return {@code prediction * deviation + mean}, without the digits that a float of the size of 1
   *     does not have
   */
  public double decode(float prediction) {
    double value = prediction * deviation + mean;
    if (!Double.isFinite(value)) {
      return value;
    }
    double resolution = Math.max(Double.MIN_NORMAL, deviation * Math.ulp(1f));
    int places = (int) -Math.ceil(Math.log10(resolution));
    return new BigDecimal(value).setScale(places, RoundingMode.HALF_EVEN).doubleValue();
  }

  // Among numbers 1, 1.0 and 01 are one class; where one class is text, all are.
  private static String canonical(String text) {
    double value = Numbers.parseDouble(text);
    return value == Math.rint(value) && Math.abs(value) <= MAX_EXACT
        ? String.valueOf((long) value)
        : text;
  }

  private static boolean isInteger(String canonical) {
    return canonical.matches("-?[0-9]{1,16}");
  }

  private static String count(LabelColumn labels, int different) {
    return labels.distinct().size() == LabelColumn.MAX_DISTINCT
        ? "%d or more".formatted(different)
        : "%d".formatted(different);
  }

  private static String shorten(Iterable<String> names) {
    List<String> all = new ArrayList<>();
    names.forEach(all::add);
    return all.stream().limit(5).map(InputException::quote).collect(Collectors.joining(", "))
        + (all.size() > 5 ? ", ..." : "");
  }
}
