package io.deltarule.opencl;

import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineContract;
import io.deltarule.engine.EngineOptions;
import org.junit.jupiter.api.BeforeAll;

/** The contract on the first device that is found. */
class OpenClContractTest extends EngineContract {

  @BeforeAll
  static void requireDevice() {
    TestDevice.require();
  }

  @Override
  protected Engine open(EngineOptions options) {
    return TestDevice.open();
  }

  /** The driver decides on threads. */
  @Override
  protected int[] threads() {
    return new int[] {0};
  }
}
