package io.deltarule.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.engine.Availability;
import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineMemoryException;
import io.deltarule.engine.EngineOptions;
import io.deltarule.engine.EngineUnavailableException;
import io.deltarule.engine.Engines;
import io.deltarule.engine.Precision;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class HostEngineProviderTest {

  @Test
  void isFoundByName() {
    try (Engine engine = Engines.open("host")) {
      assertEquals("host", engine.description().engine());
      assertEquals(Precision.FP32, engine.description().precision());
    }
  }

  @Test
  void isAlwaysUsable() {
    Availability availability = new HostEngineProvider().probe();
    assertTrue(availability.usable());
    assertTrue(
        availability.detail().matches("\\d+ threads?, Java \\S+, (\\d+-bit|no) vectors(; .*)?"),
        availability.detail());
    assertEquals(0, new HostEngineProvider().rank());
  }

  @Test
  void usesTheThreadsAskedFor() {
    try (Engine engine = HostEngines.open(3)) {
      assertTrue(engine.description().device().startsWith("3 threads, Java "));
    }
    try (Engine engine = HostEngines.open(1)) {
      assertTrue(engine.description().device().startsWith("1 thread, Java "));
    }
  }

  @ParameterizedTest
  @EnumSource(names = "FP32", mode = EnumSource.Mode.EXCLUDE)
  void refusesOtherPrecisions(Precision precision) {
    EngineUnavailableException thrown =
        assertThrows(
            EngineUnavailableException.class,
            () -> new HostEngineProvider().open(new EngineOptions(precision, 1, "")));
    assertTrue(thrown.getMessage().contains(precision.spelling()), thrown.getMessage());
    assertTrue(thrown.getMessage().contains("use fp32"), thrown.getMessage());
    assertFalse(thrown.getMessage().contains("\n"));
  }

  @Test
  void refusesWhatItDoesNotHave() {
    for (EngineOptions options :
        new EngineOptions[] {
          new EngineOptions(Precision.FP32, 1, "0"), new EngineOptions(Precision.FP32, 1025, "")
        }) {
      EngineUnavailableException thrown =
          assertThrows(
              EngineUnavailableException.class, () -> new HostEngineProvider().open(options));
      assertTrue(thrown.getMessage().startsWith("host: has "), thrown.getMessage());
    }
  }

  @Test
  void aFailureToOpenLeavesNoThreads() {
    long before = HostEngines.threadsAlive();
    HostEngineProvider failing =
        new HostEngineProvider(
            workers -> {
              throw new OutOfMemoryError("a test");
            });
    EngineUnavailableException thrown =
        assertThrows(
            EngineUnavailableException.class,
            () -> failing.open(EngineOptions.DEFAULT.withThreads(7)));
    assertEquals("host: no memory for 7 threads (a test); take fewer", thrown.getMessage());
    assertEquals(before, HostEngines.threadsAlive());
  }

  @Test
  void saysHowMuchRoomThereIs() {
    try (Engine engine = HostEngines.open(1)) {
      EngineMemoryException thrown =
          assertThrows(
              EngineMemoryException.class,
              () -> engine.allocate("weights", Integer.MAX_VALUE, Integer.MAX_VALUE));
      assertTrue(thrown.getMessage().contains("weights"), thrown.getMessage());
      assertTrue(thrown.getMessage().contains("at most 8589934300 bytes"), thrown.getMessage());
    }
  }
}
