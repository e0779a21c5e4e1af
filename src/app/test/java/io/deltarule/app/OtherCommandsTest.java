package io.deltarule.app;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class OtherCommandsTest {

  @ParameterizedTest
  @ValueSource(
      strings = {"train", "evaluate", "predict", "engines", "verify", "gradcheck", "bench", "tune"})
  void helpHasExamples(String command) {
    String help = Cli.run(command, "--help").done().out();
    assertTrue(help.contains("Examples:\n  deltarule " + command), help);
  }

  @Test
  void enginesAreListed() {
    Cli run = Cli.run("engines", "--json").done();
    assertTrue(run.out().lines().anyMatch(l -> l.startsWith("host     usable: ")), run.out());
    assertTrue(run.out().lines().reduce((a, b) -> b).orElseThrow().startsWith("{\"engines\":["));
  }

  @ParameterizedTest
  @ValueSource(strings = {"none", "16", "16,8", "16,8,8", "16,8,8,8"})
  void gradientsOfTheUsersDataAgree(String hidden) {
    Cli run = Cli.run("gradcheck", Cli.WDBC, "--hidden", hidden, "--json").done();
    long layers = run.out().lines().filter(line -> line.startsWith("layer ")).count();
    assertEquals(hidden.equals("none") ? 1 : hidden.split(",").length + 1, layers);
    assertEquals(true, run.json().get("passed"));
  }

  @Test
  void benchTellsEachPhase() {
    Cli run =
        Cli.run(
                "bench",
                "--stack",
                "7-5-1",
                "--batch",
                3,
                "--seconds",
                0.01,
                "--repeats",
                3,
                "--engine",
                "host",
                "--json")
            .done();
    for (String phase :
        new String[] {
          "gather",
          "forward",
          "output error",
          "error propagation",
          "gradients",
          "update",
          "whole step"
        }) {
      assertTrue(run.out().contains("\"phase\":\"" + phase + "\""), run.out());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"1-1", "3-2-1", "30-64-32-1", "28-30-30-30-30-30-1"})
  void theHostAgreesWithTheReference(String stack) {
    Cli run =
        Cli.run("verify", "--engine", "host", "--stack", stack, "--batch", 7, "--json").done();
    assertEquals(true, run.json().get("passed"));
    assertTrue(run.out().contains("all agree"), run.out());
  }

  @Test
  void tuneSaysWhatItNeeds() {
    assertTrue(Cli.run("tune").unusable().contains("--engine"));
    assertTrue(Cli.run("tune", "--engine", "host").unusable().contains("nothing to tune"));
    assertTrue(Cli.run("tune", "--engine", "none").unusable().contains("unknown engine"));
  }
}
