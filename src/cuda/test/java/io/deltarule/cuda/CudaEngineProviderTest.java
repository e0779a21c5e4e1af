package io.deltarule.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.engine.Availability;
import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineOptions;
import io.deltarule.engine.EngineUnavailableException;
import io.deltarule.engine.Engines;
import io.deltarule.engine.Matrix;
import io.deltarule.engine.Precision;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What the provider says of machines with other cards and drivers. */
@ExtendWith(FakeCard.class)
class CudaEngineProviderTest {
  private static final long MEMORY = 1L << 32;

  private final CudaEngineProvider provider = new CudaEngineProvider();

  private static EngineOptions options(Precision precision, String device) {
    return new EngineOptions(precision, 0, device);
  }

  private String refusal(EngineOptions options) {
    String message =
        assertThrows(EngineUnavailableException.class, () -> provider.open(options)).getMessage();
    assertEquals(1, message.lines().count(), message);
    return message;
  }

  @Test
  void isFoundAndSaysWhatThereIs() {
    assertEquals(CudaEngineProvider.class, Engines.provider("cuda").getClass());
    Availability availability = provider.probe();
    assertTrue(availability.usable());
    for (String part : new String[] {"compute capability", "MiB", "CUDA 1", "cuBLAS 12 of user"}) {
      assertTrue(availability.detail().contains(part), availability.detail());
    }
    assertEquals(Map.of(), FakeDriver.liveObjects());
  }

  @Test
  void noCard() {
    FakeDriver.configure(0, 90, 12060, MEMORY, 4);
    Availability availability = provider.probe();
    assertFalse(availability.usable());
    assertTrue(availability.detail().contains("no card"), availability.detail());
    assertTrue(availability.remedy().contains("nvidia-smi"), availability.remedy());
    assertTrue(refusal(EngineOptions.DEFAULT).contains("no card"));
  }

  @Test
  void aCardThatDoesNotAnswerIsLeftOut() {
    FakeDriver.configure(2, 90, 12060, MEMORY, 4);
    FakeDriver.failNext("cuDeviceGetAttribute", 1, 999);
    Availability availability = provider.probe();
    assertTrue(availability.usable(), availability.detail());
    String reason = "card 0: cuda: cuDeviceGetAttribute";
    assertTrue(availability.detail().contains(reason), availability.detail());
    FakeDriver.failNext("cuDeviceTotalMem", 1, 999);
    provider.open(EngineOptions.DEFAULT).close();

    FakeDriver.configure(1, 90, 12060, MEMORY, 4);
    FakeDriver.failNext("cuDeviceGetAttribute", 1, 999);
    availability = provider.probe();
    assertFalse(availability.usable());
    assertTrue(availability.detail().contains(reason), availability.detail());
  }

  @Test
  void tooOldACard() {
    FakeDriver.configure(1, 70, 12060, MEMORY, 4);
    String message = refusal(EngineOptions.DEFAULT);
    assertTrue(message.contains("7.5") && message.contains("--engine opencl"), message);
  }

  @Test
  void tooOldADriver() {
    FakeDriver.configure(1, 80, 11060, MEMORY, 4);
    String message = refusal(EngineOptions.DEFAULT);
    assertTrue(message.contains("CUDA 11.6") && message.contains("520"), message);
  }

  @Test
  void precisionThatTheCardLacks() {
    FakeDriver.configure(1, 75, 12060, MEMORY, 4);
    try (Engine engine = provider.open(EngineOptions.DEFAULT)) {
      assertEquals(Precision.FP32, engine.description().precision());
    }
    for (Precision precision : new Precision[] {Precision.TF32, Precision.BF16}) {
      String message = refusal(options(precision, ""));
      assertTrue(message.contains(precision.spelling() + " needs"), message);
      assertTrue(message.contains("use fp32"), message);
    }
  }

  @Test
  void threadsAreNoneOfItsBusiness() {
    assertTrue(refusal(EngineOptions.DEFAULT.withThreads(2)).contains("--threads"));
  }

  /** Two cards in one process, called in turn: each has its own memory. */
  @Test
  void twoCards() {
    FakeDriver.configure(2, 90, 12060, MEMORY, 4);
    try (Engine first = provider.open(options(Precision.FP32, "0"));
        Engine second = provider.open(options(Precision.FP32, "1"))) {
      Matrix a = first.allocate("a", 1, 2);
      Matrix b = second.allocate("b", 1, 2);
      first.write(a, new float[] {1, 2});
      second.write(b, new float[] {3, 4});
      float[] values = new float[2];
      first.read(a, values);
      assertEquals(2, values[1]);
      second.read(b, values);
      assertEquals(4, values[1]);
    }
    FakeCard.assertClean();
    String message = refusal(options(Precision.FP32, "2"));
    assertTrue(message.contains("no device '2'") && message.contains("1: "), message);
  }
}
