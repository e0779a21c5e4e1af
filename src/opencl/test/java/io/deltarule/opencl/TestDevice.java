package io.deltarule.opencl;

import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.nio.file.Path;

/** The devices that tests run on. */
final class TestDevice {

  /** Not the user's: a tuning that lies there must not decide what is tested. */
  static final CacheFolder CACHE = new CacheFolder(Path.of("target", "cache"));

  /** What the smallest GPUs have. */
  static final int SMALL_ITEMS = 64;

  static final int SMALL_LOCAL_BYTES = 16 << 10;

  private TestDevice() {}

  /** The best device; skips the test where there is none, saying what would help. */
  static Device require() {
    Devices devices = Devices.find();
    assumeFalse(devices.all().isEmpty(), () -> devices.reason() + "; " + devices.remedy());
    return devices.all().get(0);
  }

  /** The same, as if it were small. */
  static Device small() {
    return require().limited(SMALL_ITEMS, SMALL_LOCAL_BYTES, Long.MAX_VALUE, Long.MAX_VALUE);
  }

  static OpenClEngine open() {
    Device device = require();
    return new OpenClEngine(device, Tuning.standard(device), CACHE);
  }
}
