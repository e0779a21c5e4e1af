package io.deltarule.host;

import io.deltarule.engine.Availability;
import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineOptions;
import io.deltarule.engine.EngineProvider;
import io.deltarule.engine.EngineUnavailableException;
import io.deltarule.engine.Precision;

/** Provides the engine that runs wherever Java does. */
public final class HostEngineProvider implements EngineProvider {

  static final String NAME = "host";

  /** For ServiceLoader. */
  public HostEngineProvider() {}

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public int rank() {
    return 0;
  }

  @Override
  public Availability probe() {
    return Availability.usable(device(threads(EngineOptions.DEFAULT)));
  }

  @Override
  public Engine open(EngineOptions options) {
    if (options.precision() != Precision.FP32) {
      throw new EngineUnavailableException(
          "host: has no precision %s; use %s"
              .formatted(options.precision().spelling(), Precision.FP32.spelling()));
    }
    return new HostEngine(threads(options));
  }

  static String device(int threads) {
    return "%d thread%s, Java %s"
        .formatted(threads, threads == 1 ? "" : "s", System.getProperty("java.version"));
  }

  private static int threads(EngineOptions options) {
    return options.threads() == 0 ? Runtime.getRuntime().availableProcessors() : options.threads();
  }
}
