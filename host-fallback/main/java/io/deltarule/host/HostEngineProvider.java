package io.deltarule.host;

import io.deltarule.engine.Availability;
import io.deltarule.engine.Engine;
import io.deltarule.engine.EngineOptions;
import io.deltarule.engine.EngineProvider;
import io.deltarule.engine.EngineUnavailableException;
import io.deltarule.engine.Precision;
import java.util.function.Function;

/** Provides the engine that runs wherever Java does. */
public final class HostEngineProvider implements EngineProvider {

  static final String NAME = "host";

  private static final int MOST_THREADS = 1024;

  private final Function<Workers, Kernels> kernels;

  /** For ServiceLoader. */
  public HostEngineProvider() {
    this(Vectorization::warming);
  }

  HostEngineProvider(Function<Workers, Kernels> kernels) {
    this.kernels = kernels;
  }

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
    try (Workers caller = new Workers(1)) {
      String device = device(threads(EngineOptions.DEFAULT), Vectorization.kernels(caller));
      return Availability.usable(device + Vectorization.advice());
    }
  }

  @Override
  public Engine open(EngineOptions options) {
    if (options.precision() != Precision.FP32) {
      throw new EngineUnavailableException(
          "host: has no precision %s; use %s"
              .formatted(options.precision().spelling(), Precision.FP32.spelling()));
    }
    if (!options.device().isEmpty()) {
      throw new EngineUnavailableException(
          "host: has no devices to choose from; leave out --device");
    }
    if (options.threads() > MOST_THREADS) {
      throw new EngineUnavailableException(
          "host: has at most %d threads, not %d".formatted(MOST_THREADS, options.threads()));
    }
    int threads = threads(options);
    try {
      return new HostEngine(threads, kernels);
    } catch (OutOfMemoryError e) {
      throw new EngineUnavailableException(
          "host: no memory for %d threads (%s); take fewer".formatted(threads, e.getMessage()));
    }
  }

  static String device(int threads, Kernels kernels) {
    return threads
        + (threads == 1 ? " thread" : " threads")
        + ", Java "
        + System.getProperty("java.version")
        + ", "
        + kernels.vectors();
  }

  private static int threads(EngineOptions options) {
    return options.threads() == 0 ? Runtime.getRuntime().availableProcessors() : options.threads();
  }
}
