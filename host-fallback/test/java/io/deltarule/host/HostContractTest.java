package io.deltarule.host;

import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineContract;
import io.deltarule.engine.EngineOptions;

/** The contract of all engines. */
class HostContractTest extends EngineContract {
  @Override
  protected Engine open(EngineOptions options) {
    return HostEngines.open(options);
  }
}
