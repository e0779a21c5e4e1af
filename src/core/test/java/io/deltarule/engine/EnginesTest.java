package io.deltarule.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

/** The automatic choice says why; a forced engine is that one or an error. */
class EnginesTest {

  private record Provider(String name, int rank, String failure) implements EngineProvider {
    @Override
    public Availability probe() {
      return failure == null
          ? Availability.usable("device of " + name)
          : Availability.unusable(failure, "buy one");
    }

    @Override
    public Engine open(EngineOptions options) {
      if (failure != null) {
        throw new EngineUnavailableException(name + ": " + failure);
      }
      return new ReferenceEngine() {
        @Override
        protected EngineMemory deviceMemory() {
          return new EngineMemory(Long.MAX_VALUE, Long.MAX_VALUE);
        }

        @Override
        public EngineDescription description() {
          return new EngineDescription(name, "device of " + name, options.precision());
        }
      };
    }
  }

  private static final EngineProvider FAST = new Provider("fast", 2, "no device");
  private static final EngineProvider MIDDLE = new Provider("middle", 1, "no driver");
  private static final EngineProvider SLOW = new Provider("slow", 0, null);

  @Test
  void autoFallsThroughWithReasons() {
    Engines.Choice choice =
        Engines.choose(List.of(FAST, MIDDLE, SLOW), Engines.AUTO, EngineOptions.DEFAULT);
    try (Engine engine = choice.engine()) {
      assertEquals("slow", engine.description().engine());
      assertEquals(
          "engine slow (device of slow, fp32); not fast: no device; not middle: no driver",
          choice.reason());
    }
  }

  @Test
  void autoTakesTheFirstUsable() {
    Engines.Choice choice =
        Engines.choose(List.of(SLOW, FAST), Engines.AUTO, EngineOptions.DEFAULT);
    try (Engine engine = choice.engine()) {
      assertEquals("engine " + engine.description(), choice.reason());
      assertFalse(choice.reason().contains("not"));
    }
  }

  @Test
  void autoWithoutAnyUsableNamesAll() {
    String message = refusal(List.of(FAST, MIDDLE), Engines.AUTO);
    assertTrue(message.contains("fast: no device"), message);
    assertTrue(message.contains("middle: no driver"), message);
    message = refusal(List.of(), Engines.AUTO);
    assertTrue(message.contains("deltarule-host"), message);
  }

  @Test
  void aForcedEngineIsThatOneOrAnError() {
    Engines.Choice choice =
        Engines.choose(List.of(FAST, MIDDLE, SLOW), "slow", EngineOptions.DEFAULT);
    try (Engine engine = choice.engine()) {
      assertEquals("engine " + engine.description() + ", as asked", choice.reason());
    }
    assertEquals("fast: no device", refusal(List.of(FAST, MIDDLE, SLOW), "fast"));
    assertEquals(
        "unknown engine 'quick'; one of auto, fast, middle, slow",
        refusal(List.of(FAST, MIDDLE, SLOW), "quick"));
  }

  @Test
  void optionsReachTheEngine() {
    EngineOptions options = new EngineOptions(Precision.BF16, 3, "");
    try (Engine engine = Engines.choose(List.of(SLOW), "slow", options).engine()) {
      assertEquals(Precision.BF16, engine.description().precision());
    }
    assertThrows(IllegalArgumentException.class, () -> new EngineOptions(Precision.FP32, -1, ""));
  }

  @Test
  void spellingsAreReadBack() {
    for (Activation activation : Activation.values()) {
      assertEquals(activation, Activation.of(activation.spelling()));
    }
    for (Output output : Output.values()) {
      assertEquals(output, Output.of(output.spelling()));
    }
    for (Precision precision : Precision.values()) {
      assertEquals(precision, Precision.of(precision.spelling()));
    }
    for (Runnable wrong :
        List.<Runnable>of(
            () -> Activation.of("relo"), () -> Output.of("tanh"), () -> Precision.of("fp16"))) {
      String message = assertThrows(IllegalArgumentException.class, wrong::run).getMessage();
      assertTrue(message.contains("; one of "), message);
    }
  }

  private static String refusal(List<EngineProvider> providers, String name) {
    return assertThrows(
            EngineUnavailableException.class,
            () -> Engines.choose(providers, name, EngineOptions.DEFAULT))
        .getMessage();
  }
}
