package io.deltarule.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.engine.Output;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class TargetEncodingTest {
  private static LabelColumn labels(String... texts) {
    return LabelColumn.of("d.csv", "y", List.of(texts));
  }

  private static TargetEncoding learn(Output output, String... texts) {
    return TargetEncoding.learn(output, labels(texts), IntStream.range(0, texts.length).toArray());
  }

  private static void assertFails(String message, Output output, String... texts) {
    assertEquals(
        message, assertThrows(InputException.class, () -> learn(output, texts)).getMessage());
  }

  @Test
  void sigmoidTakesZeroAndOneAsTheyAre() {
    TargetEncoding encoding = learn(Output.SIGMOID, "1.0", "0", "1");
    assertEquals(List.of("0", "1"), encoding.classes());
    assertEquals(1, encoding.columns());
    assertEquals(Optional.empty(), encoding.note());
    assertArrayEquals(new float[] {0, 1, 1}, encoding.encode(labels("0.0", "1", "1.00")));
  }

  @Test
  void sigmoidOrdersTwoTexts() {
    TargetEncoding encoding = learn(Output.SIGMOID, "M", "B", "M");
    assertEquals(List.of("B", "M"), encoding.classes());
    assertEquals(Optional.of("labels B -> 0, M -> 1"), encoding.note());
    assertArrayEquals(new float[] {1, 0, 1}, encoding.encode(labels("M", "B", "M")));
    assertArrayEquals(new int[] {1}, encoding.indices(labels("M")));
  }

  @Test
  void sigmoidRefusesOtherLabels() {
    assertFails(
        "d.csv:3: label column 'y': '2' is neither 0 nor 1; pass --output softmax for classes,"
            + " --output linear for numbers",
        Output.SIGMOID,
        "1",
        "1",
        "2");
    assertFails(
        "d.csv:1: label column 'y': '0.5' is neither 0 nor 1; pass --output softmax for classes,"
            + " --output linear for numbers",
        Output.SIGMOID,
        "0.5",
        "0",
        "1");
    assertFails(
        "d.csv:1: label column 'y': 3 different labels ('a', 'b', 'c'), but sigmoid has two; pass"
            + " --output softmax",
        Output.SIGMOID,
        "a",
        "b",
        "c");
    assertFails(
        "d.csv:1: label column 'y': all rows have the label '1'; there is nothing to learn",
        Output.SIGMOID,
        "1",
        "1.0");
  }

  @Test
  void softmaxOrdersIntegersAsNumbers() {
    TargetEncoding encoding = learn(Output.SOFTMAX, "10", "9", "-1", "9.0");
    assertEquals(List.of("-1", "9", "10"), encoding.classes());
    assertEquals(3, encoding.columns());
    assertArrayEquals(new float[] {0, 0, 1, 0, 1, 0}, encoding.encode(labels("10", "09")));
    assertEquals(List.of("10", "9", "x"), learn(Output.SOFTMAX, "x", "9", "10").classes());
  }

  @Test
  void softmaxRefusesOtherLabels() {
    assertFails(
        "d.csv:2: label column 'y': '0.5' is a number and no class; pass --output linear",
        Output.SOFTMAX,
        "1",
        "0.5");
    assertFails(
        "d.csv:1: label column 'y': all rows have the label 'a'; there is nothing to learn",
        Output.SOFTMAX,
        "a",
        "a");
    String[] many = IntStream.range(0, 10_001).mapToObj(i -> "k" + i).toArray(String[]::new);
    assertFails(
        "d.csv:1: label column 'y': 10001 different labels are too many for classes (10000 at"
            + " most); pass --output linear, or another --label",
        Output.SOFTMAX,
        many);
    String[] more = IntStream.range(0, 70_000).mapToObj(i -> "" + i).toArray(String[]::new);
    assertFails(
        "d.csv:1: label column 'y': 65536 or more different labels are too many for classes (10000"
            + " at most); pass --output linear, or another --label",
        Output.SOFTMAX,
        more);
  }

  @Test
  void classesAreThoseOfTheWholeFile() {
    TargetEncoding encoding =
        TargetEncoding.learn(Output.SOFTMAX, labels("a", "b", "rare"), new int[] {0, 1});
    assertEquals(List.of("a", "b", "rare"), encoding.classes());
  }

  @Test
  void unknownLabelsAreNamed() {
    TargetEncoding encoding = learn(Output.SOFTMAX, "a", "b");
    assertEquals(
        "d.csv:2: label column 'y': 'z' is no label of the model, which knows 'a', 'b'",
        assertThrows(InputException.class, () -> encoding.encode(labels("a", "z"))).getMessage());
  }

  @Test
  void linearStandardisesByTheTrainingRows() {
    LabelColumn labels = labels("1", "3", "1000");
    TargetEncoding encoding = TargetEncoding.learn(Output.LINEAR, labels, new int[] {0, 1});
    assertEquals(2, encoding.mean());
    assertEquals(1, encoding.deviation());
    assertEquals(1, encoding.columns());
    assertArrayEquals(new float[] {-1, 1, 998}, encoding.encode(labels));
    assertEquals(1000, encoding.decode(998));
    assertTrue(encoding.note().isEmpty());
    assertThrows(IllegalStateException.class, () -> encoding.indices(labels));
  }

  /** Postal codes, say: what is predicted must be found in the file again. */
  @Test
  void numbersAmongTextAreText() {
    TargetEncoding encoding = learn(Output.SOFTMAX, "01234", "1e3", "1000", "K1A", "K1A");
    assertEquals(List.of("01234", "1000", "1e3", "K1A"), encoding.classes());
    assertArrayEquals(new int[] {0, 1, 2}, encoding.indices(labels("01234", "1000", "1e3")));
    assertEquals(List.of("01", "x"), learn(Output.SIGMOID, "x", "01").classes());
  }

  /** Times in seconds, say: their mean is no float. */
  @Test
  void linearKeepsTheDigitsOfLargeLabels() {
    LabelColumn labels = labels("1700000010", "1700000020", "1700000037");
    TargetEncoding encoding = TargetEncoding.learn(Output.LINEAR, labels, new int[] {0, 1, 2});
    float[] targets = encoding.encode(labels);
    assertEquals(0, targets[0] + targets[1] + targets[2], 1e-6);
    assertEquals(1700000010, encoding.decode(targets[0]), 1e-5);
    assertEquals(1700000037, encoding.decode(targets[2]), 1e-5);
    assertEquals("152.3", String.valueOf(linear(152.3, 77).decode(0)));
    assertEquals(1e-45, linear(0, 1e-45).decode(1), 1e-51);
    assertEquals(Double.NaN, linear(0, 1).decode(Float.NaN));
    assertEquals(3e38, linear(1e38, 2e38).decode(1), 1e31);
  }

  private static TargetEncoding linear(double mean, double deviation) {
    return new TargetEncoding(Output.LINEAR, List.of(), mean, deviation);
  }

  @Test
  void linearKeepsASmallDeviationUnderALargeMean() {
    TargetEncoding encoding = learn(Output.LINEAR, "1000000.001", "1000000.003");
    assertEquals(0.001, encoding.deviation(), 1e-9);
  }

  @Test
  void linearRefusesOtherLabels() {
    assertFails(
        "d.csv:2: label column 'y': 'x' is not a number; pass --output softmax for classes",
        Output.LINEAR,
        "1",
        "x");
    assertFails(
        "d.csv:2: label column 'y': 'NaN' is not a number; pass --output softmax for classes",
        Output.LINEAR,
        "1",
        "NaN");
    assertFails(
        "d.csv:2: label column 'y': '1e39' is beyond the range of float (3.4e38); rescale the"
            + " column",
        Output.LINEAR,
        "1",
        "1e39");
    assertFails(
        "d.csv:1: label column 'y': all training rows have the label '2'; there is nothing to learn",
        Output.LINEAR,
        "2",
        "2");
  }

  @Test
  void checksItsNumbers() {
    assertThrows(
        IllegalArgumentException.class,
        () -> new TargetEncoding(Output.SIGMOID, List.of("a"), 0, 1));
    assertThrows(
        IllegalArgumentException.class,
        () -> new TargetEncoding(Output.SOFTMAX, List.of("a", "a"), 0, 1));
    assertThrows(
        IllegalArgumentException.class, () -> new TargetEncoding(Output.LINEAR, List.of(), 0, 0));
    assertThrows(
        IllegalArgumentException.class,
        () -> new TargetEncoding(Output.SIGMOID, List.of("a", "b"), 1, 1));
  }
}
