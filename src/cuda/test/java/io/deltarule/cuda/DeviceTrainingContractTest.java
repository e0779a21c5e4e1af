package io.deltarule.cuda;

import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineOptions;
import io.deltarule.training.TrainingContract;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;

/** Training on the card of this machine. */
@EnabledIfSystemProperty(named = "deltarule.cuda.device", matches = "true")
class DeviceTrainingContractTest extends TrainingContract {

  @Override
  protected Engine open(EngineOptions options) {
    return new CudaEngineProvider().open(options);
  }
}
