package io.deltarule.cuda;

import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineContract;
import io.deltarule.engine.EngineOptions;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.extension.ExtendWith;

/** The contract on the card of this machine, as a user's engine runs it. */
@EnabledIfSystemProperty(named = "deltarule.cuda.device", matches = "true")
@ExtendWith(CardInUse.class)
class DeviceContractTest extends EngineContract {

  @Override
  protected Engine open(EngineOptions options) {
    return new CudaEngineProvider().open(options);
  }

  @Override
  protected int[] threads() {
    return new int[] {0};
  }
}
