package io.deltarule.cuda;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.engine.Activation;
import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineContract;
import io.deltarule.engine.EngineOptions;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The contract as a user's engine runs it: small products on the project's kernels. */
class FakeDriverContractTest extends EngineContract {

  /** With room for the blocks of a recorded step at once, which so becomes one kernel. */
  @RegisterExtension static final FakeCard CARD = new FakeCard(6);

  @Override
  protected Engine open(EngineOptions options) {
    return FakeCard.open();
  }

  @Override
  protected int[] threads() {
    return new int[] {0};
  }

  @Override
  @ParameterizedTest
  @EnumSource(Activation.class)
  protected void recordedEqualsCalled(Activation f) {
    super.recordedEqualsCalled(f);
    assertFalse(FakeDriver.callCounts().containsKey("cuLaunchCooperativeKernel"));
    FakeDriver.configure(1, 75, 12060, 1L << 32, 6); // which does not take stack_block
    try (Engine other = FakeCard.open()) {
      recordedEqualsCalled(other, f, 16, 24);
    }
    assertTrue(FakeDriver.callCounts().containsKey("cuLaunchCooperativeKernel"));
  }
}
