package io.deltarule.training;

import java.util.Locale;

/**
 * Where the samples lie while a network is trained on them. The numbers that training gives do not
 * depend on it, bit for bit.
 */
public enum DataPlacement {
  /** On the engine if they fit there beside all else, otherwise on the host. */
  AUTO,

  /** On the engine, which gathers the batches itself: the fastest. */
  DEVICE,

  /** On the host, which gathers the batches and sends them: the engine holds only two of them. */
  HOST;

  /**
   * The name as the command line spells it.
   *
   * @return such as {@code device}
   */
  public String spelling() {
    return name().toLowerCase(Locale.ROOT);
  }
}
