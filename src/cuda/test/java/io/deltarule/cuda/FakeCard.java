package io.deltarule.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.deltarule.engine.Precision;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * The card that the fake driver emulates. As an extension it is new before each test, and after it,
 * when all engines are closed, nothing may live and nothing may have been misused.
 */
final class FakeCard implements BeforeAllCallback, BeforeEachCallback, AfterEachCallback {

  /** All products are cuBLAS's. */
  static final Products.Rule NONE_SMALL = new Products.Rule(0, 0);

  private final int multiprocessors;

  FakeCard() {
    this(2);
  }

  FakeCard(int multiprocessors) {
    this.multiprocessors = multiprocessors;
  }

  /** Makes the fake driver and its cuBLAS this JVM's. */
  static void insert() {
    FakeDriver.load();
    System.setProperty(CublasLoader.PROPERTY, FakeDriver.cublas(12).toString());
    assertTrue(CublasLoader.load().library().isPresent(), () -> CublasLoader.load().describe());
  }

  @Override
  public void beforeAll(ExtensionContext context) {
    insert();
  }

  @Override
  public void beforeEach(ExtensionContext context) {
    reset(multiprocessors);
  }

  @Override
  public void afterEach(ExtensionContext context) {
    assertClean();
  }

  static void reset() {
    reset(2);
  }

  /** An Ampere card: there the workspace of cuBLAS is small, which saves most of the time. */
  private static void reset(int multiprocessors) {
    FakeDriver.reset();
    FakeDriver.configure(1, 80, 12060, 1L << 32, multiprocessors);
  }

  static CudaEngine open() {
    return open(Precision.FP32, true, Products.Rule.DEFAULT);
  }

  static CudaEngine open(Precision precision, boolean blas, Products.Rule rule) {
    return new CudaEngine(Devices.find().choose(""), precision, blas, rule);
  }

  static void assertClean() {
    assertEquals(List.of(), FakeDriver.messages());
    assertEquals(Map.of(), FakeDriver.liveObjects());
  }
}
