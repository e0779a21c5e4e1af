package io.deltarule.engine;

/** The reference engine with only so much memory. */
public final class LimitedEngine extends ReferenceEngine {
  private final EngineMemory memory;

  /**
   * An engine.
   *
   * @param total bytes of all matrices together
   * @param largest bytes of one matrix
   */
  public LimitedEngine(long total, long largest) {
    memory = new EngineMemory(total, largest);
  }

  @Override
  protected EngineMemory deviceMemory() {
    return memory;
  }

  @Override
  protected Memory allocateBlock(long elements, Element element) {
    long bytes = 4 * elements;
    if (bytes > memory.largest() || bytes > memory.total() - allocatedBytes()) {
      throw new EngineMemoryException("there are " + memory, null);
    }
    return super.allocateBlock(elements, element);
  }
}
