package io.deltarule.engine;

/** The contract can be met, by the reference itself. */
class ReferenceEngineTest extends EngineContract {
  @Override
  protected Engine open(EngineOptions options) {
    return new ReferenceEngine();
  }
}
