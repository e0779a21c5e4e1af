package io.deltarule.cuda;

import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineOptions;
import io.deltarule.engine.LargeMatricesContract;
import io.deltarule.engine.Precision;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.extension.ExtendWith;

/** Large matrices on the card of this machine. */
@EnabledIfSystemProperty(named = "deltarule.cuda.device", matches = "true")
@ExtendWith(CardInUse.class)
class DeviceLargeMatricesTest extends LargeMatricesContract {

  @Override
  protected Engine open(Precision precision) {
    return new CudaEngineProvider().open(new EngineOptions(precision, 0, ""));
  }
}
