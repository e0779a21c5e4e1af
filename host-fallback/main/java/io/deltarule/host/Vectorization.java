package io.deltarule.host;

import java.lang.reflect.InvocationTargetException;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/**
 * Which kernels this JVM runs: those in vectors need the module jdk.incubator.vector, which is
 * there if Java is started with {@code --add-modules jdk.incubator.vector}. Without it none of
 * their classes is loaded.
 */
final class Vectorization {
  private static final String MODULE = "jdk.incubator.vector";
  private static final String KERNELS = "io.deltarule.host.VectorKernels";

  /** From this one on, C2 compiles tiles of vectors to nearly the speed of the processor. */
  private static final int FAST_JAVA = 25;

  /** Multiply-adds of a product that may gain from leaving out zeros: 0.2 ms on a core. */
  private static final long LEAST_SPARSE = 1 << 24;

  private static final boolean PRESENT = ModuleLayer.boot().findModule(MODULE).isPresent();

  private Vectorization() {}

  /** The fastest once they are compiled. */
  static Kernels kernels(Workers workers) {
    return kernels(workers, () -> LEAST_SPARSE);
  }

  /**
   * The same.
   *
   * @param leastSparse the multiply-adds from which on a product looks for zeros to leave out
   */
  static Kernels kernels(Workers workers, LongSupplier leastSparse) {
    if (!PRESENT) {
      return new PlainKernels(workers);
    }
    try {
      return (Kernels)
          Class.forName(KERNELS)
              .getDeclaredConstructor(Workers.class, LongSupplier.class)
              .newInstance(workers, leastSparse);
    } catch (InvocationTargetException e) {
      throw new IllegalStateException(KERNELS, e.getCause());
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(KERNELS, e);
    }
  }

  /** The plain ones until the fastest are compiled. */
  static Kernels warming(Workers workers) {
    Kernels plain = new PlainKernels(workers);
    if (!PRESENT) {
      return plain;
    }
    Supplier<WarmUp.State> state = WarmUp.begun();
    LongSupplier leastSparse =
        () -> state.get() == WarmUp.State.ALL ? LEAST_SPARSE : Long.MAX_VALUE;
    return new WarmingKernels(plain, kernels(workers, leastSparse), state);
  }

  /** How this JVM could be faster; empty if it could not. */
  static String advice() {
    if (!PRESENT) {
      return "; faster with java --add-modules " + MODULE;
    }
    return Runtime.version().feature() < FAST_JAVA
        ? "; faster with Java " + FAST_JAVA + " or newer"
        : "";
  }
}
