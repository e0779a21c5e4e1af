package io.deltarule.cuda;

import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineContract;
import io.deltarule.engine.EngineOptions;
import org.junit.jupiter.api.extension.ExtendWith;

/** The contract as a user's engine runs it: small products on the project's kernels. */
@ExtendWith(FakeCard.class)
class FakeDriverContractTest extends EngineContract {

  @Override
  protected Engine open(EngineOptions options) {
    return FakeCard.open();
  }

  @Override
  protected int[] threads() {
    return new int[] {0};
  }
}
