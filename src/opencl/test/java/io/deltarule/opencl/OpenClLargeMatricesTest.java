package io.deltarule.opencl;

import io.deltarule.engine.Engine;
import io.deltarule.engine.LargeMatricesContract;
import io.deltarule.engine.Precision;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;

/** Large matrices, where the first device is a GPU. */
@EnabledIfSystemProperty(named = "deltarule.opencl.device", matches = "true")
class OpenClLargeMatricesTest extends LargeMatricesContract {

  @Override
  protected Engine open(Precision precision) {
    return precision == Precision.FP32 ? TestDevice.open() : null;
  }
}
