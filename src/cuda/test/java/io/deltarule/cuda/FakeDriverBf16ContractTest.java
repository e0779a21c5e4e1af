package io.deltarule.cuda;

import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineContract;
import io.deltarule.engine.EngineOptions;
import io.deltarule.engine.Precision;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ExtendWith;

/** The contract in bf16, with all products on cuBLAS, in the other order of execution. */
@Tag("kernels")
@ExtendWith(FakeCard.class)
class FakeDriverBf16ContractTest extends EngineContract {

  @BeforeEach
  void reorder() {
    FakeDriver.schedule(FakeDriver.Schedule.OTHERS_FIRST);
    FakeDriver.reverseThreads(true);
  }

  @Override
  protected Engine open(EngineOptions options) {
    return FakeCard.open(options.precision(), true, FakeCard.NONE_SMALL);
  }

  @Override
  protected EngineOptions options() {
    return new EngineOptions(Precision.BF16, 0, "");
  }

  @Override
  protected int[] threads() {
    return new int[] {0};
  }
}
