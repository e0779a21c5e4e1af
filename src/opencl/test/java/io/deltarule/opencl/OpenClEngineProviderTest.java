package io.deltarule.opencl;

import static org.jocl.CL.CL_DEVICE_NOT_AVAILABLE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.engine.Availability;
import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineOptions;
import io.deltarule.engine.EngineUnavailableException;
import io.deltarule.engine.Precision;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OpenClEngineProviderTest {
  private final OpenClEngineProvider provider = new OpenClEngineProvider();

  private static EngineOptions device(String wish) {
    return new EngineOptions(Precision.FP32, 0, wish);
  }

  private String refusal(EngineOptions options) {
    String message =
        assertThrows(EngineUnavailableException.class, () -> provider.open(options).close())
            .getMessage();
    assertEquals(1, message.lines().count(), message);
    assertTrue(message.startsWith("opencl: "), message);
    return message;
  }

  @Test
  void takesTheDeviceThatIsAskedFor() {
    Device device = TestDevice.require();
    for (String wish : List.of("", "0", device.name(), device.platform().toUpperCase())) {
      try (Engine engine = provider.open(device(wish))) {
        assertEquals(device.toString(), engine.description().device());
      }
    }
    for (String wish : List.of("no such device", "99", "99999999999999999999")) {
      String message = refusal(device(wish));
      assertTrue(message.contains(wish) && message.contains("0: " + device), message);
    }
    assertTrue(provider.probe().usable());
    assertTrue(provider.probe().detail().contains(device.name()));
  }

  @Test
  void aDeviceThatDoesNotAnswerIsLeftOut() {
    Device device = TestDevice.require();
    Supplier<Device> silent =
        () -> {
          throw Cl.failure(CL_DEVICE_NOT_AVAILABLE, "clGetDeviceInfo");
        };
    Devices devices = Devices.of(List.of(silent, () -> device));
    assertEquals(List.of(device), devices.all());
    assertTrue(devices.toString().contains("CL_DEVICE_NOT_AVAILABLE"), devices.toString());
    devices = Devices.of(List.of(silent));
    assertTrue(devices.all().isEmpty());
    assertTrue(devices.reason().contains("CL_DEVICE_NOT_AVAILABLE"), devices.reason());
  }

  @Test
  void refusesWhatItDoesNotHave() {
    assertTrue(refusal(new EngineOptions(Precision.BF16, 0, "")).contains("fp32"));
    assertTrue(refusal(new EngineOptions(Precision.FP32, 3, "")).contains("--threads"));
  }

  @Test
  void theAutomaticChoiceLeavesTheCpuToTheHostEngine() {
    Device device = TestDevice.require();
    if (device.cpu()) {
      String message =
          assertThrows(
                  EngineUnavailableException.class,
                  () -> provider.openAutomatically(EngineOptions.DEFAULT))
              .getMessage();
      assertTrue(message.contains("--engine opencl"), message);
      provider.openAutomatically(device(device.name())).close(); // asked for by its name
    } else {
      provider.openAutomatically(EngineOptions.DEFAULT).close();
    }
  }

  @Test
  void withoutDriversOneLineSaysWhatHelps(@TempDir Path empty) throws Exception {
    assertFalse(otherProcess(empty).contains("\tat "));
  }

  private static String otherProcess(Path drivers) throws IOException, InterruptedException {
    ProcessBuilder java =
        new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-cp",
            System.getProperty("java.class.path"),
            Probe.class.getName());
    java.environment().put("OCL_ICD_VENDORS", drivers.toString());
    java.environment().put("OCL_ICD_FILENAMES", "");
    Process process = java.redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), output);
    return output;
  }

  /** What another process runs. */
  static final class Probe {
    private Probe() {}

    /**
     * Fails unless there is no device and that is said.
     *
     * @param arguments none
     */
    public static void main(String[] arguments) {
      OpenClEngineProvider provider = new OpenClEngineProvider();
      Availability availability = provider.probe();
      assertFalse(availability.usable(), availability::toString);
      assertTrue(availability.remedy().contains("apt-get install pocl-opencl-icd"));
      String message =
          assertThrows(EngineUnavailableException.class, () -> provider.open(EngineOptions.DEFAULT))
              .getMessage();
      assertTrue(message.contains(availability.detail()), message);
    }
  }
}
