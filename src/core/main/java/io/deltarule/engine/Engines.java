package io.deltarule.engine;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;
import java.util.stream.Collectors;

/** Finds engines and chooses one: by name, or the fastest usable one. */
public final class Engines {

  /** The name that asks for the fastest usable engine. */
  public static final String AUTO = "auto";

  private Engines() {}

  /**
   * An opened engine, and how it was chosen.
   *
   * @param engine to be closed by the caller
   * @param reason one line: which engine, and why the faster ones were not taken
   */
  public record Choice(Engine engine, String reason) {}

  /**
   * All engines on the class path, the fastest first.
   *
   * @return the providers; empty if only the core is there
   */
  public static List<EngineProvider> providers() {
    return ServiceLoader.load(EngineProvider.class).stream()
        .map(ServiceLoader.Provider::get)
        .sorted(Comparator.comparingInt(EngineProvider::rank).reversed())
        .toList();
  }

  /**
   * Opens an engine with default options.
   *
   * @param name an engine's name, or {@link #AUTO}
   * @return the engine, to be closed by the caller
   * @throws EngineUnavailableException if there is none of that name, or it cannot be used here
   */
  public static Engine open(String name) {
    return choose(name, EngineOptions.DEFAULT).engine();
  }

  /**
   * Opens an engine: the named one or none, or for {@link #AUTO} the first of {@link #providers()}
   * that can be used.
   *
   * @param name an engine's name, or {@link #AUTO}
   * @param options what to ask of it
   * @return the engine and the reason of the choice
   * @throws EngineUnavailableException naming every engine that was tried, why not, and the remedy
   */
  public static Choice choose(String name, EngineOptions options) {
    return choose(providers(), name, options);
  }

  static Choice choose(List<EngineProvider> providers, String name, EngineOptions options) {
    if (!name.equals(AUTO)) {
      Engine engine = named(providers, name).open(options);
      return new Choice(engine, "engine " + engine.description() + ", as asked");
    }
    List<String> passedOver = new ArrayList<>();
    for (EngineProvider provider : providers) {
      try {
        Engine engine = provider.openAutomatically(options);
        String others = passedOver.isEmpty() ? "" : "; not " + String.join("; not ", passedOver);
        return new Choice(engine, "engine " + engine.description() + others);
      } catch (EngineException e) {
        passedOver.add(e.getMessage());
      }
    }
    throw new EngineUnavailableException(
        passedOver.isEmpty()
            ? "no engine on the class path; add io.deltarule:deltarule-host"
            : "no engine can be used: " + String.join("; ", passedOver));
  }

  /**
   * The provider of an engine.
   *
   * @param name an engine's name
   * @return its provider
   * @throws EngineUnavailableException if there is none of that name
   */
  public static EngineProvider provider(String name) {
    return named(providers(), name);
  }

  private static EngineProvider named(List<EngineProvider> providers, String name) {
    return providers.stream()
        .filter(provider -> provider.name().equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                new EngineUnavailableException(
                    "unknown engine '"
                        + name
                        + "'; one of "
                        + providers.stream()
                            .map(EngineProvider::name)
                            .collect(Collectors.joining(", ", "auto, ", ""))));
  }
}
