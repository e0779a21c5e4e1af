package io.deltarule.cuda;

import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineContract;
import io.deltarule.engine.EngineOptions;
import io.deltarule.engine.Precision;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ExtendWith;

/** The contract with all products on cuBLAS. */
@Tag("kernels")
@ExtendWith(FakeCard.class)
class FakeDriverCublasContractTest extends EngineContract {

  @Override
  protected Engine open(EngineOptions options) {
    return FakeCard.open(Precision.FP32, true, FakeCard.NONE_SMALL);
  }

  @Override
  protected int[] threads() {
    return new int[] {0};
  }
}
