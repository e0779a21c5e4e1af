package io.deltarule.opencl;

import static org.junit.jupiter.api.Assumptions.assumeFalse;

/** The device that tests run on. */
final class TestDevice {
  private TestDevice() {}

  /** The best device; skips the test where there is none, saying what would help. */
  static Device require() {
    Devices devices = Devices.find();
    assumeFalse(devices.all().isEmpty(), () -> devices.reason() + "; " + devices.remedy());
    return devices.all().get(0);
  }
}
