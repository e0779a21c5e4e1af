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

  /** Units as if there were so many, so that small matrices take the ways of a large GPU. */
  static final int UNITS = 8;

  /** Of the kind that GPUs have, but PoCL takes a minute for the larger ones. */
  static final Tuning GPU_TUNING =
      Tuning.of(new Tile(4, 8, 4, 2, 4, 8, true, true), new Tile(8, 8, 2, 1, 2, 16, true, true));

  private TestDevice() {}

  /** The best device; skips the test where there is none, saying what would help. */
  static Device require() {
    Devices devices = Devices.find();
    assumeFalse(devices.all().isEmpty(), () -> devices.reason() + "; " + devices.remedy());
    return devices.all().get(0);
  }

  /** The best device, as if it were a GPU. */
  static Device gpu() {
    return require().asGpu(UNITS);
  }

  /** A device as if it were small. */
  static Device small(Device device) {
    return device.limited(SMALL_ITEMS, SMALL_LOCAL_BYTES, Long.MAX_VALUE, Long.MAX_VALUE);
  }

  static OpenClEngine open() {
    Device device = require();
    return new OpenClEngine(device, Tuning.standard(device), CACHE);
  }
}
