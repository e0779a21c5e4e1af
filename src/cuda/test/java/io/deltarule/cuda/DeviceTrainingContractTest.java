package io.deltarule.cuda;

import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineOptions;
import io.deltarule.training.TrainingContract;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.extension.ExtendWith;

/** Training on the card of this machine. */
@EnabledIfSystemProperty(named = "deltarule.cuda.device", matches = "true")
@ExtendWith(CardInUse.class)
class DeviceTrainingContractTest extends TrainingContract {

  @Override
  protected Engine open(EngineOptions options) {
    return new CudaEngineProvider().open(options.withThreads(0));
  }
}
