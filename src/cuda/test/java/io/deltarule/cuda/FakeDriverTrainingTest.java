package io.deltarule.cuda;

import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineOptions;
import io.deltarule.training.TrainingContract;
import org.junit.jupiter.api.extension.ExtendWith;

/** Training on the fake driver. */
@ExtendWith(FakeCard.class)
class FakeDriverTrainingTest extends TrainingContract {

  @Override
  protected Engine open(EngineOptions options) {
    return FakeCard.open();
  }

  @Override
  protected int[] threads() {
    return new int[] {0, 0};
  }
}
