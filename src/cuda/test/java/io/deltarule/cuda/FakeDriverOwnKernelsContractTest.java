package io.deltarule.cuda;

import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineContract;
import io.deltarule.engine.EngineOptions;
import io.deltarule.engine.Precision;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ExtendWith;

/** The contract without cuBLAS, in the other order of execution. */
@Tag("kernels")
@ExtendWith(FakeCard.class)
class FakeDriverOwnKernelsContractTest extends EngineContract {

  @BeforeEach
  void reorder() {
    FakeDriver.schedule(FakeDriver.Schedule.OTHERS_FIRST);
    FakeDriver.reverseThreads(true);
  }

  @Override
  protected Engine open(EngineOptions options) {
    return FakeCard.open(Precision.FP32, false, FakeCard.NONE_SMALL);
  }

  @Override
  protected int[] threads() {
    return new int[] {0};
  }
}
