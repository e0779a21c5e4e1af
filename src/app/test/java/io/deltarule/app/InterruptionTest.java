package io.deltarule.app;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Ctrl-C, in a process of its own. */
class InterruptionTest {
  @TempDir Path folder;

  @Test
  void theBestModelSoFarIsSaved() throws IOException, InterruptedException {
    assumeFalse(System.getProperty("os.name").startsWith("Windows"), "needs kill; run it on Unix");
    Path model = folder.resolve("m.safetensors");
    Process process = start(model, "--epochs", "10000000", "--patience", "0", "--json");
    try (BufferedReader err = process.errorReader();
        BufferedReader out = process.inputReader()) {
      String line = err.readLine();
      while (!line.startsWith("epoch ")) {
        line = err.readLine();
      }
      new ProcessBuilder("kill", "-INT", Long.toString(process.pid())).start().waitFor();
      String last = line;
      while (line != null) {
        last = line;
        line = err.readLine();
      }
      assertTrue(process.waitFor(60, TimeUnit.SECONDS));
      assertEquals(130, process.exitValue());
      assertEquals("stopped by Ctrl-C; the best model so far is saved in " + model, last);
      assertTrue(out.lines().reduce((a, b) -> b).orElseThrow().contains("\"ending\":\"stopped\""));
    } finally {
      process.destroyForcibly();
    }
    try (var files = Files.list(folder)) {
      assertEquals(1, files.count(), "the model and nothing else");
    }
    Cli.run("evaluate", model, Cli.WDBC).done();
  }

  @Test
  void aFirstEpochThatIsStoppedLeavesTheOldModel() throws IOException, InterruptedException {
    assumeFalse(System.getProperty("os.name").startsWith("Windows"), "needs kill; run it on Unix");
    Path model = folder.resolve("m.safetensors");
    Files.writeString(model, "of yesterday");
    // 455 batches of a wide layer: longer than it takes to stop them.
    Process process = start(model, "--batch", "1", "--hidden", "20000", "--threads", "1");
    try (BufferedReader err = process.errorReader();
        BufferedReader out = process.inputReader()) {
      out.readLine(); // the rows: the training begins
      new ProcessBuilder("kill", "-INT", Long.toString(process.pid())).start().waitFor();
      String last = err.lines().reduce((a, b) -> b).orElseThrow();
      assertTrue(process.waitFor(60, TimeUnit.SECONDS));
      assertEquals(130, process.exitValue());
      assertEquals(
          "stopped by Ctrl-C; no epoch was done, and " + model + " is left as it was", last);
      assertEquals("of yesterday", Files.readString(model));
    } finally {
      process.destroyForcibly();
    }
  }

  private static Process start(Path model, String... more) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                "io.deltarule.app.Main",
                "train",
                Cli.WDBC.toString(),
                "--engine",
                "host",
                "--model",
                model.toString()));
    command.addAll(List.of(more));
    return new ProcessBuilder(command).start();
  }
}
