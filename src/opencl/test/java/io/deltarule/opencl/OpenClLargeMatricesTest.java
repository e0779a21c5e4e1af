package io.deltarule.opencl;

import io.deltarule.engine.Engine;
import io.deltarule.engine.LargeMatricesContract;
import io.deltarule.engine.Precision;
import java.util.List;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;

/** Large matrices, where the first device is a GPU. */
@EnabledIfSystemProperty(named = "deltarule.opencl.device", matches = "true")
class OpenClLargeMatricesTest extends LargeMatricesContract {

  @Override
  protected Engine open(Precision precision) {
    return TestDevice.open();
  }

  @Override
  protected List<Precision> precisions() {
    return List.of(Precision.FP32);
  }
}
