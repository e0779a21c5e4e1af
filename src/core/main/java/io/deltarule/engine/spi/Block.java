package io.deltarule.engine.spi;

/**
 * A piece of device memory of 32-bit elements. {@link AbstractEngine} releases each exactly once.
 */
public interface Block {

  /** Frees the memory, after the queued calls that use it. Must not throw: failures are logged. */
  void release();
}
