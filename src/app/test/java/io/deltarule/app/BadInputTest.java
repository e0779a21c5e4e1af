package io.deltarule.app;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What cannot be used is said in one line that names the place, with exit status 2 and no debris.
 */
class BadInputTest {
  private static final String ROWS = "1,2,0\n3,4,1\n5,6,0\n7,8,1\n9,1,0\n2,3,1\n4,5,0\n6,7,1\n";

  @TempDir Path folder;

  /** The files that a test has made itself; nothing else may be left. */
  private Set<Path> files() throws IOException {
    try (Stream<Path> list = Files.list(folder)) {
      return list.collect(Collectors.toSet());
    }
  }

  @AfterEach
  void nothingIsLeftBehind() throws IOException {
    assertTrue(
        files().stream().noneMatch(file -> file.toString().endsWith(".tmp")), files().toString());
  }

  private String train(String csv, Object... options) throws IOException {
    Path data = Cli.write(folder.resolve("data.csv"), csv);
    Set<Path> before = files();
    List<Object> arguments =
        Stream.concat(
                Stream.of("train", data, "--model", folder.resolve("m.st")), Stream.of(options))
            .collect(Collectors.toList());
    if (!arguments.contains("--engine")) {
      arguments.addAll(List.of("--engine", "host"));
    }
    String complaint = Cli.run(arguments.toArray()).unusable();
    assertEquals(before, files());
    return complaint;
  }

  private static void assertNames(String complaint, String... parts) {
    for (String part : parts) {
      assertTrue(complaint.contains(part), complaint + " should name " + part);
    }
  }

  @Test
  void files_that_are_no_data() throws IOException {
    Path missing = folder.resolve("nowhere.csv");
    assertNames(Cli.run("train", missing, "--engine", "host").unusable(), missing.toString());
    assertNames(Cli.run("train", folder, "--engine", "host").unusable(), "directory");
    assertNames(train(""), "data.csv", "empty");
    assertNames(train("a,b,label\n"), "data.csv");
  }

  @Test
  void cells_that_are_no_numbers() throws IOException {
    assertNames(train("a,b,y\n1,2,0\n3,4,1\n5,1\n"), "data.csv:4");
    assertNames(train("a,b,y\n1,2,0\n3,four,1\n"), "data.csv:3", "b", "four");
    assertNames(train("a,b,y\n1,2,0\n3,NaN,1\n"), "data.csv:3", "b", "NaN");
    assertNames(train("a,b,y\n1,2,0\n3,inf,1\n"), "data.csv:3", "b", "inf");
    assertNames(train("a,b,y\n1,2,0\n3,1e39,1\n"), "data.csv:3", "b", "1e39");
    assertNames(train("a,b,y\n1,2,0\n3,,1\n"), "data.csv:3", "b");
  }

  @Test
  void labels_that_do_not_suit() throws IOException {
    assertNames(train("a,b,y\n" + ROWS, "--label", "z"), "'z'", "'a', 'b', 'y'");
    assertNames(train("a,b,y\n1,2,0\n3,4,2\n5,6,1\n"), "data.csv:3", "2", "--output softmax");
    assertNames(train("a,b,y\n1,2,x\n3,4,y\n5,6,z\n"), "--output softmax");
    assertNames(train("a,b,y\n1,2,1\n3,4,1\n5,6,1\n"), "y", "1", "nothing to learn");
    assertNames(train("a,b,y\n1,2,1.5\n3,4,1\n", "--output", "softmax"), "1.5", "linear");
  }

  @Test
  void too_few_rows_to_split() throws IOException {
    assertNames(train("a,y\n1,0\n2,1\n", "--test-split", 0.99), "data.csv", "2 in all");
  }

