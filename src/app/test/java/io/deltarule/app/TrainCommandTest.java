package io.deltarule.app;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Trains on real data end to end, and uses what was saved. */
class TrainCommandTest {
  private static final Path MNIST = Path.of("../../../shared/data/mnist");

  @TempDir Path folder;

  private Cli train(Object... more) {
    Object[] arguments = {"train", Cli.WDBC, "--engine", "host", "--model", model()};
    return Cli.run(
        java.util.stream.Stream.concat(
                java.util.Arrays.stream(arguments), java.util.Arrays.stream(more))
            .toArray());
  }

  private Path model() {
    return folder.resolve("m.safetensors");
  }

  @Test
  void theQuickStartIsAccurateWhateverTheSeed() {
    double[] accuracy = new double[5];
    double[] auc = new double[5];
    for (int seed = 1; seed <= 5; seed++) {
      Cli run = train("--seed", seed, "--json").done();
      accuracy[seed - 1] = run.number("accuracy");
      auc[seed - 1] = run.number("auc");
    }
    assertTrue(mean(accuracy) >= 0.965, () -> java.util.Arrays.toString(accuracy));
    assertTrue(java.util.Arrays.stream(accuracy).allMatch(a -> a >= 0.94));
    assertTrue(mean(auc) >= 0.99, () -> java.util.Arrays.toString(auc));
  }

  private static double mean(double[] values) {
    return java.util.Arrays.stream(values).average().orElseThrow();
  }

  @Test
  void sameSeedSameModelBytesWhateverTheThreads() throws IOException {
    train("--seed", 3, "--epochs", 5, "--threads", 1).done();
    byte[] one = Files.readAllBytes(model());
    train("--seed", 3, "--epochs", 5, "--threads", 1).done();
    assertArrayEquals(one, Files.readAllBytes(model()));
    Cli.run("predict", model(), Cli.WDBC, "--out", folder.resolve("1.csv")).done();
    train("--seed", 3, "--epochs", 5, "--threads", 2).done();
    Cli.run("predict", model(), Cli.WDBC, "--out", folder.resolve("2.csv")).done();
    assertEquals(
        Files.readString(folder.resolve("1.csv")), Files.readString(folder.resolve("2.csv")));
    train("--seed", 4, "--epochs", 5).done();
    assertNotEquals(one.length, 0);
    assertTrue(!java.util.Arrays.equals(one, Files.readAllBytes(model())));
  }

  /** A comma within names and as the decimal point leaves the delimiter to the user. */
  @Test
  void theDelimiterIsChosenWhereItCannotBeGuessed() throws IOException {
    StringBuilder csv = new StringBuilder("income, EUR;age, years;@y\n");
    for (int i = 0; i < 40; i++) {
      csv.append(i).append(';').append(i % 7).append(';').append(i % 2).append('\n');
    }
    Path data = Cli.write(folder.resolve("eu.csv"), csv.toString());
    Object[] plain = {"train", data, "--engine", "host", "--epochs", 1, "--model", model()};
    Cli.run(plain).unusable();
    List<Object> chosen = new ArrayList<>(List.of(plain));
    chosen.addAll(List.of("--delimiter", ";", "--label", "@y"));
    Cli.run(chosen.toArray()).done();
    Cli.run("evaluate", model(), data, "--delimiter", ";").done();
    Path tabs = Cli.write(folder.resolve("tabs.csv"), csv.toString().replace(';', '\t'));
    Cli.run("predict", model(), tabs, "--delimiter", "tab").done();
  }

  @Test
  void theSameModelWhereverTheRowsLie() throws IOException {
    Cli device = train("--epochs", 5, "--json").done();
    assertEquals("device", device.json().get("data_on"));
    byte[] expected = Files.readAllBytes(model());
    Cli host = train("--epochs", 5, "--data-on", "host", "--json").done();
    assertEquals("host", host.json().get("data_on"));
    assertArrayEquals(expected, Files.readAllBytes(model()));
    assertEquals(device.number("train_loss"), host.number("train_loss"));
    assertEquals(device.number("test_loss"), host.number("test_loss"));
  }

  @Test
  void streamingIsSaidInALine() {
    StringWriter err = new StringWriter();
    try (ProgressReporter progress = new ProgressReporter(new PrintWriter(err), 1, 1)) {
      progress.streaming("no room for features");
    }
    assertEquals(
        List.of("the rows stay on the host and are sent batch by batch: no room for features"),
        err.toString().lines().toList());
  }

  @Test
  void evaluateSeesWhatPredictSays() throws IOException {
    train("--seed", 1).done();
    double accuracy = Cli.run("evaluate", model(), Cli.WDBC, "--json").done().number("accuracy");
    String[] predictions =
        Cli.run("predict", model(), Cli.WDBC).done().out().lines().skip(1).toArray(String[]::new);
    String[] rows = Files.readString(Cli.WDBC).lines().skip(1).toArray(String[]::new);
    long correct =
        IntStream.range(0, rows.length)
            .filter(i -> rows[i].endsWith("," + predictions[i].split(",")[0]))
            .count();
    assertEquals(accuracy, (double) correct / rows.length);
  }

