package io.deltarule.opencl;

import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineOptions;
import io.deltarule.training.TrainingContract;
import org.junit.jupiter.api.BeforeAll;

/** Training, as on all engines. */
class OpenClTrainingTest extends TrainingContract {

  @BeforeAll
  static void requireDevice() {
    TestDevice.require();
  }

  @Override
  protected Engine open(EngineOptions options) {
    return TestDevice.open();
  }

  @Override
  protected int[] threads() {
    return new int[] {0, 0};
  }
}
