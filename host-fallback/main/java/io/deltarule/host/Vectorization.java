package io.deltarule.host;

import java.lang.reflect.InvocationTargetException;

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

  private static final boolean PRESENT = ModuleLayer.boot().findModule(MODULE).isPresent();

  private Vectorization() {}

  /** The fastest once they are compiled. */
  static Kernels kernels(Workers workers) {
    if (!PRESENT) {
      return new PlainKernels(workers);
    }
    try {
      return (Kernels)
          Class.forName(KERNELS).getDeclaredConstructor(Workers.class).newInstance(workers);
    } catch (InvocationTargetException e) {
      throw new IllegalStateException(KERNELS, e.getCause());
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(KERNELS, e);
    }
  }

  /** The plain ones until the fastest are compiled. */
  static Kernels warming(Workers workers) {
    Kernels plain = new PlainKernels(workers);
    return PRESENT ? new WarmingKernels(plain, kernels(workers), WarmUp.begun()) : plain;
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
