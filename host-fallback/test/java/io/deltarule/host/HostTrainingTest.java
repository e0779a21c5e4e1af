package io.deltarule.host;

import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineOptions;
import io.deltarule.training.TrainingContract;

/** Training, as on all engines. */
class HostTrainingTest extends TrainingContract {
  @Override
  protected Engine open(EngineOptions options) {
    return HostEngines.open(options);
  }
}
