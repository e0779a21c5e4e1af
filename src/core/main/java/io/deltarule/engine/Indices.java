package io.deltarule.engine;

/** Lists of row numbers that live on an engine: list i is the rows of mini-batch i of an epoch. */
public interface Indices extends AutoCloseable {

  /**
   * The number of lists.
   *
   * @return at least 0
   */
  int rows();

  /**
   * The length of each list.
   *
   * @return at least 0
   */
  int columns();

  /**
   * The number that all row numbers are below.
   *
   * @return at least 1
   */
  int bound();

  /** Frees the memory; again does nothing. */
  @Override
  void close();
}