  @ParameterizedTest
  @CsvSource({
    "--hidden, 0",
    "--hidden, -5",
    "--hidden, abc",
    "--hidden, '64,,32'",
    "--epochs, 0",
    "--epochs, x",
    "--batch, 0",
    "--batch, 1000",
    "--lr, -1",
    "--lr, nan",
    "--lr, 0",
    "--weight-decay, -1",
    "--test-split, 1",
    "--test-split, -0.1",
    "--validation-split, 2",
    "--output, probit",
    "--activation, step",
    "--precision, fp8",
    "--optimizer, lbfgs",
    "--seed, x",
    "--threads, -1",
    "--patience, -1",
    "--normalize, all",
    "--header, maybe",
    "--delimiter, semicolon",
    "--lr, 1e-60",
    "--engine, abacus",
    "--nonsense, 1"
  })
  void options(String option, String value) throws IOException {
    assertNames(train("a,b,y\n" + ROWS, option, value), option.equals("--engine") ? value : option);
  }

  @Test
  void engines_that_cannot() throws IOException {
    assertNames(train("a,b,y\n" + ROWS, "--precision", "bf16"), "host", "fp32");
    assertNames(train("a,b,y\n" + ROWS, "--engine", "abacus"), "abacus", "host");
  }

  @Test
  void places_that_cannot_be_written() throws IOException {
    Path data = Cli.write(folder.resolve("data.csv"), "a,b,y\n" + ROWS);
    for (Path place :
        List.of(folder, folder.resolve("no/such/m.st"), Path.of("/dev/full"), Path.of("/proc/m"))) {
      for (String option : List.of("--model", "--report")) {
        List<Object> arguments =
            new ArrayList<>(List.of("train", data, "--engine", "host", "--test-split", 0));
        if (option.equals("--report")) {
          arguments.addAll(List.of("--model", folder.resolve("m.st")));
        }
        arguments.addAll(List.of(option, place));
        Cli run = Cli.run(arguments.toArray());
        assertNames(run.unusable(), place.toString());
        assertEquals("", run.out(), "found before training");
      }
    }
    assertEquals(Set.of(data), files());
  }

  @Test
  void a_full_disk() {
    Path small = Path.of(System.getProperty("deltarule.test.smalldisk", "/nowhere"));
    assumeTrue(
        Files.isDirectory(small),
        "no small disk; mount one of 64 KiB and pass -Ddeltarule.test.smalldisk=FOLDER");
    Cli run =
        Cli.run(
            "train",
            Cli.WDBC,
            "--engine",
            "host",
            "--hidden",
            "500,500",
            "--model",
            small.resolve("m.st"));
    assertNames(run.unusable(), "m.st", "full");
  }

  @Test
  void models_that_are_damaged() throws IOException {
    Path model = folder.resolve("m.st");
    Cli.run("train", Cli.WDBC, "--engine", "host", "--epochs", 1, "--model", model).done();
    byte[] whole = Files.readAllBytes(model);
    Path bad = folder.resolve("bad.st");
    for (int i = 0; i < 50; i++) {
      Files.write(bad, java.util.Arrays.copyOf(whole, (int) ((long) whole.length * i / 50)));
      assertNames(Cli.run("evaluate", bad, Cli.WDBC).unusable(), "bad.st");
    }
    int header = (int) ByteBuffer.wrap(whole).order(ByteOrder.LITTLE_ENDIAN).getLong();
    for (int at = 0; at < header + 8; at += 1 + at / 8) {
      byte[] flipped = whole.clone();
      flipped[at] ^= 0x15;
      Files.write(bad, flipped);
      assertNames(Cli.run("predict", bad, Cli.WDBC).unusable(), "bad.st");
    }
    byte[] huge = whole.clone();
    ByteBuffer.wrap(huge).order(ByteOrder.LITTLE_ENDIAN).putLong(1L << 60);
    Files.write(bad, huge);
    assertNames(Cli.run("gradcheck", bad, Cli.WDBC).unusable(), "bad.st");
    assertNames(Cli.run("evaluate", folder, Cli.WDBC).unusable(), folder.toString());
    assertNames(Cli.run("evaluate", Cli.WDBC, Cli.WDBC).unusable(), "wdbc.csv");
  }

