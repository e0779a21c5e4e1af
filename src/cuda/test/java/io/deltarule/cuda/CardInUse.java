package io.deltarule.cuda;

import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineOptions;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Keeps an engine open during a class of tests: otherwise the card's context would be created and
 * destroyed with the engine of each test, which takes longer than the test.
 */
final class CardInUse implements BeforeAllCallback, AfterAllCallback {
  private Engine engine;

  @Override
  public void beforeAll(ExtensionContext context) {
    engine = new CudaEngineProvider().open(EngineOptions.DEFAULT);
  }

  @Override
  public void afterAll(ExtensionContext context) {
    engine.close();
  }
}
