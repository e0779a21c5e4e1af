package io.deltarule.engine.spi;

/** One block of an engine, with its name for messages and its one owner, which releases it once. */
final class Allocation<B extends Block> {
  private final AbstractEngine<B> engine;
  private final String name;
  private final long elements;
  private final B block;
  private boolean closed;

  Allocation(AbstractEngine<B> engine, String name, long elements, B block) {
    this.engine = engine;
    this.name = name;
    this.elements = elements;
    this.block = block;
  }

  AbstractEngine<B> engine() {
    return engine;
  }

  String name() {
    return name;
  }

  long bytes() {
    return 4 * elements;
  }

  B block() {
    return block;
  }

  boolean closed() {
    return closed;
  }

  void close() {
    if (!closed) {
      engine.forget(this);
      closed = true;
      block.release();
    }
  }
}
