package io.deltarule.engine;

/**
 * What an engine is, for reports and model files.
 *
 * @param engine the provider's name, such as {@code host}
 * @param device the device in words
 * @param precision of the matrix products
 */
public record EngineDescription(String engine, String device, Precision precision) {

  @Override
  public String toString() {
    return engine + " (" + device + ", " + precision.spelling() + ")";
  }
}