  @Test
  void data_that_lacks_what_the_model_needs() throws IOException {
    Path model = folder.resolve("m.st");
    Cli.run("train", Cli.WDBC, "--engine", "host", "--epochs", 1, "--model", model).done();
    Path data = Cli.write(folder.resolve("other.csv"), "mean_radius,target\n1,0\n2,1\n");
    assertNames(Cli.run("evaluate", model, data).unusable(), "other.csv", "mean_texture");
    assertNames(
        Cli.run("predict", model, Cli.WDBC, "--engine", "host", "--out", folder.resolve("a/b.csv"))
            .unusable(),
        "b.csv");
  }

  @Test
  void commands() {
    assertNames(Cli.run().unusable(), "command");
    assertNames(Cli.run("trane").unusable(), "trane");
    assertNames(Cli.run("train").unusable(), "DATA");
    assertNames(Cli.run("bench", "--stack", "30").unusable(), "--stack");
    assertNames(Cli.run("bench", "--stack", "30-x-1").unusable(), "--stack");
  }

  @Test
  void files_that_would_overwrite_each_other() throws IOException {
    Path data = Cli.write(folder.resolve("data.csv"), "a,b,y\n" + ROWS);
    Path model = folder.resolve("m.st");
    Path link = Files.createSymbolicLink(folder.resolve("link.csv"), data);
    String before = Files.readString(data);
    Object[] train = {"train", data, "--engine", "host", "--test-split", 0, "--epochs", 1};
    for (Path place : List.of(data, link)) {
      assertNames(run(train, "--model", place).unusable(), "--model", "overwrite DATA");
      assertNames(
          run(train, "--model", model, "--report", place).unusable(), "--report", "overwrite DATA");
    }
    assertNames(
        run(train, "--model", model, "--report", model).unusable(),
        "--report",
        "overwrite --model");
    run(train, "--model", model).done();
    byte[] whole = Files.readAllBytes(model);
    assertNames(Cli.run("predict", model, data, "--out", data).unusable(), "overwrite DATA");
    assertNames(Cli.run("predict", model, data, "--out", model).unusable(), "overwrite MODEL");
    assertEquals(before, Files.readString(data));
    assertTrue(java.util.Arrays.equals(whole, Files.readAllBytes(model)));
  }

  @Test
  void the_labels_beside_images_are_not_overwritten() throws IOException {
    Path images = folder.resolve("t-images-idx2-ubyte");
    Path labels = folder.resolve("t-labels-idx1-ubyte");
    byte[] start = {0, 0, 8, 2, 0, 0, 0, 10, 0, 0, 0, 2};
    Files.write(images, Arrays.copyOf(start, start.length + 20));
    byte[] zeroAndOne = {0, 0, 8, 1, 0, 0, 0, 10, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1};
    Files.write(labels, zeroAndOne);
    Object[] train = {"train", images, "--engine", "host", "--epochs", 1};
    assertNames(run(train, "--model", labels).unusable(), "--model", "overwrite the labels");
    assertArrayEquals(zeroAndOne, Files.readAllBytes(labels));
    run(train, "--model", folder.resolve("m.st")).done();
  }

  private static Cli run(Object[] arguments, Object... more) {
    return Cli.run(Stream.concat(Stream.of(arguments), Stream.of(more)).toArray());
  }

  @Test
  void options_that_would_be_ignored() throws IOException {
    Path model = folder.resolve("m.safetensors");
    Cli.run("train", Cli.WDBC, "--engine", "host", "--epochs", 1, "--model", model).done();
    assertNames(Cli.run("verify", model, Cli.WDBC, "--stack", "3-1").unusable(), "--stack");
    assertNames(Cli.run("verify", "--label", "x").unusable(), "--label");
    assertNames(Cli.run("verify", model).unusable(), "MODEL and DATA");
    assertNames(Cli.run("gradcheck", model, Cli.WDBC, "--hidden", "7").unusable(), "--hidden");
    assertNames(Cli.run("gradcheck", model).unusable(), "DATA is missing");
    assertNames(Cli.run("bench", "--stack", "3-1", "--hidden", "7").unusable(), "--hidden");
    assertNames(Cli.run("bench", "--hidden", "7", "--hidden", "8").unusable(), "once");
    assertNames(Cli.run("bench", "--engine", "host", "--batch", 100000000).unusable(), "--batch");
  }
}