  @Test
  void aReportIsOnePage() throws IOException {
    Path report = folder.resolve("r.html");
    train("--epochs", 3, "--report", report).done();
    String page = Files.readString(report);
    assertTrue(page.contains("uPlot") && page.contains("30-64-32-1") && !page.contains("{{"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"sgd", "momentum", "adam", "adamw"})
  void everyOptimizerLearns(String optimizer) {
    Cli run = train("--optimizer", optimizer, "--seed", 1, "--json").done();
    assertTrue(run.number("accuracy") > 0.93, run.out());
  }

  @ParameterizedTest
  @ValueSource(strings = {"relu", "leaky_relu", "tanh", "sigmoid", "gelu", "identity"})
  void everyActivationLearns(String activation) {
    Cli run = train("--activation", activation, "--seed", 1, "--json").done();
    assertTrue(run.number("accuracy") > 0.93, run.out());
  }

  @Test
  void twoTextLabelsAreMappedAndSaid() throws IOException {
    StringBuilder text = new StringBuilder("x;y;kind\r\n");
    for (int i = 0; i < 60; i++) {
      text.append(i * 0.1)
          .append(";\"")
          .append(i % 7)
          .append("\";")
          .append(i < 30 ? "benign" : "malignant")
          .append("\r\n");
    }
    Path data = Cli.write(folder.resolve("kinds.csv"), text.toString());
    Cli run = Cli.run("train", data, "--engine", "host", "--model", model(), "--lr", 0.01).done();
    assertTrue(run.err().contains("labels benign -> 0, malignant -> 1"), run.err());
    Cli predictions = Cli.run("predict", model(), data).done();
    assertTrue(predictions.out().startsWith("prediction,probability of malignant\nbenign,"));
    assertTrue(predictions.out().lines().reduce((a, b) -> b).orElseThrow().startsWith("malignant"));
  }

  @Test
  void numbersAreLearnedInTheirUnit() {
    StringBuilder text = new StringBuilder("x,y\n");
    for (int i = 0; i < 200; i++) {
      text.append(i).append(',').append(1e6 + 5000.0 * i).append('\n');
    }
    Path data = Cli.write(folder.resolve("line.csv"), text.toString());
    Cli run =
        Cli.run(
                "train",
                data,
                "--output",
                "linear",
                "--engine",
                "host",
                "--model",
                model(),
                "--lr",
                0.01,
                "--json")
            .done();
    assertTrue(run.number("r2") > 0.99, run.out());
    assertTrue(run.number("rmse") > 1, "in the label's unit: " + run.out());
    String first = Cli.run("predict", model(), data).done().out().lines().skip(1).findFirst().get();
    assertEquals(1e6, Double.parseDouble(first), 1e5);
  }

  @Test
  void handwrittenDigits() {
    assumeTrue(
        Files.isDirectory(MNIST), "MNIST is not at " + MNIST + "; put its four IDX files there");
    Cli run =
        Cli.run(
                "train",
                MNIST.resolve("train-images-idx3-ubyte.gz"),
                "--output",
                "softmax",
                "--hidden",
                64,
                "--test",
                MNIST.resolve("t10k-images-idx3-ubyte.gz"),
                "--epochs",
                2,
                "--engine",
                "host",
                "--model",
                model(),
                "--json")
            .done();
    assertTrue(run.number("accuracy") > 0.95, run.out());
  }

  @Test
  void aTestFileMayHaveItsColumnsInAnotherOrder() {
    StringBuilder training = new StringBuilder("x,kind,y\n");
    StringBuilder test = new StringBuilder("y,note,x,kind\n");
    for (int i = 0; i < 80; i++) {
      training.append(i).append(i < 40 ? ",a," : ",b,").append(i % 3).append('\n');
      test.append(i % 3).append(",?,").append(i).append(i < 40 ? ",a\n" : ",b\n");
    }
    Path data = Cli.write(folder.resolve("one.csv"), training.toString());
    Path other = Cli.write(folder.resolve("two.csv"), test.toString());
    Cli run =
        Cli.run(
                "train",
                data,
                "--label",
                2,
                "--test",
                other,
                "--engine",
                "host",
                "--lr",
                0.01,
                "--model",
                model(),
                "--json")
            .done();
    assertTrue(run.number("accuracy") > 0.95, run.out());
  }

  @Test
  void aModelPredictsTheSameInAFreshProcess() throws IOException, InterruptedException {
    train("--seed", 1, "--epochs", 3).done();
    Path out = folder.resolve("p.csv");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                "io.deltarule.app.Main",
                "predict",
                model().toString(),
                Cli.WDBC.toString(),
                "--engine",
                "host",
                "--out",
                out.toString())
            .start();
    assertEquals(0, process.waitFor());
    String here = Cli.run("predict", model(), Cli.WDBC, "--engine", "host").done().out();
    assertEquals(here, Files.readString(out));
  }
}
