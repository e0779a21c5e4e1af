package io.deltarule.opencl;

import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineContract;
import io.deltarule.engine.EngineOptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;

/** The contract within 64 work-items and 16 KiB of local memory, with the tiles of GPUs. */
@Tag("kernels")
class SmallDeviceContractTest extends EngineContract {

  @BeforeAll
  static void requireDevice() {
    TestDevice.require();
  }

  @Override
  protected Engine open(EngineOptions options) {
    Tuning tuning = new Tuning(Tile.GPU_LARGE, Tile.GPU_SMALL);
    return new OpenClEngine(TestDevice.small(), tuning, TestDevice.CACHE);
  }

  /** The driver decides on threads. */
  @Override
  protected int[] threads() {
    return new int[] {0};
  }
}
