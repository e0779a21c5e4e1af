package io.deltarule.opencl;

import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineContract;
import io.deltarule.engine.EngineOptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;

/** The contract as a GPU has it that has 64 work-items and 16 KiB of local memory. */
@Tag("kernels")
class SmallDeviceContractTest extends EngineContract {

  @BeforeAll
  static void requireDevice() {
    TestDevice.require();
  }

  @Override
  protected Engine open(EngineOptions options) {
    Device device = TestDevice.small(TestDevice.gpu());
    return new OpenClEngine(device, TestDevice.GPU_TUNING, TestDevice.CACHE);
  }

  /** The driver decides on threads. */
  @Override
  protected int[] threads() {
    return new int[] {0};
  }
}
